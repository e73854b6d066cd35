"""PaiNN (Schütt, Unke, Gastegger, ICML 2021)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.dense import dense
from gpip.models.blocks.neighbour_sums import NeighbourPairs, bond_sum, neighbour_sum
from gpip.models.blocks.norms import smooth_norm
from gpip.models.blocks.radial import BesselBasis
from gpip.models.blocks.splines import LinearFilters, SplineBins, TableCache
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding

BINS_PER_WAVE = 8
"""Intervals of the filters' splines for each Bessel function; see the test for their error."""


class Message(nn.Module):
    """Eq. 7 and 8: neighbours send scalars, their vectors, and their scalars along the bond."""

    def __init__(self, n_features: int, n_radial: int) -> None:
        super().__init__()
        self.phi = nn.Sequential(dense(n_features, n_features), nn.SiLU(), dense(n_features, 3 * n_features))
        self.filter = dense(n_radial, 3 * n_features)
        self.tables = TableCache()

    def forward(
        self,
        scalars: Tensor,
        vectors: Tensor | None,
        filters: LinearFilters,
        unit: Tensor,
        neighbour_pairs: NeighbourPairs,
    ) -> tuple[Tensor, Tensor]:
        """Changes of scalars and vectors. `vectors` None stands for zero, before the first layer."""
        tables = self.tables((self.filter.weight, self.filter.bias), lambda: filters(self.filter).chunk(3, dim=1))
        phi = self.phi(scalars).chunk(3, dim=1)
        change = neighbour_sum(tables[0], phi[0][:, None], neighbour_pairs).squeeze(1)
        change_of_vectors = bond_sum(tables[1], phi[1], unit, neighbour_pairs)
        if vectors is not None:
            change_of_vectors = change_of_vectors + neighbour_sum(tables[2], phi[2][:, None] * vectors, neighbour_pairs)
        return change, change_of_vectors


class Update(nn.Module):
    """Eq. 9 and 10: scalars and vectors of one atom exchange what they know."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.mix = dense(n_features, 2 * n_features, bias=False)
        self.gate = nn.Sequential(dense(2 * n_features, n_features), nn.SiLU(), dense(n_features, 3 * n_features))

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        u, v = self.mix(vectors).chunk(2, dim=-1)
        gates = self.gate(torch.cat([scalars, smooth_norm(v)], -1)).chunk(3, dim=-1)
        return gates[0] + gates[1] * (u * v).sum(1), gates[2][:, None] * u


class PaiNN(Backbone):
    """Equivariant vector features beside the invariant ones."""

    noise_readout: ClassVar[NoiseReadout] = "vectors"

    def __init__(self, n_layers: int, n_features: int, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__(n_features, cutoff_angstrom)
        self.embedding = SpeciesEmbedding(n_features)
        basis = BesselBasis(n_radial, cutoff_angstrom)
        self.filters = LinearFilters(basis, cutoff_angstrom, BINS_PER_WAVE * n_radial)
        self.messages = nn.ModuleList(Message(n_features, n_radial) for _ in range(n_layers))
        # The filters of all layers begin as one layer, as in the authors' code.
        parts = dense(n_radial, n_layers * 3 * n_features).weight.detach().chunk(n_layers)
        for message, part in zip(self.messages, parts, strict=True):
            message.filter.weight.data.copy_(part)
        self.updates = nn.ModuleList(Update(n_features) for _ in range(n_layers))

    def forward(self, graph: Graph) -> Features:
        difference = graph.pair_vectors()
        distance = difference.square().sum(-1).sqrt()
        unit = difference / distance[:, None]
        neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, self.cutoff_angstrom, self.filters.n_bins))
        scalars = self.embedding(graph.species)
        vectors = None
        for message, update in zip(self.messages, self.updates, strict=True):
            ds, dv = message(scalars, vectors, self.filters, unit, neighbour_pairs)
            scalars, vectors = scalars + ds, dv if vectors is None else vectors + dv
            ds, dv = update(scalars, vectors)
            scalars, vectors = scalars + ds, vectors + dv
        return Features(scalars, vectors)
