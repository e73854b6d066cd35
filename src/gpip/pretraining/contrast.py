"""Contrast with a 3D net, GPIP Eq. 6: features that agree with those of a net which sees nothing but distances.

The 3D net follows Stärk et al. (3D Infomax, ICML 2022), with the sizes of the public GPIP code, on the neighbours
within a cutoff instead of all pairs: those of a liquid are too many, and beyond half a box mean little.
"""

import torch
from torch import Tensor, nn

from gpip.config.pretraining import ContrastTask
from gpip.graphs.graph import Graph
from gpip.models.blocks.messages import sides_of


def fourier_encoding(distances: Tensor, n_fourier: int) -> Tensor:
    """sin and cos of d/2^k for k < n_fourier, and d itself: [n_edges, 2 n_fourier + 1] from [n_edges]."""
    scaled = distances.unsqueeze(1) / 2.0 ** torch.arange(n_fourier).to(distances)
    return torch.cat([scaled.sin(), scaled.cos(), distances.unsqueeze(1)], dim=1)


class Net3D(nn.Module):
    """Per-atom codes from interatomic distances, one layer of messages.

    Every atom starts from the same learned vector, so the message of a pair depends on its distance alone and is the
    same in both directions.
    """

    def __init__(self, task: ContrastTask):
        super().__init__()
        width, self.n_fourier = task.n_features, task.n_fourier
        self.start = nn.Parameter(torch.randn(width))
        self.message = nn.Sequential(
            *(nn.Linear(2 * task.n_fourier + 1, width), nn.SiLU(), nn.BatchNorm1d(width)),
            *(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()),
        )
        self.gate = nn.Linear(width, 1)
        self.update = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, graph: Graph) -> Tensor:
        """[n_atoms, n_features]. Only positions, cell and edges of `graph` are read, never the species."""
        distances = graph.pair_vectors().norm(dim=1)
        messages = self.message(fourier_encoding(distances, self.n_fourier))
        messages = messages * torch.sigmoid(self.gate(messages))
        sides = sides_of(graph)
        total = sides.centre.total(messages) + sides.neighbour.total(messages)
        n_neighbours = torch.bincount(graph.edge_index[0], minlength=graph.n_atoms).clamp(min=1)
        return self.start + self.update(total / n_neighbours.unsqueeze(1))


def graph_readout(atoms: Tensor, graph: Graph) -> Tensor:
    """Minimum, maximum and mean over the atoms of each graph: [n_graphs, 3 n_features]."""
    index = graph.atom_graph.unsqueeze(1).expand_as(atoms)
    shape = (graph.n_graphs, atoms.shape[1])
    parts = [
        atoms.new_zeros(shape).scatter_reduce(0, index, atoms, reduce=how, include_self=False)
        for how in ("amin", "amax", "mean")
    ]
    return torch.cat(parts, dim=1)


class Contrast(nn.Module):
    """The 3D net and the two projections whose outputs are compared."""

    def __init__(self, task: ContrastTask, n_features: int):
        super().__init__()
        self.level, self.temperature = task.level, task.temperature
        parts = 3 if task.level == "graph" else 1
        self.net3d = Net3D(task)
        self.project_3d = nn.Linear(parts * task.n_features, task.n_output)
        self.project_backbone = nn.Sequential(
            nn.Linear(parts * n_features, n_features), nn.SiLU(), nn.Linear(n_features, task.n_output)
        )

    def forward(self, features: Tensor, graph: Graph, clean: Graph) -> Tensor:
        """The loss from backbone features [n_atoms, n_features] and the clean configuration's distances."""
        distances_only = self.net3d(clean)
        if self.level == "graph":
            features, distances_only = graph_readout(features, graph), graph_readout(distances_only, clean)
        return info_nce(self.project_backbone(features), self.project_3d(distances_only), self.temperature)


def info_nce(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """-mean_i log(exp(s_ii/τ) / Σ_{k≠i} exp(s_ik/τ)), s the cosine similarity; both [n, n_output] (GPIP Eq. 6)."""
    similarity = nn.functional.normalize(ours, dim=1) @ nn.functional.normalize(theirs, dim=1).T / temperature
    own = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    return (torch.logsumexp(similarity.masked_fill(own, float("-inf")), dim=1) - similarity.diagonal()).mean()
