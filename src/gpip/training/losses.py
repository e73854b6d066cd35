"""Energy and force loss of fine-tuning: GPIP Eq. 7, or the same of errors that are not squared."""

import torch
from torch import Tensor

from gpip.config.optimization import LossKind

SMALL_EV_PER_ANGSTROM = 1e-6
"""Keeps the slope of the norm of an error finite where the error is zero."""


def energy_loss(predicted: Tensor, reference: Tensor, kind: LossKind = "squared") -> Tensor:
    """Mean over graphs of (E - Ê)² in eV², or of |E - Ê| in eV."""
    error = predicted - reference
    return torch.mean(error**2 if kind == "squared" else error.abs()).float()


def force_loss(predicted: Tensor, reference: Tensor, atoms_per_graph: Tensor, kind: LossKind = "squared") -> Tensor:
    """Mean over graphs of 1/n Σ_i |F_i - F̂_i|² in (eV/Å)², or of 1/n Σ_i |F_i - F̂_i| in eV/Å.

    Every graph counts the same, whatever its size. The norm of the error of a force, unlike the sum of its absolute
    components, does not depend on the axes.

    Args:
        predicted, reference: forces [n_atoms, 3].
        atoms_per_graph: [n_graphs] int64.
        kind: of the loss.
    """
    of_atoms = ((predicted - reference) ** 2).sum(dim=1)
    if kind == "absolute":
        of_atoms = (of_atoms + SMALL_EV_PER_ANGSTROM**2).sqrt()
    n_graphs = len(atoms_per_graph)
    weights = (1 / atoms_per_graph).repeat_interleave(atoms_per_graph, output_size=len(of_atoms))
    return (of_atoms * weights).sum() / n_graphs
