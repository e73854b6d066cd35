"""Functions of the interatomic distance alone, tabulated as cubic splines.

A filter network depends on the distance only. Evaluating it at a few hundred nodes and interpolating costs a tenth of
evaluating it for every pair of a liquid, in each of the passes of a double backward. Cardinal cubic B-splines are twice
continuously differentiable, and the spline is what is differentiated, so forces are exact slopes of the energy. The
table is in double precision: differences of neighbouring coefficients keep their digits.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

DEGREE = 3
_PIECES = (
    lambda t, s: [torch.ones_like(t)],
    lambda t, s: [s, t],
    lambda t, s: [s * s / 2, t * s + 0.5, t * t / 2],
    lambda t, s: [s**3 / 6, t * t * (t / 2 - 1) + 2 / 3, s * s * (s / 2 - 1) + 2 / 3, t**3 / 6],
)
"""Cardinal B-splines of each degree that are not zero in an interval, at t in [0, 1] and s = 1 - t."""


class Bins:
    """In which of `n_bins` equal intervals from zero to the cutoff each distance [n_pairs] lies."""

    def __init__(self, distance: Tensor, cutoff_angstrom: float, n_bins: int) -> None:
        self.n_bins, self.per_angstrom = n_bins, n_bins / cutoff_angstrom
        scaled = distance.detach() * self.per_angstrom
        self.inside = scaled < n_bins
        self.bin = scaled.long().clamp_(max=n_bins - 1)
        self.fraction = scaled - self.bin
        self.order = torch.argsort(self.bin)
        n_pairs = torch.bincount(self.bin, minlength=n_bins)
        self.first = torch.cumsum(n_pairs, 0) - n_pairs
        self._weights: dict[int, Tensor] = {}

    def weights(self, degree: int) -> Tensor:
        """[n_pairs, degree + 1] of the B-splines; zero beyond the cutoff."""
        if degree not in self._weights:
            pieces = _PIECES[degree](self.fraction, 1.0 - self.fraction)
            self._weights[degree] = torch.stack(pieces, 1) * self.inside[:, None]
        return self._weights[degree]


class _Interpolate(torch.autograd.Function):
    """The derivative of some order of sum_k c_k B_k(r): [n_bins + 3, n] to [n_pairs, n]."""

    @staticmethod
    def forward(ctx: FunctionCtx, coefficients: Tensor, distance: Tensor, bins: Bins, order: int) -> Tensor:
        ctx.save_for_backward(coefficients, distance)
        ctx.bins, ctx.order = bins, order
        degree = DEGREE - order
        if degree < 0:
            return distance.new_zeros(len(distance), coefficients.shape[1])
        differences = coefficients
        for _ in range(order):
            differences = torch.diff(differences, dim=0) * bins.per_angstrom
        rows = bins.bin[:, None] + torch.arange(degree + 1, device=distance.device)
        return nn.functional.embedding_bag(
            rows, differences.to(distance.dtype), per_sample_weights=bins.weights(degree), mode="sum"
        )

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, distance = ctx.saved_tensors
        for_coefficients = for_distance = None
        if ctx.needs_input_grad[0]:
            for_coefficients = _Collect.apply(slope, distance, ctx.bins, ctx.order)
        if ctx.needs_input_grad[1]:
            steeper = _Interpolate.apply(coefficients, distance, ctx.bins, ctx.order + 1)
            for_distance = (slope * steeper).sum(1)
        return for_coefficients, for_distance, None, None


class _Collect(torch.autograd.Function):
    """The transpose of `_Interpolate` in the coefficients: [n_pairs, n] to [n_bins + 3, n]."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, distance: Tensor, bins: Bins, order: int) -> Tensor:
        ctx.save_for_backward(values, distance)
        ctx.bins, ctx.order = bins, order
        degree = DEGREE - order
        total = values.new_zeros(bins.n_bins + DEGREE, values.shape[1], dtype=torch.float64)
        if degree < 0:
            return total
        weights = bins.weights(degree)[bins.order]
        differences = total[: bins.n_bins + degree]
        for piece in range(degree + 1):
            differences[piece : piece + bins.n_bins] += nn.functional.embedding_bag(
                bins.order, values, bins.first, per_sample_weights=weights[:, piece].contiguous(), mode="sum"
            )
        for _ in range(order):
            padded = nn.functional.pad(differences, (0, 0, 1, 1))
            differences = torch.diff(padded, dim=0) * -bins.per_angstrom
        return differences

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        values, distance = ctx.saved_tensors
        for_values = for_distance = None
        if ctx.needs_input_grad[0]:
            for_values = _Interpolate.apply(slope, distance, ctx.bins, ctx.order)
        if ctx.needs_input_grad[1]:
            steeper = _Interpolate.apply(slope, distance, ctx.bins, ctx.order + 1)
            for_distance = (values * steeper).sum(1)
        return for_values, for_distance, None, None


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
        distance = torch.arange(-3, n_bins + 4, dtype=torch.float64) * (cutoff_angstrom / n_bins)
        with torch.no_grad():
            self.register_buffer("nodes", basis.double()(distance), persistent=False)
        # Not clamped: the spline then follows the cosine to the very cutoff.
        self.register_buffer("cutoff", 0.5 * torch.cos(distance * (torch.pi / cutoff_angstrom)) + 0.5, persistent=False)

    def coefficients(self) -> Tensor:
        """[n_bins + 3, n] float64: sampled values, with the spline's own smoothing taken out of them."""
        values = self.nodes.double()
        for layer in self.network:
            linear = isinstance(layer, nn.Linear)
            values = (
                nn.functional.linear(values, layer.weight.double(), layer.bias.double()) if linear else layer(values)
            )
        values = values * self.cutoff.double()[:, None]
        sharper = torch.diff(values, n=2, dim=0) / 6
        return values[2:-2] - sharper[1:-1] + torch.diff(sharper, n=2, dim=0) / 6

    def forward(self, distance: Tensor, bins: Bins) -> Tensor:
        """[n_pairs] to [n_pairs, n]."""
        return _Interpolate.apply(self.coefficients(), distance, bins, 0)
