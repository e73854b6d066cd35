"""Sums over neighbours whose filters are splines of the distance, made for double backward.

With table c of the spline, weights u_ij, features g and x of atoms, all maps are slopes of

    F = sum_ij sum_f u_ij W_f(r_ij; c) g_if x_jf

and each slope of a map is again one of these three, so that no derivative of any order needs more:

    neighbour_sum(c, x)_i          = sum_j u_ij W_ij * x_j      slope with g
    neighbour_products(c, g, x)_ij = W_ij . (g_i * x_j)         slope with u, summed over the features of a head
    table_sums(g, x)               =                            slope with c

The slope with the distance is `neighbour_products` with the derivative of W. A pair stands once, W_ij = W_ji; weights
and products are [n_pairs, 2, n_axes, n_heads]: what the centre takes from its neighbour, then the other way round.
Features may have axes, [n_atoms, n_axes, n]; an axis of length one in the weights stands for all axes. On a CPU the
loops are compiled (`gpip.models.blocks.kernels`) and nothing has the size n_pairs * n.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from gpip.graphs.graph import Graph
from gpip.models.blocks import kernels
from gpip.models.blocks.messages import Sides, sides_of
from gpip.models.blocks.splines import DEGREE, SplineBins


class NeighbourPairs:
    """The pairs of a graph, and where their distances lie in the tables of all filters.

    Args:
        graph: Its pairs.
        bins: Of their distances [n_pairs], angstrom, with which filters can be differentiated.
    """

    def __init__(self, graph: Graph, bins: SplineBins) -> None:
        self.graph, self.bins = graph, bins
        self.centre, self.neighbour = graph.pairs.centre, graph.pairs.neighbour

    @functools.cached_property
    def sides(self) -> Sides:
        return sides_of(self.graph)

    @functools.cached_property
    def ones(self) -> Tensor:
        """Weights of one."""
        return self.bins.distance.detach().new_ones(len(self.centre), 2, 1, 1)

    @property
    def ends(self) -> tuple[Tensor, Tensor, Tensor]:
        """Both atoms of each pair, and its bin."""
        return self.centre, self.neighbour, self.bins.bin


def neighbour_sum(
    table: Tensor, values: Tensor, neighbour_pairs: NeighbourPairs, weights: Tensor | None = None, order: int = 0
) -> Tensor:
    """sum_j u_ij W_ij * x_j, [n_atoms, n_axes, n].

    Args:
        table: [n_bins + 5, n] float64, coefficients of the filters' spline.
        values: [n_atoms, n_axes, n].
        neighbour_pairs: The pairs.
        weights: [n_pairs, 2, n_axes or 1, n_heads]; None for one.
        order: Take this derivative of the filters with the distance.
    """
    result = _sum(table, values, neighbour_pairs, weights, order)
    return _with_slopes(
        result,
        (table, lambda s: table_sums(s, values, neighbour_pairs, weights, order)),
        (values, lambda s: neighbour_sum(table, s, neighbour_pairs, _turned(weights), order)),
        (weights, lambda s: neighbour_products(table, s, values, neighbour_pairs, *_layout(weights), order)),
        (neighbour_pairs.bins.distance, lambda s: _over_pair(table, s, values, neighbour_pairs, weights, order)),
    )


def neighbour_products(
    table: Tensor,
    left: Tensor,
    right: Tensor,
    neighbour_pairs: NeighbourPairs,
    n_axes: int,
    n_heads: int,
    order: int = 0,
) -> Tensor:
    """W_ij . (g_i * x_j) and W_ij . (g_j * x_i), [n_pairs, 2, n_axes, n_heads], summed over the features of a head.

    Args:
        table: As above.
        left: g, [n_atoms, all axes, n].
        right: x, likewise.
        neighbour_pairs: The pairs.
        n_axes: 1 sums over axes as well.
        n_heads: Share the features equally.
        order: As above.
    """
    result = _products(table, left, right, neighbour_pairs, n_axes, n_heads, order)
    return _with_slopes(
        result,
        (table, lambda s: table_sums(left, right, neighbour_pairs, s, order)),
        (left, lambda s: neighbour_sum(table, right, neighbour_pairs, s, order)),
        (right, lambda s: neighbour_sum(table, left, neighbour_pairs, _turned(s), order)),
        (neighbour_pairs.bins.distance, lambda s: _over_pair(table, left, right, neighbour_pairs, s, order)),
    )


def table_sums(
    left: Tensor, right: Tensor, neighbour_pairs: NeighbourPairs, weights: Tensor | None = None, order: int = 0
) -> Tensor:
    """What F changes by with each coefficient of the table, [n_bins + 5, n] float64."""
    result = _collected(left, right, neighbour_pairs, weights, order)
    return _with_slopes(
        result,
        (left, lambda s: neighbour_sum(s, right, neighbour_pairs, weights, order)),
        (right, lambda s: neighbour_sum(s, left, neighbour_pairs, _turned(weights), order)),
        (weights, lambda s: neighbour_products(s, left, right, neighbour_pairs, *_layout(weights), order)),
        (neighbour_pairs.bins.distance, lambda s: _over_pair(s, left, right, neighbour_pairs, weights, order)),
    )


def bond_sum(table: Tensor, values: Tensor, unit: Tensor, neighbour_pairs: NeighbourPairs) -> Tensor:
    """sum_j u_ij (W_ij * x_j) [n_atoms, 3, n] of values [n_atoms, n] and u_ij = -u_ji [n_pairs, 3]."""
    weights = torch.stack([unit, -unit], 1)[..., None]
    return neighbour_sum(table, values[:, None].expand(-1, 3, -1), neighbour_pairs, weights)


def _over_pair(
    table: Tensor, left: Tensor, right: Tensor, neighbour_pairs: NeighbourPairs, weights: Tensor | None, order: int
) -> Tensor:
    """Slope of F with the distances, [n_pairs]."""
    products = neighbour_products(table, left, right, neighbour_pairs, *_layout(weights), order + 1)
    return (products if weights is None else products * weights).sum((1, 2, 3))


def _turned(weights: Tensor | None) -> Tensor | None:
    """Seen from the other end."""
    return None if weights is None else weights.flip(1)


def _layout(weights: Tensor | None) -> tuple[int, int]:
    return (1, 1) if weights is None else (weights.shape[2], weights.shape[3])


def _with_slopes(result: Tensor, *arguments: tuple[Tensor | None, Callable[[Tensor], Tensor]]) -> Tensor:
    """The result, whose slope with each argument is a node of its own in the autograd graph.

    A backward pass for forces then skips the slopes with weights of the network, and the other way round.
    """
    if torch.is_grad_enabled():
        for argument, slope in arguments:
            if argument is not None and argument.requires_grad:
                result = result + _Slope.apply(argument, slope, result)
    return result


class _Slope(torch.autograd.Function):
    """Zeros that carry a slope with the argument."""

    @staticmethod
    def forward(ctx: FunctionCtx, argument: Tensor, slope: Callable[[Tensor], Tensor], result: Tensor) -> Tensor:
        ctx.slope, ctx.dtype = slope, argument.dtype
        return result.new_zeros(1).expand(result.shape)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.slope(slope).to(ctx.dtype), None, None


@torch.no_grad()
def _sum(table: Tensor, values: Tensor, neighbour_pairs: NeighbourPairs, weights: Tensor | None, order: int) -> Tensor:
    if order > DEGREE:
        return torch.zeros_like(values)
    weights, bins = neighbour_pairs.ones if weights is None else weights, neighbour_pairs.bins
    if kernels.usable(values):
        return kernels.weighted_sum(*neighbour_pairs.ends, bins.taps(order), bins.rows(table, order), weights, values)
    filters = bins.interpolate(table, order)[:, None]
    total = torch.zeros_like(values)
    for way, (side, other) in enumerate(
        zip(neighbour_pairs.sides, (neighbour_pairs.neighbour, neighbour_pairs.centre), strict=True)
    ):
        sent = _by_head(values.index_select(0, other) * filters, weights[:, way])
        total = total + side.total(sent.flatten(1)).view_as(values)
    return total


@torch.no_grad()
def _products(
    table: Tensor, left: Tensor, right: Tensor, neighbour_pairs: NeighbourPairs, n_axes: int, n_heads: int, order: int
) -> Tensor:
    bins = neighbour_pairs.bins
    if order > DEGREE:
        return right.new_zeros(len(neighbour_pairs.centre), 2, n_axes, n_heads)
    if kernels.usable(right):
        rows = bins.rows(table, order)
        return kernels.weighted_products(*neighbour_pairs.ends, bins.taps(order), rows, left, right, n_axes, n_heads)
    filters = bins.interpolate(table, order)[:, None]
    ways = []
    for end, other in (
        (neighbour_pairs.centre, neighbour_pairs.neighbour),
        (neighbour_pairs.neighbour, neighbour_pairs.centre),
    ):
        product = filters * left.index_select(0, end) * right.index_select(0, other)
        by_head = product.unflatten(2, (n_heads, -1)).sum(3)
        ways.append(by_head if n_axes > 1 else by_head.sum(1, keepdim=True))
    return torch.stack(ways, 1)


@torch.no_grad()
def _collected(
    left: Tensor, right: Tensor, neighbour_pairs: NeighbourPairs, weights: Tensor | None, order: int
) -> Tensor:
    bins = neighbour_pairs.bins
    if order > DEGREE:
        return bins.zero_coefficients(right)
    weights = neighbour_pairs.ones if weights is None else weights
    if kernels.usable(right):
        rows = kernels.collected(*neighbour_pairs.ends, bins.taps(order), weights, left, right, bins.n_rows)
        return bins.from_rows(rows, order)
    products = 0
    for way, (end, other) in enumerate(
        ((neighbour_pairs.centre, neighbour_pairs.neighbour), (neighbour_pairs.neighbour, neighbour_pairs.centre))
    ):
        product = left.index_select(0, end) * right.index_select(0, other)
        products = products + _by_head(product, weights[:, way])
    return bins.collect(products.sum(1), order)


def _by_head(values: Tensor, weights: Tensor) -> Tensor:
    """Values [n_pairs, n_axes, n] times the weights [n_pairs, n_axes or 1, n_heads] of their axes and heads."""
    return (values.unflatten(2, (weights.shape[2], -1)) * weights[..., None]).flatten(2)
