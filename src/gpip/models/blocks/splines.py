"""Functions of the interatomic distance alone, tabulated as quintic splines.

A filter network depends on the distance only. Evaluating it at some hundred nodes and interpolating costs
a tenth of evaluating it for every pair of a liquid, in each pass of a double backward. Cardinal quintic
B-splines are four times continuously differentiable, and the spline is what is differentiated, so forces are
exact slopes of the energy. Cubic ones need more than twice the nodes. The table is in double precision:
differences of neighbouring coefficients keep their digits.
"""

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

DEGREE = 5


class SplineBins:
    """In which of `n_bins` equal intervals from zero to the cutoff each distance [n_pairs] lies."""

    def __init__(self, distance: Tensor, cutoff_angstrom: float, n_bins: int) -> None:
        self.distance, self.n_bins, self.per_angstrom = distance, n_bins, n_bins / cutoff_angstrom
        self.n_rows = n_bins + DEGREE
        scaled = distance.detach() * self.per_angstrom
        self.inside = scaled < n_bins
        self.bin = scaled.long().clamp_(max=n_bins - 1)
        self.fraction = scaled - self.bin
        self._weights: dict[int, Tensor] = {}
        self._taps: dict[int, Tensor] = {}
        self._rows: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}

    @functools.cached_property
    def _by_bin(self) -> tuple[Tensor, Tensor]:
        """Pairs sorted by bin, and where each bin begins."""
        n_pairs = torch.bincount(self.bin, minlength=self.n_bins)
        return torch.argsort(self.bin), torch.cumsum(n_pairs, 0) - n_pairs

    def weights(self, degree: int) -> Tensor:
        """Cardinal B-splines that are not zero in a pair's bin, [n_pairs, degree + 1]; zero beyond the cutoff."""
        if degree not in self._weights:
            if degree == 0:
                self._weights[0] = self.inside.to(self.fraction.dtype)[:, None]
            else:
                lower, t = self.weights(degree - 1), self.fraction[:, None]
                steps = torch.arange(degree + 1, dtype=t.dtype, device=t.device)
                rising = nn.functional.pad(lower, (1, 0)) * (t + (degree - steps))
                falling = nn.functional.pad(lower, (0, 1)) * ((1 + steps) - t)
                self._weights[degree] = (rising + falling) / degree
        return self._weights[degree]

    def taps(self, order: int) -> Tensor:
        """B-splines of a derivative of that order, [n_pairs, 6], filled up with zeros."""
        if order not in self._taps:
            self._taps[order] = nn.functional.pad(self.weights(DEGREE - order), (0, order))
        return self._taps[order]

    def interpolate(self, coefficients: Tensor, order: int) -> Tensor:
        """Derivative of some order of the spline, [n_bins + 5, n] to [n_pairs, n]. Not differentiable."""
        degree, dtype = DEGREE - order, self.fraction.dtype
        if degree < 0:
            return coefficients.new_zeros(len(self.bin), coefficients.shape[1], dtype=dtype)
        rows = self.bin[:, None] + torch.arange(degree + 1, device=self.bin.device)
        table, weights = self.derivative(coefficients, order).to(dtype), self.weights(degree)
        return nn.functional.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    def collect(self, values: Tensor, order: int) -> Tensor:
        """The transpose of `interpolate`, [n_pairs, n] to [n_bins + 5, n] float64. Not differentiable."""
        degree = DEGREE - order
        if degree < 0:
            return self.zero_coefficients(values)
        total = values.new_zeros(self.n_bins + degree, values.shape[1], dtype=torch.float64)
        by_bin, first = self._by_bin
        for piece, weights in enumerate(self.weights(degree)[by_bin].T.contiguous()):
            total[piece : piece + self.n_bins] += nn.functional.embedding_bag(
                by_bin, values, first, per_sample_weights=weights, mode="sum"
            )
        return self.transposed_derivative(total, order)

    def zero_coefficients(self, like: Tensor) -> Tensor:
        """[n_bins + 5, n], for as many functions as `like` [..., n] has."""
        return like.new_zeros(self.n_rows, like.shape[-1], dtype=torch.float64)

    def rows(self, coefficients: Tensor, order: int) -> Tensor:
        """What `taps` weigh, from row `bin` on: coefficients of the derivative [n_rows, n], in the distances' type."""
        # Held without their graph, which may hold the bins: others cannot come to lie where these are.
        key = (coefficients.data_ptr(), coefficients.shape, coefficients._version, order)
        if key not in self._rows:
            rows = self.derivative(coefficients, order).to(self.fraction.dtype)
            self._rows[key] = coefficients.detach(), nn.functional.pad(rows, (0, 0, 0, order)) if order else rows
        return self._rows[key][1]

    def from_rows(self, rows: Tensor, order: int) -> Tensor:
        """The transpose of `rows`."""
        return self.transposed_derivative(rows[: self.n_rows - order].double(), order)

    def derivative(self, coefficients: Tensor, order: int) -> Tensor:
        """Coefficients of the derivative, one row fewer for each order. Not differentiable."""
        for _ in range(order):
            coefficients = torch.diff(coefficients, dim=0) * self.per_angstrom
        return coefficients

    def transposed_derivative(self, coefficients: Tensor, order: int) -> Tensor:
        """The transpose of `derivative`, one row more for each order."""
        for _ in range(order):
            coefficients = torch.diff(nn.functional.pad(coefficients, (0, 0, 1, 1)), dim=0) * -self.per_angstrom
        return coefficients


