"""SchNet (Schütt, Sauceda, Kindermans, Tkatchenko, Müller, J. Chem. Phys. 148, 241722, 2018)."""

import math
from typing import ClassVar

from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.dense import dense
from gpip.models.blocks.neighbour_sums import NeighbourPairs, neighbour_sum
from gpip.models.blocks.radial import GaussianBasis
from gpip.models.blocks.splines import RadialFilter, SplineBins
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding

BINS_PER_GAUSSIAN = 5


class ShiftedSoftplus(nn.Module):
    """ln(e^x / 2 + 1 / 2), zero at zero (Eq. 12)."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.softplus(x) - math.log(2.0)


class Interaction(nn.Module):
    """Continuous-filter convolution between two atom-wise layers (Fig. 2, middle and right)."""

    def __init__(self, n_features: int, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__()
        network = nn.Sequential(dense(n_radial, n_features), ShiftedSoftplus(), dense(n_features, n_features))
        basis = GaussianBasis(n_radial, cutoff_angstrom)
        self.filter = RadialFilter(basis, network, cutoff_angstrom, BINS_PER_GAUSSIAN * n_radial)
        self.before = dense(n_features, n_features, bias=False)
        self.after = nn.Sequential(dense(n_features, n_features), ShiftedSoftplus(), dense(n_features, n_features))

    def forward(self, scalars: Tensor, neighbour_pairs: NeighbourPairs) -> Tensor:
        sums = neighbour_sum(self.filter.coefficients(), self.before(scalars)[:, None], neighbour_pairs)
        return self.after(sums.squeeze(1))


class SchNet(Backbone):
    """Invariant features from continuous-filter convolutions."""

    noise_readout: ClassVar[NoiseReadout] = "gradient"

    def __init__(self, n_layers: int, n_features: int, n_radial: int, cutoff_angstrom: float) -> None:
        super().__init__(n_features, cutoff_angstrom)
        self.embedding = SpeciesEmbedding(n_features)
        self.n_bins = BINS_PER_GAUSSIAN * n_radial
        self.interactions = nn.ModuleList(Interaction(n_features, n_radial, cutoff_angstrom) for _ in range(n_layers))

    def forward(self, graph: Graph) -> Features:
        distance = graph.pair_vectors().square().sum(-1).sqrt()
        neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, self.cutoff_angstrom, self.n_bins))
        scalars = self.embedding(graph.species)
        for interaction in self.interactions:
            scalars = scalars + interaction(scalars, neighbour_pairs)
        return Features(scalars)
