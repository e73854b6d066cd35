"""Sums over neighbours with filters that both directions of a pair share, made for double backward.

Each group of maps closes under differentiation, so that no derivative of any order needs more than these:

    pair_sum(W, x)_i      = sum_j W_ij * x_j                 atoms from pairs and atoms
    pair_product(g, x)_p  = g_i * x_j + g_j * x_i            pairs from atoms and atoms

    spread(q, u)_id       = sum_p u_pd * q_p                 vectors of atoms from pairs at one end
    project(g, u)_p       = sum_d u_pd * g_id                pairs from vectors of atoms
    dots(g, q)_pd         = g_id . q_p                       directions from vectors of atoms

Sums over pairs are `embedding_bag`, on a CPU two to four times as fast as `index_add`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from gpip.graphs.graph import Graph


class Side(NamedTuple):
    """One end of all pairs."""

    atom: Tensor
    """[n_pairs] int64."""
    order: Tensor
    """[n_pairs] pairs sorted by that atom."""
    first: Tensor
    """[n_atoms] where the pairs of each atom start in `order`."""

    def total(self, values: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum of values [n_pairs, n] times weights [n_pairs] over the pairs of each atom."""
        weights = None if weights is None else weights[self.order]
        return nn.functional.embedding_bag(self.order, values, self.first, per_sample_weights=weights, mode="sum")


class Sides(NamedTuple):
    """Both ends of all pairs."""

    centre: Side
    neighbour: Side


def sides_of(graph: Graph) -> Sides:
    """The ends of `graph.pairs`."""
    sides = []
    for atom in (graph.pairs.centre, graph.pairs.neighbour):
        n_pairs = torch.bincount(atom, minlength=graph.n_atoms)
        sides.append(Side(atom, torch.argsort(atom), torch.cumsum(n_pairs, 0) - n_pairs))
    return Sides(*sides)


def edge_sides(graph: Graph) -> Sides:
    """The ends of `graph.edges`, both directions of a pair apart: n_edges stands where the others have n_pairs."""
    centre, neighbour = graph.edge_index
    n_edges = torch.bincount(centre, minlength=graph.n_atoms)
    first = torch.cumsum(n_edges, 0) - n_edges
    order = torch.arange(graph.n_edges, device=centre.device)
    # Edges stand by centre, so their reverses stand by neighbour.
    return Sides(Side(centre, order, first), Side(neighbour, graph.reverse_edge, first))


def gather(values: Tensor, side: Side) -> Tensor:
    """What each pair finds at that end, [n_atoms, n] to [n_pairs, n]."""
    return _Gather.apply(values, side)


def total(values: Tensor, side: Side) -> Tensor:
    """What the pairs bring to that end, [n_pairs, n] to [n_atoms, n]."""
    return _Total.apply(values, side)


def pair_sum(filters: Tensor, values: Tensor, sides: Sides) -> Tensor:
    """sum_j W_ij * x_j [n_atoms, n] of filters W_ij = W_ji [n_pairs, n] and values [n_atoms, n]."""
    return _PairSum.apply(filters, values, sides)


def bond_sum(filters: Tensor, values: Tensor, unit: Tensor, sides: Sides) -> Tensor:
    """sum_j u_ij (W_ij * x_j) [n_atoms, 3, n] of filters W_ij = W_ji, values, u_ij = -u_ji [n_pairs, 3]."""
    centre, neighbour = sides
    to_centre = filters * _Gather.apply(values, neighbour)
    to_neighbour = filters * _Gather.apply(values, centre)
    return _Spread.apply(to_centre, unit, centre) - _Spread.apply(to_neighbour, unit, neighbour)


class _PairSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, filters: Tensor, values: Tensor, sides: Sides) -> Tensor:
        ctx.save_for_backward(filters, values)
        ctx.sides = sides
        centre, neighbour = sides
        total = centre.total(values.index_select(0, neighbour.atom).mul_(filters))
        return total.add_(neighbour.total(values.index_select(0, centre.atom).mul_(filters)))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        filters, values = ctx.saved_tensors
        for_filters = _PairProduct.apply(slope, values, ctx.sides) if ctx.needs_input_grad[0] else None
        for_values = _PairSum.apply(filters, slope, ctx.sides) if ctx.needs_input_grad[1] else None
        return for_filters, for_values, None


class _PairProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, left: Tensor, right: Tensor, sides: Sides) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.sides = sides
        i, j = sides.centre.atom, sides.neighbour.atom
        product = left.index_select(0, i).mul_(right.index_select(0, j))
        return product.addcmul_(left.index_select(0, j), right.index_select(0, i))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        for_left = _PairSum.apply(slope, right, ctx.sides) if ctx.needs_input_grad[0] else None
        for_right = _PairSum.apply(slope, left, ctx.sides) if ctx.needs_input_grad[1] else None
        return for_left, for_right, None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, side: Side) -> Tensor:
        ctx.side = side
        return values.index_select(0, side.atom)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return _Total.apply(slope, ctx.side), None


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, side: Side) -> Tensor:
        ctx.side = side
        return side.total(values)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return _Gather.apply(slope, ctx.side), None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, unit: Tensor, side: Side) -> Tensor:
        ctx.save_for_backward(values, unit)
        ctx.side = side
        return torch.stack([side.total(values, unit[:, axis]) for axis in range(3)], 1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        values, unit = ctx.saved_tensors
        for_values = _Project.apply(slope, unit, ctx.side) if ctx.needs_input_grad[0] else None
        for_unit = _Dots.apply(slope, values, ctx.side) if ctx.needs_input_grad[1] else None
        return for_values, for_unit, None


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, vectors: Tensor, unit: Tensor, side: Side) -> Tensor:
        ctx.save_for_backward(vectors, unit)
        ctx.side = side
        rows = 3 * side.atom[:, None] + torch.arange(3, device=unit.device)
        table = vectors.reshape(-1, vectors.shape[-1])
        return nn.functional.embedding_bag(rows, table, per_sample_weights=unit.contiguous(), mode="sum")

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        vectors, unit = ctx.saved_tensors
        for_vectors = _Spread.apply(slope, unit, ctx.side) if ctx.needs_input_grad[0] else None
        for_unit = _Dots.apply(vectors, slope, ctx.side) if ctx.needs_input_grad[1] else None
        return for_vectors, for_unit, None


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, vectors: Tensor, values: Tensor, side: Side) -> Tensor:
        ctx.save_for_backward(vectors, values)
        ctx.side = side
        return torch.stack([(vectors[:, axis].index_select(0, side.atom).mul_(values)).sum(1) for axis in range(3)], 1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        vectors, values = ctx.saved_tensors
        for_vectors = _Spread.apply(values, slope, ctx.side) if ctx.needs_input_grad[0] else None
        for_values = _Project.apply(vectors, slope, ctx.side) if ctx.needs_input_grad[1] else None
        return for_vectors, for_values, None
