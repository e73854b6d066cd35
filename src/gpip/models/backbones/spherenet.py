"""SphereNet (Liu, Wang, Liu, Lin, Zhang, Oztekin, Ji, ICLR 2022)."""

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from gpip.graphs.graph import Graph
from gpip.models.blocks.edge_rows import EdgeRows
from gpip.models.blocks.spherical import (
    SphericalBesselBasis,
    azimuthal_parts,
    frames_along,
    polar_parts,
    polynomial_envelope,
)
from gpip.models.interface import Backbone, Features, SpeciesEmbedding


class Geometry(NamedTuple):
    """What all blocks know of the configuration. A triplet is k -> j -> i; its edges are rows of j."""

    graph: Graph
    edge_rows: EdgeRows
    radial: Tensor
    """[n_edges, n_radial] of the distance, enveloped."""
    bessel: Tensor
    """[n_edges, n_spherical, n_radial] of the distance."""
    angular: Tensor
    """[n_atoms, n_slots of i, n_slots of k * n_spherical * n_torsional]."""


def glorot_orthogonal_(weight: Tensor) -> Tensor:
    """Random orthogonal rows of variance 2 / (n_in + n_out)."""
    nn.init.orthogonal_(weight)
    with torch.no_grad():
        variance = weight.var() if weight.numel() > 1 else weight.square().mean()
        return weight.mul_((2.0 / (sum(weight.shape) * variance)).sqrt())


class Linear(nn.Linear):
    """With that start, and a bias of zero."""

    def reset_parameters(self) -> None:
        glorot_orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Residual(nn.Module):
    """x + two layers of x."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Linear(n, n), nn.SiLU(), Linear(n, n), nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class RadialBasis(nn.Module):
    """Envelope * sin(w_n r / r_c) * r_c / r with learned frequencies w_n, at first n pi; [n] to [n, n_radial]."""

    def __init__(self, n_radial: int, cutoff_angstrom: float, envelope_exponent: int) -> None:
        super().__init__()
        self.cutoff_angstrom, self.exponent = cutoff_angstrom, envelope_exponent
        self.frequencies = nn.Parameter(torch.arange(1, n_radial + 1) * math.pi)

    def forward(self, distance: Tensor) -> Tensor:
        scaled = distance[:, None] / self.cutoff_angstrom
        # In the authors' code the exponent is that of the envelope times r_c / r.
        return polynomial_envelope(scaled, self.exponent + 1) / scaled * torch.sin(self.frequencies * scaled)


class EdgeEmbedding(nn.Module):
    """Features of an edge from those of its atoms and its length."""

    def __init__(self, n_features: int, n_radial: int) -> None:
        super().__init__()
        self.radial = nn.Linear(n_radial, n_features)
        self.mix = nn.Linear(3 * n_features, n_features)
        self.to_atom = Linear(n_radial, n_features, bias=False)

    def forward(self, atoms: Tensor, radial: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
        centre, neighbour = graph.edge_index
        parts = [atoms.index_select(0, centre), atoms.index_select(0, neighbour), silu(self.radial(radial))]
        edges = silu(self.mix(torch.cat(parts, -1)))
        return edges, self.to_atom(radial) * edges


class Filter(nn.Module):
    """Two linear maps of (radial function * angular function), without the angular functions.

    Gives, for each edge, what each of the angular functions is to be multiplied by: [n_edges, n_angular, n].

    Args:
        degree: [n_angular] order of the Bessel functions that go with each angular function.
    """

    def __init__(self, degree: Tensor, n_radial: int, n_basis: int, n_features: int) -> None:
        super().__init__()
        self.degree = degree.tolist()
        self.down = Linear(len(degree) * n_radial, n_basis, bias=False)
        self.up = Linear(n_basis, n_features, bias=False)

    def forward(self, bessel: Tensor) -> Tensor:
        weight = self.down.weight.unflatten(1, (len(self.degree), -1))
        return self.up(torch.einsum("eln,bln->elb", bessel[:, self.degree], weight))


class Interaction(nn.Module):
    """Messages k -> j to j -> i, with the angle between them and the torsion."""

    def __init__(
        self,
        n_features: int,
        n_triplet: int,
        n_radial: int,
        n_basis: int,
        degrees: tuple[Tensor, Tensor],
        n_before: int,
        n_after: int,
    ) -> None:
        super().__init__()
        n = n_features
        self.radial = nn.Sequential(Linear(n_radial, n_basis, bias=False), Linear(n_basis, n, bias=False))
        self.angle, self.torsion = (Filter(degree, n_radial, n_basis, n_triplet) for degree in degrees)
        self.of_source, self.of_itself = Linear(n, n), Linear(n, n)
        self.down, self.up = Linear(n, n_triplet, bias=False), Linear(n_triplet, n, bias=False)
        self.before = nn.Sequential(*(Residual(n) for _ in range(n_before)))
        self.mix = Linear(n, n)
        self.after = nn.Sequential(*(Residual(n) for _ in range(n_after)))
        self.to_atom = Linear(n_radial, n, bias=False)

    def forward(self, edges: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        x = silu(self.down(silu(self.of_source(edges)) * self.radial(geometry.radial)))
        x = silu(self.up(self._over_triplets(x, geometry)))
        x = self.before(silu(self.of_itself(edges)) + x)
        edges = self.after(silu(self.mix(x)) + edges)
        return edges, self.to_atom(geometry.radial) * edges

    def _over_triplets(self, x: Tensor, geometry: Geometry) -> Tensor:
        """sum_k x_kj * angle filter * torsion filter. Both filters are sums over few angular functions, so that
        the sum over k is one product of matrices for each atom j, and nothing has the size n_triplets * n."""
        factors = self.angle(geometry.bessel)[:, :, None] * self.torsion(geometry.bessel)[:, None]
        sources = geometry.edge_rows.rows((factors * x[:, None, None]).flatten(1, 2)).flatten(1, 2)
        # Slots of j point away from j: the edge j -> i of the network is the reverse of the one in the slot.
        return geometry.edge_rows.edges(geometry.angular @ sources).index_select(0, geometry.graph.reverse_edge)


class Output(nn.Module):
    """Features of atoms from the messages to them, without the paper's last linear map."""

    def __init__(self, n_features: int, n_output: int, n_layers: int) -> None:
        super().__init__()
        layers = [Linear(n_features, n_output)]
        for _ in range(n_layers):
            layers += [Linear(n_output, n_output), nn.SiLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, messages: Tensor, graph: Graph) -> Tensor:
        total = messages.new_zeros(graph.n_atoms, messages.shape[1])
        return self.layers(total.index_add(0, graph.edge_index[0], messages))


