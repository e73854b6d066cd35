"""Radial and angular functions of three and four atoms: Bessel functions, harmonics, envelope.

Angular functions are polynomials of Cartesian components, so that derivatives of every order are finite, also where
three atoms are in line.
"""

import functools
import math

import torch
from torch import Tensor, nn

BISECTIONS = 60


def polynomial_envelope(scaled: Tensor, exponent: int) -> Tensor:
    """1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2) of x = r / r_c, zero beyond 1.

    It ends with two derivatives (Gasteiger, Groß, Günnemann, ICLR 2020).
    """
    p, x = exponent, scaled.clamp(max=1.0)
    return 1.0 + x**p * (p * (p + 2) * x - (p + 1) * (p + 2) / 2 - p * (p + 1) / 2 * x * x)


def spherical_bessel(x: Tensor, n_orders: int) -> list[Tensor]:
    """j_0(x) ... by upward recursion, in double precision: it loses digits where x is small against the order."""
    x = x.double()
    values = [torch.sinc(x / math.pi)]
    if n_orders > 1:
        values.append((values[0] - torch.cos(x)) / x)
    for order in range(2, n_orders):
        values.append((2 * order - 1) / x * values[-1] - values[-2])
    return values


@functools.cache
def bessel_zeros(n_orders: int, n_zeros: int) -> Tensor:
    """The first zeros of j_0, j_1, ..., [n_orders, n_zeros] float64. Those of j_(l-1) enclose those of j_l."""
    known = torch.arange(1, n_zeros + n_orders, dtype=torch.float64) * math.pi
    zeros = [known[:n_zeros]]
    for order in range(1, n_orders):
        low, high = known[:-1].clone(), known[1:].clone()
        rising = spherical_bessel(high, order + 1)[order] > 0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            beyond = (spherical_bessel(middle, order + 1)[order] > 0) == rising
            low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
        known = (low + high) / 2
        zeros.append(known[:n_zeros])
    return torch.stack(zeros)


class SphericalBesselBasis(nn.Module):
    """sqrt(2) / |j_(l+1)(z_ln)| * j_l(z_ln r / r_c), where z_ln are the zeros of j_l (Gasteiger et al., ICLR 2020)."""

    def __init__(self, n_orders: int, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__()
        zeros = bessel_zeros(n_orders, n_radial)
        norms = [spherical_bessel(zeros[order], order + 2)[order + 1].abs() for order in range(n_orders)]
        self.n_orders, self.cutoff_angstrom = n_orders, cutoff_angstrom
        self.zeros, self.factors = zeros, math.sqrt(2.0) / torch.stack(norms)

    def forward(self, distance: Tensor) -> Tensor:
        """[n] to [n, n_orders, n_radial]."""
        self.zeros, self.factors = self.zeros.to(distance.device), self.factors.to(distance.device)
        x = (distance.double() / self.cutoff_angstrom)[:, None, None] * self.zeros
        values = [spherical_bessel(x[:, order], order + 1)[order] for order in range(self.n_orders)]
        return (torch.stack(values, 1) * self.factors).to(distance.dtype)


def polar_parts(z: Tensor, n_degrees: int) -> dict[tuple[int, int], Tensor]:
    """N_lm P_lm(z) / sin^m of real harmonics of degrees l < n_degrees and orders 0 <= m <= l, by (l, m).

    z is the cosine of the polar angle. Multiplied by `azimuthal_parts` they are orthonormal on the sphere.
    """
    parts = {(0, 0): torch.ones_like(z)}
    for m in range(n_degrees):
        if m:
            parts[m, m] = (1 - 2 * m) * parts[m - 1, m - 1]
        if m + 1 < n_degrees:
            parts[m + 1, m] = (2 * m + 1) * z * parts[m, m]
        for degree in range(m + 2, n_degrees):
            below = (2 * degree - 1) * z * parts[degree - 1, m] - (degree + m - 1) * parts[degree - 2, m]
            parts[degree, m] = below / (degree - m)
    return {key: _norm(*key) * parts[key] for key in sorted(parts)}


def azimuthal_parts(x: Tensor, y: Tensor, n_orders: int) -> list[tuple[Tensor, Tensor]]:
    """Real and imaginary part of (x + iy)^m, which are sin^m cos(m phi) and sin^m sin(m phi), for m < n_orders."""
    parts = [(torch.ones_like(x), torch.zeros_like(x))]
    for _ in range(1, n_orders):
        real, imaginary = parts[-1]
        parts.append((x * real - y * imaginary, x * imaginary + y * real))
    return parts


def real_harmonics(unit: Tensor, n_degrees: int) -> list[Tensor]:
    """Orthonormal real spherical harmonics of directions [..., 3]: one tensor [..., 2 l + 1] for each degree l."""
    x, y, z = unit.unbind(-1)
    polar, azimuthal = polar_parts(z, n_degrees), azimuthal_parts(x, y, n_degrees)
    degrees = []
    for degree in range(n_degrees):
        functions = [polar[degree, 0]]
        for m in range(1, degree + 1):
            functions += [polar[degree, m] * part for part in azimuthal[m]]
        degrees.append(torch.stack(functions, -1))
    return degrees


def frames_along(unit: Tensor) -> tuple[Tensor, Tensor]:
    """Two directions [n, 3] each that make a right-handed frame with the given ones as its third axis.

    Which ones is arbitrary and jumps; they are for quantities that do not depend on the choice.
    """
    axis = nn.functional.one_hot(unit.detach().abs().argmin(-1), 3).to(unit.dtype)
    across = axis - (axis * unit).sum(-1, keepdim=True) * unit
    first = across / across.square().sum(-1, keepdim=True).sqrt()
    return first, torch.linalg.cross(unit, first)


def _norm(degree: int, m: int) -> float:
    ratio = math.factorial(degree - m) / math.factorial(degree + m)
    return math.sqrt((2 if m else 1) * (2 * degree + 1) / (4 * math.pi) * ratio)
