"""GemNet-T (Gasteiger, Becker, Günnemann, NeurIPS 2021), the variant without quadruplets."""

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.edge_rows import EdgeRows
from gpip.models.blocks.radial import GaussianBasis
from gpip.models.blocks.scales import Scale
from gpip.models.blocks.spherical import polynomial_envelope, real_harmonics
from gpip.models.interface import Backbone, Features, SpeciesEmbedding

SILU_GAIN = 1 / 0.6
"""Keeps the variance of a normal input."""
HALF = 1 / math.sqrt(2.0)
"""Keeps the variance of a sum of two."""


def he_orthogonal_(weight: Tensor, n_in: int) -> None:
    """Random orthogonal rows, each made mean-free with variance 1 / n_in (Gasteiger et al. 2021)."""
    nn.init.orthogonal_(weight)
    if n_in > 1:
        with torch.no_grad():
            variance, mean = torch.var_mean(weight, dim=(0, 1) if weight.ndim == 3 else 1, keepdim=True)
            weight.sub_(mean).div_((variance + 1e-6).sqrt() * math.sqrt(n_in))


class Dense(nn.Linear):
    """Linear map without bias, then SiLU scaled to keep the variance."""

    def __init__(self, n_in: int, n_out: int, activation: bool = True) -> None:
        self.activation = activation
        super().__init__(n_in, n_out, bias=False)

    def reset_parameters(self) -> None:
        he_orthogonal_(self.weight, self.in_features)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.linear(x, self.weight)
        return scaled_silu(x) if self.activation else x


def scaled_silu(x: Tensor) -> Tensor:
    return nn.functional.silu(x) * SILU_GAIN


