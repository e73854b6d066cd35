"""What every backbone is: a map from a graph to features of its atoms."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gpip.core.species import N_SPECIES
from gpip.graphs.graph import Graph
from gpip.models.blocks.scales import Scale


class Features(NamedTuple):
    """What a backbone knows of each atom."""

    scalars: Tensor
    """[n_atoms, n_features], invariant."""
    vectors: Tensor | None = None
    """[n_atoms, 3, n_features], equivariant; None where the model has none."""
    displacement: Tensor | None = None
    """[n_atoms, 3], angstrom: how far the model moved each atom; None where it moves none."""


NoiseReadout = Literal["gradient", "vectors", "coordinates"]
"""Slope of the energy, gated blocks on the vectors, or the displacement of the atoms."""


class Backbone(nn.Module, ABC):
    """Base of the networks. What one knows about an element comes through `graph.species` alone."""

    noise_readout: ClassVar[NoiseReadout]
    """How Wang et al. (2023, Sec. 2.4) read predicted noise from this model."""

    def __init__(self, n_features: int, cutoff_angstrom: float) -> None:
        super().__init__()
        self.n_features = n_features
        self.cutoff_angstrom = cutoff_angstrom

    @abstractmethod
    def forward(self, graph: Graph) -> Features:
        """Features of the atoms of a graph whose edges reach to `cutoff_angstrom`."""

    @torch.no_grad()
    def fit_scales(self, graph: Graph) -> None:
        """Fit each `Scale` without a given factor to a few configurations, one after the other as they are met.

        Once, before training; networks without such factors stay as they are.
        """
        scales = [module for module in self.modules() if isinstance(module, Scale) and not module.is_given]
        if not scales:
            return
        for scale in scales:
            scale.fitting = True
        try:
            self(graph)
        finally:
            for scale in scales:
                scale.fitting = False


class SpeciesEmbedding(nn.Embedding):
    """Learned vectors of [MASK] and the elements, [n_atoms] to [n_atoms, n_features].

    Entries have unit variance over features, whatever their number.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__(N_SPECIES, n_features)

    def forward(self, species: Tensor) -> Tensor:
        # One row per element as a product with one-hot rows would cost more; index_select is deterministic.
        return torch.index_select(self.weight, 0, species)
