"""Attention between neighbours, whose radial filters both directions of a pair share; made for double backward.

With queries q, keys k, filters W_ij = W_ji and weights a_ij of each head, all maps are slopes of

    F = sum_ij sum_f a_ij q_if k_jf W_ijf

so that no derivative of any order needs more than these three:

    attention_scores(q, k, W)_ij = sum_f q_if k_jf W_ijf       over the features f of a head
    attention_sum(a, W, v)_i     = sum_j a_ij W_ij * v_j
    product(a, q, k)_p           = a_ij q_i * k_j + a_ji q_j * k_i

Weights and scores are [n_pairs, 2, n_heads]: what the centre takes from its neighbour, then what the neighbour
takes from the centre.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from gpip.models.messages import Sides


def attention_scores(queries: Tensor, keys: Tensor, filters: Tensor, n_heads: int, sides: Sides) -> Tensor:
    """Products of queries and keys [n_atoms, n] through filters [n_pairs, n], summed over each head."""
    return _Scores.apply(queries, keys, filters, n_heads, sides)


def attention_sum(weights: Tensor, filters: Tensor, values: Tensor, sides: Sides) -> Tensor:
    """sum_j a_ij W_ij * v_j [n_atoms, n] of weights a, filters [n_pairs, n] and values [n_atoms, n]."""
    return _Sum.apply(weights, filters, values, sides)


def _by_head(values: Tensor, weights: Tensor) -> Tensor:
    """Rows [n_pairs, n] times the weights [n_pairs, n_heads] of their heads, in place."""
    _of_heads(values, weights.shape[1]).mul_(weights[..., None])
    return values


def _of_heads(values: Tensor, n_heads: int) -> Tensor:
    """A view [n_pairs, n_heads, n / n_heads]."""
    return values.view(len(values), n_heads, values.shape[1] // n_heads)


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, queries: Tensor, keys: Tensor, filters: Tensor, n_heads: int, sides: Sides) -> Tensor:
        ctx.save_for_backward(queries, keys, filters)
        ctx.sides = sides
        i, j = sides.centre.atom, sides.neighbour.atom
        scores = filters.new_empty(len(filters), 2, n_heads)
        for direction, (end, other) in enumerate(((i, j), (j, i))):
            product = queries.index_select(0, end).mul_(keys.index_select(0, other)).mul_(filters)
            torch.sum(_of_heads(product, n_heads), 2, out=scores[:, direction])
        return scores

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, filters = ctx.saved_tensors
        needed, sides = ctx.needs_input_grad, ctx.sides
        for_queries = _Sum.apply(slope, filters, keys, sides) if needed[0] else None
        for_keys = _Sum.apply(slope.flip(1), filters, queries, sides) if needed[1] else None
        for_filters = _Product.apply(slope, queries, keys, sides) if needed[2] else None
        return for_queries, for_keys, for_filters, None, None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, weights: Tensor, filters: Tensor, values: Tensor, sides: Sides) -> Tensor:
        ctx.save_for_backward(weights, filters, values)
        ctx.sides = sides
        centre, neighbour = sides
        to_centre = _by_head(values.index_select(0, neighbour.atom).mul_(filters), weights[:, 0])
        total = centre.total(to_centre)
        to_neighbour = _by_head(values.index_select(0, centre.atom).mul_(filters), weights[:, 1])
        return total.add_(neighbour.total(to_neighbour))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        weights, filters, values = ctx.saved_tensors
        needed, sides = ctx.needs_input_grad, ctx.sides
        for_weights = _Scores.apply(slope, values, filters, weights.shape[2], sides) if needed[0] else None
        for_filters = _Product.apply(weights, slope, values, sides) if needed[1] else None
        for_values = _Sum.apply(weights.flip(1), filters, slope, sides) if needed[2] else None
        return for_weights, for_filters, for_values, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, weights: Tensor, queries: Tensor, keys: Tensor, sides: Sides) -> Tensor:
        ctx.save_for_backward(weights, queries, keys)
        ctx.sides = sides
        i, j = sides.centre.atom, sides.neighbour.atom
        product = _by_head(queries.index_select(0, i).mul_(keys.index_select(0, j)), weights[:, 0])
        return product.add_(_by_head(queries.index_select(0, j).mul_(keys.index_select(0, i)), weights[:, 1]))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        weights, queries, keys = ctx.saved_tensors
        needed, sides = ctx.needs_input_grad, ctx.sides
        for_weights = _Scores.apply(queries, keys, slope, weights.shape[2], sides) if needed[0] else None
        for_queries = _Sum.apply(weights, slope, keys, sides) if needed[1] else None
        for_keys = _Sum.apply(weights.flip(1), slope, queries, sides) if needed[2] else None
        return for_weights, for_queries, for_keys, None
