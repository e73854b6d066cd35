"""PaiNN (Schütt, Unke, Gastegger, ICML 2021)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding
from gpip.models.messages import Sides, bond_sum, pair_sum, sides_of
from gpip.models.norms import smooth_norm
from gpip.models.radial import BesselBasis, cosine_cutoff


class Message(nn.Module):
    """Eq. 7 and 8: neighbours send scalars, their vectors, and their scalars along the bond."""

    def __init__(self, n_features: int, n_radial: int) -> None:
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(n_features, n_features), nn.SiLU(), nn.Linear(n_features, 3 * n_features))
        self.filter = nn.Linear(n_radial, 3 * n_features)

    def forward(
        self,
        scalars: Tensor,
        vectors: Tensor | None,
        radial: Tensor,
        cutoff: Tensor,
        unit: Tensor,
        sides: Sides,
    ) -> tuple[Tensor, Tensor]:
        """Changes of scalars and vectors. `vectors` None stands for zero, before the first layer."""
        filters = (self.filter(radial) * cutoff[:, None]).chunk(3, dim=-1)
        phi = self.phi(scalars).chunk(3, dim=-1)
        change = pair_sum(filters[0], phi[0], sides)
        change_of_vectors = bond_sum(filters[1], phi[1], unit, sides)
        if vectors is not None:
            turned = [pair_sum(filters[2], phi[2] * vectors[:, axis], sides) for axis in range(3)]
            change_of_vectors = change_of_vectors + torch.stack(turned, dim=1)
        return change, change_of_vectors


class Update(nn.Module):
    """Eq. 9 and 10: scalars and vectors of one atom exchange what they know."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.mix = nn.Linear(n_features, 2 * n_features, bias=False)
        self.gate = nn.Sequential(
            nn.Linear(2 * n_features, n_features), nn.SiLU(), nn.Linear(n_features, 3 * n_features)
        )

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
        self.basis = BesselBasis(n_radial, cutoff_angstrom)
        self.messages = nn.ModuleList(Message(n_features, n_radial) for _ in range(n_layers))
        self.updates = nn.ModuleList(Update(n_features) for _ in range(n_layers))

    def forward(self, graph: Graph) -> Features:
        difference = graph.pair_vectors()
        distance = difference.square().sum(-1).sqrt()
        radial, cutoff = self.basis(distance), cosine_cutoff(distance, self.cutoff_angstrom)
        unit = difference / distance[:, None]
        sides = sides_of(graph)
        scalars = self.embedding(graph.species)
        vectors = None
        for message, update in zip(self.messages, self.updates, strict=True):
            ds, dv = message(scalars, vectors, radial, cutoff, unit, sides)
            scalars, vectors = scalars + ds, dv if vectors is None else vectors + dv
            ds, dv = update(scalars, vectors)
            scalars, vectors = scalars + ds, vectors + dv
        return Features(scalars, vectors)
