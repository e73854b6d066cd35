"""Radial basis functions and cutoff of the interatomic distance."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def cosine_cutoff(distance: Tensor, cutoff_angstrom: float) -> Tensor:
    """(1 + cos(pi r / r_c)) / 2, zero beyond the cutoff (Behler 2011, Eq. 4)."""
    inside = distance.clamp(max=cutoff_angstrom)
    return 0.5 * (torch.cos(inside * (math.pi / cutoff_angstrom)) + 1.0)


class GaussianBasis(nn.Module):
    """Gaussians at equal steps from zero to the cutoff, as wide as the step (Schütt et al. 2018, Eq. 10)."""

    def __init__(self, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, cutoff_angstrom, n_radial))
        step = cutoff_angstrom / max(n_radial - 1, 1)
        self.exponent = -0.5 / step**2

    def forward(self, distance: Tensor) -> Tensor:
        """[n] to [n, n_radial]."""
        return torch.exp(self.exponent * (distance[:, None] - self.centres).square())


class BesselBasis(nn.Module):
    """sin(n pi r / r_c) / r for n = 1, 2, ... (Schütt et al. 2021, Sec. 3.2, without learned frequencies)."""

    def __init__(self, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__()
        self.cutoff_angstrom = cutoff_angstrom
        self.register_buffer("frequencies", torch.arange(1, n_radial + 1) * (math.pi / cutoff_angstrom))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "BesselBasis":
        """In double precision frequencies are made anew, not those of single precision with zeros behind."""
        before = self.frequencies.dtype
        super()._apply(fn, recurse)
        if self.frequencies.dtype != before and self.frequencies.dtype == torch.float64:
            orders = torch.arange(1, len(self.frequencies) + 1, dtype=torch.float64, device=self.frequencies.device)
            self.frequencies = orders * (math.pi / self.cutoff_angstrom)
        return self

    def forward(self, distance: Tensor) -> Tensor:
        """[n] to [n, n_radial]."""
        return self.frequencies * torch.sinc(distance[:, None] * (self.frequencies / math.pi))


class ExpNormalBasis(nn.Module):
    """exp(-beta (exp(-5 r / r_c) - mu)^2) with learned mu and beta (Unke, Meuwly 2019, Eq. 7; Thölke 2022, Eq. 2).

    They start at equal steps of the inner exponential from e^-r_c to one, with r_c in angstrom as in the authors' code.
    """

    def __init__(self, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__()
        self.decay = 5.0 / cutoff_angstrom
        first = math.exp(-cutoff_angstrom)
        self.means = nn.Parameter(torch.linspace(first, 1.0, n_radial))
        self.betas = nn.Parameter(torch.full((n_radial,), (2 / n_radial * (1 - first)) ** -2))

    def forward(self, distance: Tensor) -> Tensor:
        """[n] to [n, n_radial], in the precision of the distance."""
        means, betas = self.means.to(distance.dtype), self.betas.to(distance.dtype)
        return torch.exp(-betas * (torch.exp(-self.decay * distance[:, None]) - means).square())
