"""The edges of each atom side by side, for sums over pairs of edges that meet in an atom (triplets)."""

import torch
from torch import Tensor

from gpip.graphs.graph import Graph


class EdgeRows:
    """Rows of edges, one row for each atom, as long as the longest.

    A triplet is an ordered pair of different edges with the same centre. Edges are told apart by their own index,
    not by their atoms, so an atom and its periodic images, or several images of one neighbour, are different ends.
    Sums over triplets are products of matrices [n_atoms, n_slots, n_slots]: nothing else has the size of triplets,
    and no list of them is made. Rows as long as the longest cost most where few atoms have many neighbours.
    """

    def __init__(self, graph: Graph) -> None:
        centre = graph.edge_index[0]
        n_edges = torch.bincount(centre, minlength=graph.n_atoms)
        first = torch.cumsum(n_edges, 0) - n_edges
        self.n_atoms = graph.n_atoms
        self.n_slots = max(int(n_edges.max()), 1)
        self.slot = centre * self.n_slots + torch.arange(graph.n_edges, device=centre.device) - first[centre]
        """[n_edges] in the rows one after the other."""

    def rows(self, values: Tensor) -> Tensor:
        """[n_edges, ...] to [n_atoms, n_slots, ...], zero where an atom has fewer edges."""
        empty = values.new_zeros(self.n_atoms * self.n_slots, *values.shape[1:])
        return empty.index_copy(0, self.slot, values).unflatten(0, (self.n_atoms, self.n_slots))

    def edges(self, rows: Tensor) -> Tensor:
        """[n_atoms, n_slots, ...] to [n_edges, ...]."""
        return rows.flatten(0, 1).index_select(0, self.slot)

    def others(self) -> Tensor:
        """[n_atoms, n_slots, n_slots] whether both slots have an edge and not the same."""
        filled = torch.zeros(self.n_atoms * self.n_slots, dtype=torch.bool, device=self.slot.device)
        filled = filled.index_fill(0, self.slot, True).unflatten(0, (self.n_atoms, self.n_slots))
        same = torch.eye(self.n_slots, dtype=torch.bool, device=self.slot.device)
        return filled[:, :, None] & filled[:, None, :] & ~same
