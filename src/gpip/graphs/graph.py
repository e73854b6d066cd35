"""The graph that networks take: a batch of configurations with directed, periodic edges."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Each pair of neighbours once, where a graph has it in both directions."""

    centre: Tensor
    """[n_pairs] int64."""
    neighbour: Tensor
    """[n_pairs] int64."""
    edge: Tensor
    """[n_pairs] int64: the edge centre -> neighbour."""
    of_edge: Tensor
    """[n_edges] int64: the pair of each edge."""


@dataclass(eq=False)
class Graph:
    """One or more configurations, in angstrom."""

    species: Tensor
    """[n_atoms] int64 atomic numbers; 0 is the [MASK] token."""
    positions: Tensor
    """[n_atoms, 3]."""
    cell: Tensor
    """[n_graphs, 3, 3], rows are lattice vectors; zero without a box."""
    edge_index: Tensor
    """[2, n_edges] int64: centre i, neighbour j, sorted by centre; both directions are there."""
    edge_shift: Tensor
    """[n_edges, 3] whole lattice vectors, in the dtype of positions."""
    atom_graph: Tensor
    """[n_atoms] int64, sorted: the configuration of each atom."""
    n_graphs: int
    reverse_edge: Tensor
    """[n_edges] int64: index of the edge (j, i, -shift)."""
    _pairs: Pairs | None = field(default=None, repr=False)

    @property
    def n_atoms(self) -> int:
        return len(self.species)

    @property
    def n_edges(self) -> int:
        return self.edge_index.shape[1]

    @property
    def atoms_per_graph(self) -> Tensor:
        """[n_graphs] int64."""
        return torch.bincount(self.atom_graph, minlength=self.n_graphs)

    @property
    def pairs(self) -> Pairs:
        """Each pair once; found at the first call."""
        if self._pairs is None:
            index = torch.arange(self.n_edges, device=self.reverse_edge.device)
            forward = index < self.reverse_edge
            edge = forward.nonzero().squeeze(1)
            rank = torch.cumsum(forward, 0) - 1
            of_edge = torch.where(forward, rank, rank[self.reverse_edge])
            self._pairs = Pairs(self.edge_index[0, edge], self.edge_index[1, edge], edge, of_edge)
        return self._pairs

    def edge_vectors(self) -> Tensor:
        """r_ij [n_edges, 3], from the centre to the image of the neighbour; differentiable."""
        return self._vectors(self.edge_index[0], self.edge_index[1], self.edge_shift)

    def pair_vectors(self) -> Tensor:
        """r_ij [n_pairs, 3] of `pairs`; differentiable."""
        return self._vectors(self.pairs.centre, self.pairs.neighbour, self.edge_shift[self.pairs.edge])

    def _vectors(self, centre: Tensor, neighbour: Tensor, shift: Tensor) -> Tensor:
        vectors = self.positions.index_select(0, neighbour) - self.positions.index_select(0, centre)
        if self.n_graphs == 1:
            return vectors + shift @ self.cell[0]
        cell = self.cell.index_select(0, self.atom_graph[centre])
        return vectors + torch.einsum("es,esx->ex", shift, cell)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Graph":
        """The graph on a device; `dtype` is that of positions, cell and edge_shift."""
        moved = {}
        for name in (
            "species",
            "positions",
            "cell",
            "edge_index",
            "edge_shift",
            "atom_graph",
            "reverse_edge",
        ):
            tensor = getattr(self, name)
            moved[name] = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)
        pairs = None if self._pairs is None else Pairs(*(part.to(device=device) for part in self._pairs))
        return dataclasses.replace(self, **moved, _pairs=pairs)

    def replace(self, **changes: Any) -> "Graph":
        """A copy with some fields changed; the others are shared."""
        if changes.keys() & {"edge_index", "reverse_edge"}:
            changes["_pairs"] = None
        return dataclasses.replace(self, **changes)
