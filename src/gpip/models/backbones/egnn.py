"""EGNN (Satorras, Hoogeboom, Welling, ICML 2021)."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.messages import Sides, edge_sides, gather, total
from gpip.models.blocks.radial import GaussianBasis, cosine_cutoff
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding

SILU_GAIN = 1 / 0.6
"""Keeps the variance of a normal input."""
SMALLEST_ANGSTROM = 1e-4
"""Keeps distances differentiable where atoms were moved onto each other."""


def _keeping_variance(module: nn.Module) -> None:
    """Where weights and moves, which have one output, start is left alone."""
    if isinstance(module, nn.Linear) and module.out_features > 1:
        nn.init.xavier_normal_(module.weight, SILU_GAIN)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Layer(nn.Module):
    """Eq. 3 to 6 and 8: messages between neighbours change their features and move them.

    With `n_radial`, the message of two atoms is multiplied by a linear map of a radial basis of their distance, and
    the squared distance, which Eq. 3 has beside the features, is left out. Weights then start so that activations keep
    the variance of what they act on; started as in the authors' code, what comes from neighbours is a thousandth of
    what an atom is.
    """

    def __init__(
        self,
        n_features: int,
        n_radial: int,
        attention: bool,
        normalized: bool,
        bounded: bool,
        softening_angstrom: float,
    ) -> None:
        super().__init__()
        self.n_features, self.normalized, self.bounded = n_features, normalized, bounded
        self.softening = softening_angstrom
        self.ends = nn.Linear(2 * n_features + (n_radial == 0), n_features)
        self.message = nn.Sequential(nn.SiLU(), nn.Linear(n_features, n_features), nn.SiLU())
        self.filter = nn.Linear(n_radial, n_features, bias=False) if n_radial else None
        self.attention = nn.Linear(n_features, 1) if attention else None
        self.move = nn.Sequential(nn.Linear(n_features, n_features), nn.SiLU(), nn.Linear(n_features, 1, bias=False))
        # As in the authors' code: atoms hardly move at first.
        nn.init.xavier_uniform_(self.move[2].weight, gain=0.001)
        self.update = nn.Sequential(nn.Linear(2 * n_features, n_features), nn.SiLU(), nn.Linear(n_features, n_features))
        if n_radial:
            self.apply(_keeping_variance)

    def forward(
        self,
        scalars: Tensor,
        vectors: Tensor,
        basis: GaussianBasis | None,
        envelope: Tensor | None,
        share: Tensor,
        scale: Tensor | None,
        sides: Sides,
    ) -> tuple[Tensor, Tensor]:
        """Changes of scalars [n_atoms, n_features] and of positions [n_atoms, 3].

        Args:
            vectors: [n_edges, 3] from each centre to its neighbour, as far as they have moved by now.
            basis: Of the distance; None where the squared distance is used.
            envelope: [n_edges, 1], or None for one.
            share: [n_atoms, 1] what each neighbour counts in a mean.
            scale: [n_atoms, 1] of the sum of messages, or None for one.
        """
        distance2 = vectors.square().sum(1, keepdim=True)
        # The first linear map is taken apart, so that its larger blocks act on atoms instead of edges.
        of_centre, of_neighbour, of_distance = self.ends.weight.tensor_split([self.n_features, 2 * self.n_features], 1)
        centre = gather(nn.functional.linear(scalars, of_centre, self.ends.bias), sides.centre)
        messages = centre + gather(nn.functional.linear(scalars, of_neighbour), sides.neighbour)
        if basis is None or self.filter is None:
            messages = self.message(messages + distance2 * of_distance.T)
        else:
            messages = self.message(messages) * self.filter(basis((distance2 + SMALLEST_ANGSTROM**2).sqrt().squeeze(1)))
        if self.attention is not None:
            messages = messages * torch.sigmoid(self.attention(messages))
        weight = self.move(messages)
        if self.bounded:
            weight = torch.tanh(weight)
        if envelope is not None:
            messages, weight = messages * envelope, weight * envelope
        if self.normalized:
            weight = weight * (distance2 + self.softening**2).rsqrt()
        moved = -total(weight * vectors, sides.centre) * share
        neighbour_pairs = total(messages, sides.centre)
        neighbour_pairs = neighbour_pairs if scale is None else neighbour_pairs * scale
        return self.update(torch.cat([scalars, neighbour_pairs], 1)), moved


class EGNN(Backbone):
    """Messages from distances between atoms that each layer moves.

    Neighbours are those of the given configuration and stay so. Their vectors follow the atoms: the vector of the
    given configuration, with its periodic image, plus the difference of the two displacements. The envelope is that
    of the given distance, which makes energies smooth wherever atoms are moved to. The mean over neighbours divides
    by sqrt(1 + N^2), N the sum of the envelopes, instead of max(1, N); a scaled sum by the square root of that.
    """

    noise_readout: ClassVar[NoiseReadout] = "coordinates"

    def __init__(
        self,
        n_layers: int,
        n_features: int,
        n_radial: int,
        cutoff_angstrom: float,
        attention: bool,
        normalized: bool,
        bounded: bool,
        softening_angstrom: float,
        aggregation: Literal["scaled", "sum"],
        envelope: Literal["cosine", "none"],
    ) -> None:
        super().__init__(n_features, cutoff_angstrom)
        self.aggregation, self.envelope = aggregation, envelope
        self.embedding = SpeciesEmbedding(n_features)
        self.basis = GaussianBasis(n_radial, cutoff_angstrom) if n_radial else None
        self.layers = nn.ModuleList(
            Layer(n_features, n_radial, attention, normalized, bounded, softening_angstrom) for _ in range(n_layers)
        )

    def forward(self, graph: Graph) -> Features:
        given, sides = graph.edge_vectors(), edge_sides(graph)
        envelope, share = self._weights(given, sides)
        scale = share.sqrt() if self.aggregation == "scaled" else None
        scalars = self.embedding(graph.species)
        displacement, vectors = given.new_zeros(graph.n_atoms, 3), given
        for index, layer in enumerate(self.layers):
            if index:
                vectors = given + gather(displacement, sides.neighbour) - gather(displacement, sides.centre)
            change, moved = layer(scalars, vectors, self.basis, envelope, share, scale, sides)
            scalars, displacement = scalars + change, displacement + moved
        return Features(scalars, displacement=displacement)

    def _weights(self, given: Tensor, sides: Sides) -> tuple[Tensor | None, Tensor]:
        """Envelope of each edge, and what an edge counts in the mean of its centre."""
        if self.envelope == "none":
            n_neighbours = total(torch.ones_like(given[:, :1]), sides.centre)
            return None, n_neighbours.clamp(min=1).reciprocal()
        envelope = cosine_cutoff(given.square().sum(1, keepdim=True).sqrt(), self.cutoff_angstrom)
        return envelope, (1 + total(envelope, sides.centre).square()).rsqrt()
