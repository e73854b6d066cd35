"""Neighbour lists that live for several MD steps."""

import numpy as np
import torch
from torch import Tensor

from gpip.core.errors import InputError
from gpip.graphs.batching import assemble, check_species
from gpip.graphs.graph import Graph, Pairs
from gpip.graphs.neighbours import find_edges, lattice_offsets


class SkinNeighbours:
    """Graphs of replicas of one system, from a list with a skin.

    The list is built on the CPU with cutoff + skin and kept until an atom has moved half the skin.
    Edges beyond the cutoff are left out at every call, so the graph always has the edges of a fresh list.

    Args:
        species: [n_atoms] atomic numbers, the same in each replica.
        cells: [n_replicas, 3, 3], angstrom.
        pbc: [3].
        cutoff_angstrom: Of the network.
        skin_angstrom: Larger means fewer builds and more edges to sort out.
        dtype: Of the graph's positions.
    """

    def __init__(
        self,
        species: np.ndarray,
        cells: np.ndarray,
        pbc: np.ndarray,
        cutoff_angstrom: float,
        skin_angstrom: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if skin_angstrom < 0:
            raise InputError(f"skin_angstrom: {skin_angstrom}, expected zero or more")
        check_species(species, "species")
        self.species, self.pbc = np.asarray(species), np.broadcast_to(np.asarray(pbc, dtype=bool), 3)
        self.cells = np.asarray(cells, dtype=np.float64).reshape(-1, 3, 3)
        self.cutoff_angstrom, self.skin_angstrom, self.dtype = cutoff_angstrom, skin_angstrom, dtype
        self.n_builds = 0
        self._wide: Graph | None = None

    def graph(self, positions: np.ndarray | Tensor) -> Graph:
        """The graph of positions [n_replicas, n_atoms, 3], on their device.

        Positions are moved into the cell by whole lattice vectors.

        Raises:
            InputError: wrong shape, or positions that are not finite.
        """
        positions = torch.as_tensor(positions).detach()
        expected = (len(self.cells), len(self.species), 3)
        if positions.shape != expected:
            raise InputError(f"positions: shape {tuple(positions.shape)}, expected {expected}")
        if self._outdated(positions):
            self._build(positions)
        wide = self._wide.replace(positions=(positions - self._offset).to(self.dtype).reshape(-1, 3))
        return _within(wide, self.cutoff_angstrom)

    def _outdated(self, positions: Tensor) -> bool:
        if self._wide is None or self._reference.device != positions.device:
            return True
        moved = (positions - self._reference).square().sum(-1).max()
        # Written so that positions which are not a number count as moved: the build then names the atom.
        return not bool(moved < (0.5 * self.skin_angstrom) ** 2)

    def _build(self, positions: Tensor) -> None:
        offset, edges = [], []
        for replica, (cell, given) in enumerate(zip(self.cells, positions.double().cpu().numpy(), strict=True)):
            try:
                offset.append(lattice_offsets(given, cell, self.pbc))
                wide = self.cutoff_angstrom + self.skin_angstrom
                edges.append(find_edges(given - offset[-1], cell, self.pbc, wide))
            except InputError as error:
                raise InputError(f"replica {replica}: {error}") from None
        n_replicas, n_atoms = positions.shape[:2]
        self._wide = assemble(
            np.tile(self.species, n_replicas),
            np.zeros((n_replicas * n_atoms, 3)),
            self.cells,
            edges,
            [n_atoms] * n_replicas,
            self.dtype,
        ).to(positions.device)
        assert self._wide.pairs.edge.shape[0] * 2 == self._wide.n_edges
        self._offset = torch.from_numpy(np.stack(offset)).to(positions)
        self._reference = positions.clone()
        self.n_builds += 1


def _within(wide: Graph, cutoff_angstrom: float) -> Graph:
    """The same graph without the edges beyond the cutoff."""
    near_pair = wide.pair_vectors().square().sum(-1) < cutoff_angstrom**2
    near = near_pair[wide.pairs.of_edge]
    rank, pair_rank = torch.cumsum(near, 0) - 1, torch.cumsum(near_pair, 0) - 1
    pairs = Pairs(
        wide.pairs.centre[near_pair],
        wide.pairs.neighbour[near_pair],
        rank[wide.pairs.edge[near_pair]],
        pair_rank[wide.pairs.of_edge[near]],
    )
    return wide.replace(
        edge_index=wide.edge_index[:, near],
        edge_shift=wide.edge_shift[near],
        reverse_edge=rank[wide.reverse_edge[near]],
    ).replace(_pairs=pairs)
