"""Both ends of all pairs of neighbours: values taken from atoms to pairs, and summed from pairs to atoms.

The two maps are each other's derivative, so that no derivative of any order needs more. Sums over pairs are
`embedding_bag`, on a CPU two to four times as fast as `index_add`.
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

    def total(self, values: Tensor) -> Tensor:
        """Sum of values [n_pairs, n] over the pairs of each atom."""
        return nn.functional.embedding_bag(self.order, values, self.first, mode="sum")


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
