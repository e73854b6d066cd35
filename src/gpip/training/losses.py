"""Energy and force loss of fine-tuning, GPIP Eq. 7."""

import torch
from torch import Tensor

from gpip.graphs.graph import Graph


def energy_loss(predicted: Tensor, reference: Tensor) -> Tensor:
    """Mean over graphs of (E - Ê)², eV²."""
    return torch.mean((predicted - reference) ** 2).float()


def force_loss(predicted: Tensor, reference: Tensor, graph: Graph) -> Tensor:
    """Mean over graphs of 1/n Σ_i |F_i - F̂_i|², (eV/Å)². Every graph counts the same, whatever its size."""
    squared = ((predicted - reference) ** 2).sum(dim=1)
    n_atoms = torch.bincount(graph.atom_graph, minlength=graph.n_graphs)
    return (squared / n_atoms[graph.atom_graph]).sum() / graph.n_graphs
