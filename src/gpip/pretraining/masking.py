"""Masking and restoring elements, GPIP Eq. 4.

The mask acts on `Graph.species`, the one place from which a backbone learns an element, so that no part of a backbone
can see what is hidden. The decoder re-masks the latent codes and restores from the neighbours.
"""

import torch
from torch import Tensor, nn

from gpip.config.pretraining import MaskTask
from gpip.graphs.graph import Graph
from gpip.models.backbones.schnet import BINS_PER_GAUSSIAN
from gpip.models.blocks.neighbour_sums import NeighbourPairs, neighbour_sum
from gpip.models.blocks.radial import GaussianBasis
from gpip.models.blocks.splines import RadialFilter, SplineBins

MASK = 0
"""Species index of the [MASK] token."""


def mask_species(
    species: Tensor, elements: Tensor, task: MaskTask, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hide a fraction `rate` of the atoms, at least one.

    Args:
        species: atomic numbers, [n_atoms].
        elements: atomic numbers to draw random elements from, [n_elements].

    Returns:
        A copy of `species` with the masked atoms as [MASK] or, a few of them, as a random element; and the indices of
        the masked atoms, [n_masked].
    """
    n_masked = max(1, round(task.rate * len(species)))
    masked = torch.randperm(len(species), generator=generator)[:n_masked]
    shown = torch.full((n_masked,), MASK, dtype=species.dtype)
    swapped = torch.rand(n_masked, generator=generator) < task.random_element_fraction
    drawn = elements[torch.randint(len(elements), (n_masked,), generator=generator)]
    shown[swapped] = drawn[swapped]
    hidden = species.clone()
    hidden[masked] = shown
    return hidden, masked


class Decoder(nn.Module):
    """Restores what was masked from the latent codes of the neighbours: one continuous-filter convolution.

    The codes of the masked atoms are replaced by a learned [DMASK] token first. Without the convolution every masked
    atom would look the same.
    """

    def __init__(self, n_features: int, n_targets: int, cutoff_angstrom: float, n_radial: int = 20):
        super().__init__()
        self.cutoff_angstrom, self.n_bins = cutoff_angstrom, BINS_PER_GAUSSIAN * n_radial
        self.remask_token = nn.Parameter(torch.randn(n_features) * n_features**-0.5)
        self.into = nn.Linear(n_features, n_features)
        network = nn.Sequential(nn.Linear(n_radial, n_features), nn.SiLU(), nn.Linear(n_features, n_features))
        self.filter = RadialFilter(GaussianBasis(n_radial, cutoff_angstrom), network, cutoff_angstrom, self.n_bins)
        self.out = nn.Sequential(nn.Linear(2 * n_features, n_features), nn.SiLU(), nn.Linear(n_features, n_targets))

    def forward(self, codes: Tensor, masked: Tensor, graph: Graph) -> Tensor:
        """Restored features [n_masked, n_targets] of the atoms `masked` from latent codes [n_atoms, n_features]."""
        codes = self.into(codes).index_copy(0, masked, self.remask_token.expand(len(masked), -1))
        distances = graph.pair_vectors().detach().norm(dim=1)
        neighbour_pairs = NeighbourPairs(graph, SplineBins(distances, self.cutoff_angstrom, self.n_bins))
        gathered = neighbour_sum(self.filter.coefficients(), codes[:, None], neighbour_pairs).squeeze(1)
        return self.out(torch.cat([codes[masked], gathered[masked]], dim=1))


def scaled_cosine_error(restored: Tensor, original: Tensor, exponent: float) -> Tensor:
    """Mean of (1 - cos(x, x̂))^γ over the masked atoms, GPIP Eq. 4. Both [n_masked, n_targets]."""
    cosine = nn.functional.cosine_similarity(restored, original, dim=1)
    return torch.clamp(1 - cosine, min=1e-8).pow(exponent).mean()
