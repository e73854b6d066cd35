"""Sums over neighbours with filters that both directions of a pair share, made for double backward.

Two bilinear maps close under differentiation, so that no derivative of any order needs more than these:

    pair_sum(W, x)_i     = sum_j W_ij * x_j           atoms from pairs and atoms
    pair_product(g, x)_p = g_i * x_j + g_j * x_i      pairs from atoms and atoms

With W_ji = -W_ij (`sign` -1) both terms that come from the reverse direction change sign.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from gpip.graphs.graph import Pairs


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, filters: Tensor, values: Tensor, i: Tensor, j: Tensor, sign: int) -> Tensor:
        ctx.save_for_backward(filters, values, i, j)
        ctx.sign = sign
        total = torch.zeros(len(values), *filters.shape[1:], dtype=values.dtype, device=values.device)
        total.index_add_(0, i, values.index_select(0, j).mul_(filters))
        return total.index_add_(0, j, values.index_select(0, i).mul_(filters), alpha=sign)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        filters, values, i, j = ctx.saved_tensors
        for_filters = for_values = None
        if ctx.needs_input_grad[0]:
            for_filters = _PairProduct.apply(slope, values, i, j, ctx.sign)
        if ctx.needs_input_grad[1]:
            for_values = _PairSum.apply(filters, slope, i, j, ctx.sign) * ctx.sign
        return for_filters, for_values, None, None, None


class _PairProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, left: Tensor, right: Tensor, i: Tensor, j: Tensor, sign: int) -> Tensor:
        ctx.save_for_backward(left, right, i, j)
        ctx.sign = sign
        forward = left.index_select(0, i).mul_(right.index_select(0, j))
        return forward.add_(left.index_select(0, j).mul_(right.index_select(0, i)), alpha=sign)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        left, right, i, j = ctx.saved_tensors
        for_left = for_right = None
        if ctx.needs_input_grad[0]:
            for_left = _PairSum.apply(slope, right, i, j, ctx.sign)
        if ctx.needs_input_grad[1]:
            for_right = _PairSum.apply(slope, left, i, j, ctx.sign) * ctx.sign
        return for_left, for_right, None, None, None


def pair_sum(filters: Tensor, values: Tensor, pairs: Pairs, sign: int = 1) -> Tensor:
    """sum_j W_ij * x_j [n_atoms, n]: filters [n_pairs, n], W_ji = sign * W_ij, values [n_atoms, n]."""
    return _PairSum.apply(filters, values, pairs.centre, pairs.neighbour, sign)