def interpolate(coefficients: Tensor, bins: SplineBins, order: int = 0) -> Tensor:
    """Derivative of some order of sum_k c_k B_k(r), [n_bins + 5, n] to [n_pairs, n].

    Differentiable any number of times in the coefficients and in `bins.distance`. The two slopes are nodes
    of their own in the autograd graph: a backward pass for forces skips the slopes with weights, and the
    other way round.
    """
    values = _OfCoefficients.apply(coefficients, bins, order)
    if not bins.distance.requires_grad:
        return values
    return values + _OfDistance.apply(bins.distance, _Held(coefficients), bins, order)


def collect(values: Tensor, bins: SplineBins, order: int) -> Tensor:
    """The transpose of `interpolate`, [n_pairs, n] to [n_bins + 5, n]; differentiable as well."""
    total = _OfValues.apply(values, bins, order)
    if not bins.distance.requires_grad:
        return total
    return total + _CollectOfDistance.apply(bins.distance, _Held(values), bins, order)


class _Held(NamedTuple):
    """A tensor that a node needs in its backward pass, without an edge of the graph to it."""

    tensor: Tensor


class _OfCoefficients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, coefficients: Tensor, bins: SplineBins, order: int) -> Tensor:
        ctx.bins, ctx.order = bins, order
        return bins.interpolate(coefficients, order)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return collect(slope, ctx.bins, ctx.order), None, None


class _OfValues(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, bins: SplineBins, order: int) -> Tensor:
        ctx.bins, ctx.order = bins, order
        return bins.collect(values, order)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return interpolate(slope, ctx.bins, ctx.order), None, None


class _OfDistance(torch.autograd.Function):
    """Zeros [n_pairs, n] that carry the slope of `interpolate` with the distance."""

    @staticmethod
    def forward(ctx: FunctionCtx, distance: Tensor, coefficients: _Held, bins: SplineBins, order: int) -> Tensor:
        ctx.coefficients, ctx.bins, ctx.order = coefficients.tensor, bins, order
        return distance.new_zeros(1).expand(len(distance), ctx.coefficients.shape[1])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return (slope * interpolate(ctx.coefficients, ctx.bins, ctx.order + 1)).sum(1), None, None, None


class _CollectOfDistance(torch.autograd.Function):
    """Zeros [n_bins + 5, n] that carry the slope of `collect` with the distance."""

    @staticmethod
    def forward(ctx: FunctionCtx, distance: Tensor, values: _Held, bins: SplineBins, order: int) -> Tensor:
        ctx.values, ctx.bins, ctx.order = values.tensor, bins, order
        return distance.new_zeros(1, dtype=torch.float64).expand(bins.n_rows, ctx.values.shape[1])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.values * interpolate(slope, ctx.bins, ctx.order + 1)).sum(1), None, None, None


def node_distances(n_bins: int, cutoff_angstrom: float, device: torch.device | None = None) -> Tensor:
    """Where a function is sampled for its spline: [n_bins + 11] float64, five of them beyond either end."""
    return torch.arange(-5, n_bins + 6, dtype=torch.float64, device=device) * (cutoff_angstrom / n_bins)


def spline_through(values: Tensor) -> Tensor:
    """Coefficients [n_bins + 5, n] from values [n_bins + 11, n] at the nodes.

    A spline smoothes its coefficients: at a node it is (1 + d/4 + d^2/120) c, with d the second difference. That is
    taken out by the first terms of the inverse, 1 - d/4 + 13 d^2/240 - 11 d^3/960.
    """
    second = torch.diff(values, n=2, dim=0)
    fourth = torch.diff(second, n=2, dim=0)
    sixth = torch.diff(fourth, n=2, dim=0)
    return values[3:-3] - second[2:-2] / 4 + fourth[1:-1] * (13 / 240) - sixth * (11 / 960)