class SphereNet(Backbone):
    """Directional messages along edges, with distance, angle and torsion of k -> j -> i.

    Features are the sum over the output blocks of what the paper maps to an energy by a last linear map.

    The torsion of k about the axis j -> i needs another neighbour q of j for its zero. The authors' code (DIG 1.1)
    takes the next one that is met when turning from k anticlockwise about the axis. That does not depend on the order
    of atoms, but energies jump when a neighbour enters or leaves the cutoff of j or when two exchange their turn;
    forces are undefined where i, j and k are in line; and mirror images differ in energy. (There, k itself is one of
    the candidates, at a full turn or, where rounding leaves 1e-17, at none: about every other torsion is lost so.)
    `torsion="dig"` does what is meant, for comparison only.

    `torsion="smooth"`, the default, measures k against every q != i. With the harmonics
    Y_lm = N_lm P_lm(cos theta) cos(m phi_kq), the factor sin^m(theta) cos(m phi_kq) becomes

        sum_q w_q sin^m(theta_k) sin^m(theta_q) cos(m phi_kq) / sqrt(1 + sum_q w_q^2),   m > 0,

    where w_q is the radial envelope of r_jq, and q = k is one of the terms. That is a polynomial of Cartesian
    components, needs no list of quadruplets because cos(m (a - b)) separates, and goes to zero with q. Terms in
    sin(m phi) would change sign in a mirror and are left out. The Bessel functions of a harmonic are those of its
    degree, as in the paper; DIG's code pairs them otherwise (the n-th harmonic with order n modulo the
    number of degrees), and so does `dig`.
    """

    noise_readout: ClassVar[Literal["gradient", "vectors"]] = "gradient"

    def __init__(
        self,
        n_layers: int,
        n_features: int,
        n_radial: int,
        cutoff_angstrom: float,
        n_spherical: int,
        n_triplet_features: int,
        n_basis_features: int,
        n_output_features: int,
        n_before_skip: int,
        n_after_skip: int,
        n_output_layers: int,
        envelope_exponent: int,
        torsion: Literal["smooth", "dig"],
    ) -> None:
        super().__init__(n_output_features, cutoff_angstrom)
        self.n_spherical, self.exponent, self.torsion = n_spherical, envelope_exponent, torsion
        self.embedding = SpeciesEmbedding(n_features)
        self.basis = RadialBasis(n_radial, cutoff_angstrom, envelope_exponent)
        self.bessel = SphericalBesselBasis(n_spherical, n_radial, cutoff_angstrom)
        self.edge_embedding = EdgeEmbedding(n_features, n_radial)
        if torsion == "dig":
            torsional = torch.arange(n_spherical**2) % n_spherical
        else:
            torsional = torch.tensor([degree for degree in range(n_spherical) for _ in range(degree + 1)])
        degrees = (torch.arange(n_spherical), torsional)
        sizes = (n_features, n_triplet_features, n_radial, n_basis_features, degrees, n_before_skip, n_after_skip)
        self.interactions = nn.ModuleList(Interaction(*sizes) for _ in range(n_layers))
        self.outputs = nn.ModuleList(
            Output(n_features, n_output_features, n_output_layers) for _ in range(n_layers + 1)
        )

    def forward(self, graph: Graph) -> Features:
        geometry = self._geometry(graph)
        edges, messages = self.edge_embedding(self.embedding(graph.species), geometry.radial, graph)
        scalars = self.outputs[0](messages, graph)
        for interaction, output in zip(self.interactions, self.outputs[1:], strict=True):
            edges, messages = interaction(edges, geometry)
            scalars = scalars + output(messages, graph)
        return Features(scalars)

    def _geometry(self, graph: Graph) -> Geometry:
        vectors = graph.edge_vectors()
        distance = vectors.square().sum(-1).sqrt()
        edge_rows = EdgeRows(graph)
        unit = vectors / distance[:, None]
        # Components [n_atoms, n_slots of i, n_slots of k] of the direction to k in a frame about that to i.
        sources = edge_rows.rows(unit).transpose(1, 2)
        x, y, z = (edge_rows.rows(axis) @ sources for axis in (*frames_along(unit), unit))
        others = edge_rows.others()
        polar = polar_parts(z, self.n_spherical)
        if self.torsion == "dig":
            torsional = _against_the_next(x, y, others, polar, self.n_spherical)
        else:
            weights = edge_rows.rows(polynomial_envelope(distance / self.cutoff_angstrom, self.exponent))
            torsional = _against_all(x, y, others, polar, weights, self.n_spherical)
        angle = torch.stack([polar[degree, 0] for degree in range(self.n_spherical)], -1) * others[..., None]
        angular = (angle[..., :, None] * torch.stack(torsional, -1)[..., None, :]).flatten(2)
        return Geometry(graph, edge_rows, self.basis(distance), self.bessel(distance), angular)


