"""Filters that are linear in a radial basis: as one table for many pairs, or worked out pair by pair for few.

A spline is linear in the values it goes through. So the filters of a pair are the same whether its spline is taken of
the filters, or of the basis before the filters are made of it; which is less work depends on the number of pairs.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gpip.models.splines import DEGREE, Bins, node_distances, spline_through

PAIRS_PER_BIN = 2
"""With more pairs, a table is less work; measured in training PaiNN 3 x 128."""


class PairBasis:
    """Splines of a basis at the distance of each pair; stands for `Bins` where coefficients are the linear map."""

    def __init__(self, bins: Bins, splines: Tensor) -> None:
        self.distance, self._bins, self._splines = bins.distance, bins, splines
        self.bin = torch.arange(len(bins.bin), device=bins.bin.device)
        self.n_rows = len(bins.bin) + DEGREE
        self._taps = self.distance.detach().new_zeros(len(self.bin), DEGREE + 1)
        self._taps[:, 0] = 1
        self._values: dict[int, Tensor] = {}

    def _basis(self, order: int) -> Tensor:
        """Derivative of some order, [n_pairs, n_basis]."""
        if order not in self._values:
            self._values[order] = self._bins.interpolate(self._splines, order)
        return self._values[order]

    def interpolate(self, coefficients: Tensor, order: int) -> Tensor:
        """Derivative of some order of the filters, [n_basis, n] to [n_pairs, n]. Not differentiable."""
        return self._basis(order) @ coefficients

    def collect(self, values: Tensor, order: int) -> Tensor:
        """The transpose of `interpolate`, [n_pairs, n] to [n_basis, n]. Not differentiable."""
        return self._basis(order).T @ values

    def zero_coefficients(self, like: Tensor) -> Tensor:
        """[n_basis, n], for as many functions as `like` [..., n] has."""
        return like.new_zeros(self._splines.shape[1], like.shape[-1])

    def taps(self, order: int) -> Tensor:
        """As of `Bins`: each pair has one row of its own."""
        return self._taps

    def rows(self, coefficients: Tensor, order: int) -> Tensor:
        """As of `Bins`."""
        rows = self.distance.new_zeros(self.n_rows, coefficients.shape[1])
        torch.mm(self._basis(order), coefficients, out=rows[: len(self.bin)])
        return rows

    def from_rows(self, rows: Tensor, order: int) -> Tensor:
        """As of `Bins`."""
        return self.collect(rows[: len(self.bin)], order)


class LinearFilters(nn.Module):
    """Filters linear(basis(r)) * cutoff(r) as splines, for a basis without weights.

    Args:
        basis: Of the distance; analytic at zero.
        cutoff_angstrom: Where filters end.
        n_bins: Intervals of the splines.
    """

    splines: Tensor

    def __init__(self, basis: nn.Module, cutoff_angstrom: float, n_bins: int) -> None:
        super().__init__()
        self.cutoff_angstrom, self.n_bins = cutoff_angstrom, n_bins
        distance = node_distances(n_bins, cutoff_angstrom)
        # Not clamped: the spline then follows the cosine to the very cutoff.
        cutoff = 0.5 * torch.cos(distance * (torch.pi / cutoff_angstrom)) + 0.5
        with torch.no_grad():
            values = torch.cat([copy.deepcopy(basis).double()(distance), torch.ones_like(distance)[:, None]], 1)
            self.register_buffer("splines", spline_through(values * cutoff[:, None]), persistent=False)

    def places(self, distance: Tensor) -> Bins | PairBasis:
        """How the filters of pairs at these distances [n_pairs] are had with the least work."""
        bins = Bins(distance, self.cutoff_angstrom, self.n_bins)
        return bins if len(distance) > PAIRS_PER_BIN * self.n_bins else PairBasis(bins, self.splines)

    def coefficients(self, layer: nn.Linear, places: Bins | PairBasis) -> Tensor:
        """Of the filters that a linear layer makes of the basis, as `places` needs them."""
        weights = torch.cat([layer.weight, layer.bias[:, None]], 1)
        return weights.T if isinstance(places, PairBasis) else self.splines @ weights.double().T

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LinearFilters":
        """Conversions such as `.float()` leave the splines of the basis in double precision."""
        kept = self.splines
        super()._apply(fn, recurse)
        self.splines = kept.to(self.splines.device)
        return self