class Residual(nn.Module):
    """(x + two dense layers of x) / sqrt 2."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(Dense(n, n), Dense(n, n))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.layers(x)) * HALF


def residuals(n: int, n_layers: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(n) for _ in range(n_layers)))


class Geometry(NamedTuple):
    """What all blocks know of the configuration."""

    graph: Graph
    edge_rows: EdgeRows
    harmonics: list[Tensor]
    """Of the directions of edges, in rows [n_atoms, n_slots, 2 l + 1]."""
    circular: Tensor
    """[n_edges, n_cbf, n_spherical]."""
    for_triplets: Tensor
    """[n_edges, n_rbf], as the next two."""
    for_atoms: Tensor
    for_output: Tensor


class RadialBasis(nn.Module):
    """Enveloped functions of the distance, [n] to [n, n_radial].

    `bessel`: sqrt(2 / r_c) sin(n pi r / r_c) / r with learned frequencies (the paper's);
    `gaussian`: fixed, at equal steps (Fu et al., TMLR 2023, for water).
    """

    def __init__(
        self, kind: Literal["bessel", "gaussian"], n_radial: int, cutoff_angstrom: float, envelope_exponent: int
    ) -> None:
        super().__init__()
        self.cutoff_angstrom, self.exponent = cutoff_angstrom, envelope_exponent
        if kind == "gaussian":
            self.gaussians = GaussianBasis(n_radial, cutoff_angstrom)
        else:
            self.frequencies = nn.Parameter(torch.arange(1, n_radial + 1) * math.pi)

    def forward(self, distance: Tensor) -> Tensor:
        scaled = distance / self.cutoff_angstrom
        envelope = polynomial_envelope(scaled, self.exponent)[:, None]
        if hasattr(self, "gaussians"):
            return envelope * self.gaussians(distance)
        waves = torch.sin(self.frequencies * scaled[:, None]) / distance[:, None]
        return envelope * waves * math.sqrt(2.0 / self.cutoff_angstrom)


class EdgeUpdate(nn.Module):
    """A dense layer of the features of neighbour, centre and edge side by side."""

    def __init__(self, n_atom: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.dense = Dense(2 * n_atom + n_in, n_out)
        self.sizes = [n_atom, n_atom, n_in]

    def forward(self, atoms: Tensor, edges: Tensor, graph: Graph) -> Tensor:
        # The atoms' share is worked out once per atom, not once per edge.
        of_neighbour, of_centre, of_edge = self.dense.weight.split(self.sizes, dim=1)
        centre, neighbour = graph.edge_index
        total = nn.functional.linear(edges, of_edge)
        total = total + nn.functional.linear(atoms, of_neighbour).index_select(0, neighbour)
        total = total + nn.functional.linear(atoms, of_centre).index_select(0, centre)
        return scaled_silu(total)


class AtomUpdate(nn.Module):
    """Sum of the messages to an atom, then dense layers; also the output block without its last linear map."""

    def __init__(self, n_atom: int, n_edge: int, n_rbf: int, n_layers: int, scale: float | None) -> None:
        super().__init__()
        self.scale = Scale(scale)
        self.radial = Dense(n_rbf, n_edge, activation=False)
        self.layers = nn.Sequential(Dense(n_edge, n_atom), residuals(n_atom, n_layers))

    def forward(self, messages: Tensor, radial: Tensor, graph: Graph) -> Tensor:
        weighted = messages * self.radial(radial)
        total = weighted.new_zeros(graph.n_atoms, weighted.shape[1]).index_add(0, graph.edge_index[0], weighted)
        return self.layers(self.scale(total, messages))


class Triplets(nn.Module):
    """Efficient bilinear layer over all edges b-a beside an edge c-a.

    The angle enters by Legendre polynomials. Their addition theorem, P_l(u.v) = 4 pi / (2l + 1) sum_m Y_lm(u) Y_lm(v),
    turns the sum over triplets into a sum over the edges of an atom, then one term per edge: the same numbers, at a
    cost linear in edges. The edge itself is taken out again.
    """

    def __init__(
        self,
        n_edge: int,
        n_triplet: int,
        n_bilinear: int,
        n_rbf: int,
        n_cbf: int,
        scale_radial: float | None,
        scale_triplets: float | None,
    ) -> None:
        super().__init__()
        self.scale_radial, self.scale_sum = Scale(scale_radial), Scale(scale_triplets)
        self.before = Dense(n_edge, n_edge)
        self.radial = Dense(n_rbf, n_edge, activation=False)
        self.down = Dense(n_edge, n_triplet)
        self.bilinear = nn.Parameter(torch.empty(n_triplet, n_cbf, n_bilinear))
        he_orthogonal_(self.bilinear, n_triplet * n_cbf)
        self.up = Dense(n_bilinear, n_edge)
        self.up_reverse = Dense(n_bilinear, n_edge)

    def forward(self, messages: Tensor, geometry: Geometry) -> Tensor:
        x = self.before(messages)
        x = self.down(self.scale_radial(x * self.radial(geometry.for_triplets), x))
        mixed = geometry.circular @ angular_sums(x, geometry.harmonics, geometry.edge_rows)
        x = self.scale_sum(mixed.transpose(1, 2).flatten(1) @ self.bilinear.flatten(0, 1), x)
        return (self.up(x) + self.up_reverse(x).index_select(0, geometry.graph.reverse_edge)) * HALF


def angular_sums(x: Tensor, harmonics: list[Tensor], edge_rows: EdgeRows) -> Tensor:
    """sum over b != c of Y_l0(angle between c-a and b-a) x_ba, [n_edges, n] to [n_edges, n_spherical, n].

    Args:
        x: Of the edges.
        harmonics: Of the edges' directions, in rows [n_atoms, n_slots, 2 l + 1].
        stars: The rows.
    """
    rows, sums = edge_rows.rows(x), []
    for degree, functions in enumerate(harmonics):
        total = functions @ (functions.transpose(1, 2) @ rows)
        itself = math.sqrt((2 * degree + 1) / (4 * math.pi))
        sums.append(edge_rows.edges(total) / itself - itself * x)
    return torch.stack(sums, 1)


class Interaction(nn.Module):
    """Update of the features of edges and atoms."""

    def __init__(
        self,
        n_atom: int,
        n_edge: int,
        triplets: Triplets,
        atoms: AtomUpdate,
        n_before: int,
        n_after: int,
        n_concat: int,
    ) -> None:
        super().__init__()
        self.triplets, self.atoms = triplets, atoms
        self.skip = Dense(n_edge, n_edge)
        self.before, self.after = residuals(n_edge, n_before), residuals(n_edge, n_after)
        self.concat, self.last = EdgeUpdate(n_atom, n_edge, n_edge), residuals(n_edge, n_concat)

    def forward(self, atoms: Tensor, messages: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        x = self.before((self.skip(messages) + self.triplets(messages, geometry)) * HALF)
        messages = self.after((messages + x) * HALF)
        atoms = (atoms + self.atoms(messages, geometry.for_atoms, geometry.graph)) * HALF
        x = self.last(self.concat(atoms, messages, geometry.graph))
        return atoms, (messages + x) * HALF


class GemNetT(Backbone):
    """Directional messages along edges, with the angles between pairs of edges at their common atom.

    Features are the sum over the output blocks of what the paper maps to an energy by a last linear map, so that an
    atom without neighbours has zero features. One radial basis serves distances and triplets, where the authors' code
    has two alike. Forces are the slope of the energy (GemNet-T, not dT).

    Scaling factors keep variances through each block: `scale_radial` after the product with the radial basis,
    `scale_triplets` after the sum over triplets, `scale_atoms` after the sum over the edges of an atom. They are fitted
    to some of the configurations that a fresh network is trained on; a number given instead is that of all blocks.
    """

    noise_readout: ClassVar[Literal["gradient", "vectors"]] = "gradient"

    def __init__(
        self,
        n_layers: int,
        n_features: int,
        n_radial: int,
        cutoff_angstrom: float,
        n_spherical: int,
        n_edge_features: int,
        n_triplet_features: int,
        n_bilinear_features: int,
        n_rbf_features: int,
        n_cbf_features: int,
        n_before_skip: int,
        n_after_skip: int,
        n_concat: int,
        n_atom_layers: int,
        radial_basis: Literal["bessel", "gaussian"],
        envelope_exponent: int,
        scale_radial: float | None,
        scale_triplets: float | None,
        scale_atoms: float | None,
    ) -> None:
        super().__init__(n_features, cutoff_angstrom)
        n_edge = n_edge_features
        self.n_spherical = n_spherical
        self.embedding = SpeciesEmbedding(n_features)
        self.basis = RadialBasis(radial_basis, n_radial, cutoff_angstrom, envelope_exponent)
        self.edge_embedding = EdgeUpdate(n_features, n_radial, n_edge)
        self.radial_for_triplets = Dense(n_radial, n_rbf_features, activation=False)
        self.radial_for_atoms = Dense(n_radial, n_rbf_features, activation=False)
        self.radial_for_output = Dense(n_radial, n_rbf_features, activation=False)
        self.circular = nn.Parameter(torch.empty(n_spherical, n_radial, n_cbf_features))
        he_orthogonal_(self.circular, n_spherical * n_radial)

        def atoms() -> AtomUpdate:
            return AtomUpdate(n_features, n_edge, n_rbf_features, n_atom_layers, scale_atoms)

        def triplets() -> Triplets:
            sizes = (n_edge, n_triplet_features, n_bilinear_features, n_rbf_features, n_cbf_features)
            return Triplets(*sizes, scale_radial, scale_triplets)

        self.interactions = nn.ModuleList(
            Interaction(n_features, n_edge, triplets(), atoms(), n_before_skip, n_after_skip, n_concat)
            for _ in range(n_layers)
        )
        self.outputs = nn.ModuleList(atoms() for _ in range(n_layers + 1))

    def forward(self, graph: Graph) -> Features:
        vectors = graph.edge_vectors()
        distance = vectors.square().sum(-1).sqrt()
        edge_rows, basis = EdgeRows(graph), self.basis(distance)
        geometry = Geometry(
            graph,
            edge_rows,
            harmonics=real_harmonics(edge_rows.rows(vectors / distance[:, None]), self.n_spherical),
            circular=torch.einsum("en,lnc->ecl", basis, self.circular),
            for_triplets=self.radial_for_triplets(basis),
            for_atoms=self.radial_for_atoms(basis),
            for_output=self.radial_for_output(basis),
        )
        atoms = self.embedding(graph.species)
        messages = self.edge_embedding(atoms, basis, graph)
        scalars = self.outputs[0](messages, geometry.for_output, graph)
        for interaction, output in zip(self.interactions, self.outputs[1:], strict=True):
            atoms, messages = interaction(atoms, messages, geometry)
            scalars = scalars + output(messages, geometry.for_output, graph)
        return Features(scalars)