def _against_all(
    x: Tensor, y: Tensor, others: Tensor, polar: dict[tuple[int, int], Tensor], weights: Tensor, n: int
) -> list[Tensor]:
    """Torsional functions [n_atoms, n_slots, n_slots], orders m within degrees, of `torsion="smooth"`."""
    weights = weights[:, None, :] * others
    norm = (1.0 + weights.square().sum(-1, keepdim=True)).sqrt()
    turned = [torch.ones_like(x)]
    for real, imaginary in azimuthal_parts(x, y, n)[1:]:
        along, across = ((weights * part).sum(-1, keepdim=True) / norm for part in (real, imaginary))
        turned.append(real * along + imaginary * across)
    return [polar[degree, m] * turned[m] for degree in range(n) for m in range(degree + 1)]


def _against_the_next(
    x: Tensor, y: Tensor, others: Tensor, polar: dict[tuple[int, int], Tensor], n: int
) -> list[Tensor]:
    """Torsional functions [n_atoms, n_slots, n_slots] of `torsion="dig"`: m = 0, cosines, sines from the last m."""
    turn = torch.atan2(torch.where(others, y, 0.0), torch.where(others, x, 1.0)).masked_fill(~others, torch.inf)
    ordered, order = turn.sort(-1)
    n_others = others.sum(-1, keepdim=True)
    following = torch.cat([ordered[..., 1:], ordered[..., :1]], -1)
    last = torch.arange(x.shape[-1], device=x.device) == n_others - 1
    following = torch.where(last, ordered[..., :1] + 2 * math.pi, following)
    torsion = torch.where(others, following.gather(-1, order.argsort(-1)), 0.0) - torch.where(others, turn, 0.0)
    across = torch.where(others, x * x + y * y, 1.0).sqrt()
    parts = azimuthal_parts(across * torsion.cos(), across * torsion.sin(), n)
    functions = []
    for degree in range(n):
        functions += [polar[degree, m] * parts[m][0] for m in range(degree + 1)]
        functions += [polar[degree, m] * parts[m][1] for m in range(degree, 0, -1)]
    return functions