class TableCache:
    """Tables that are made again only when a weight has changed, or when weights are being trained."""

    def __init__(self) -> None:
        self._weights: list[Tensor] = []
        self._versions: list[int] = []
        self._tables: tuple[Tensor, ...] = ()

    def __call__(self, weights: Sequence[Tensor], make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """What `make` makes of the weights."""
        if torch.is_grad_enabled() and any(weight.requires_grad for weight in weights):
            return make()
        # The weights are held, too: another tensor cannot come to lie where one of them was.
        same = len(weights) == len(self._weights) and all(
            now.data_ptr() == then.data_ptr() and now.dtype == then.dtype and now._version == version
            for now, then, version in zip(weights, self._weights, self._versions, strict=True)
        )
        if not same:
            self._tables = tuple(table.detach() for table in make())
            self._weights = [weight.detach() for weight in weights]
            self._versions = [weight._version for weight in weights]
        return self._tables


class RadialFilter(nn.Module):
    """network(basis(r)) * cutoff(r), as a spline.

    Args:
        basis: Of the distance; analytic at zero.
        network: Linear layers and activations.
        cutoff_angstrom: Where the filter ends.
        n_bins: Intervals of the spline; see the test for its error.
    """

    nodes: Tensor
    cutoff: Tensor

    def __init__(self, basis: nn.Module, network: nn.Sequential, cutoff_angstrom: float, n_bins: int) -> None:
        super().__init__()
        self.network = network
        self._kept = TableCache()
        distance = node_distances(n_bins, cutoff_angstrom)
        with torch.no_grad():
            self.register_buffer("nodes", copy.deepcopy(basis).double()(distance), persistent=False)
        # Not clamped: the spline then follows the cosine to the very cutoff.
        self.register_buffer("cutoff", 0.5 * torch.cos(distance * (torch.pi / cutoff_angstrom)) + 0.5, persistent=False)

    def coefficients(self) -> Tensor:
        """[n_bins + 5, n] float64."""
        return self._kept(list(self.network.parameters()), self._coefficients)[0]

    def _coefficients(self) -> tuple[Tensor]:
        values = self.nodes
        for layer in self.network:
            linear = isinstance(layer, nn.Linear)
            values = (
                nn.functional.linear(values, layer.weight.double(), layer.bias.double()) if linear else layer(values)
            )
        return (spline_through(values * self.cutoff[:, None]),)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "RadialFilter":
        """Conversions such as `.float()` leave what is known at the nodes in double precision."""
        kept = {name: getattr(self, name) for name in ("nodes", "cutoff")}
        super()._apply(fn, recurse)
        for name, before in kept.items():
            setattr(self, name, before.to(getattr(self, name).device))
        return self

    def forward(self, bins: SplineBins) -> Tensor:
        """[n_pairs, n] of the distances in `bins`."""
        return interpolate(self.coefficients(), bins)


class LinearFilters(nn.Module):
    """Filters linear(basis(r)) * cutoff(r) as splines, for a basis without weights.

    A spline is linear in the values it goes through, so those of the basis are made once.

    Args:
        basis: Of the distance; analytic at zero.
        cutoff_angstrom: Where filters end.
        n_bins: Intervals of the splines.
    """

    splines: Tensor

    def __init__(self, basis: nn.Module, cutoff_angstrom: float, n_bins: int) -> None:
        super().__init__()
        self.n_bins = n_bins
        distance = node_distances(n_bins, cutoff_angstrom)
        # Not clamped: the spline then follows the cosine to the very cutoff.
        cutoff = 0.5 * torch.cos(distance * (torch.pi / cutoff_angstrom)) + 0.5
        with torch.no_grad():
            values = torch.cat([copy.deepcopy(basis).double()(distance), torch.ones_like(distance)[:, None]], 1)
            self.register_buffer("splines", spline_through(values * cutoff[:, None]), persistent=False)

    def forward(self, layer: nn.Linear) -> Tensor:
        """Coefficients [n_bins + 5, n] float64 of the filters that a linear layer makes of the basis."""
        weights = torch.cat([layer.weight, layer.bias[:, None]], 1).double()
        return self.splines @ weights.T

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LinearFilters":
        """Conversions such as `.float()` leave the splines of the basis in double precision."""
        kept = self.splines
        super()._apply(fn, recurse)
        self.splines = kept.to(self.splines.device)
        return self
