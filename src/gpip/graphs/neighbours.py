"""Pairs of atoms within a cutoff, periodic images included; the engine is vesin."""

from typing import NamedTuple

import numpy as np
import vesin

from gpip.core.errors import InputError


class Edges(NamedTuple):
    """Directed edges sorted by centre, then neighbour; every edge stands beside its reverse."""

    edge_index: np.ndarray
    """[2, n_edges] int64: centre i, neighbour j."""
    shift: np.ndarray
    """[n_edges, 3] int64 whole lattice vectors: r_ij = positions[j] - positions[i] + shift @ cell."""
    reverse_edge: np.ndarray
    """[n_edges] int64: index of the edge (j, i, -shift)."""


def find_edges(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_angstrom: float) -> Edges:
    """All edges shorter than the cutoff, of positions [n_atoms, 3] in a cell [3, 3] with pbc [3].

    Each pair is found once and written in both directions, so the edge set is symmetric to the last bit.
    An atom is a neighbour of its own images. Atoms may lie outside the cell.

    Raises:
        InputError: positions are not finite, or a periodic direction has no lattice vector.
    """
    positions = np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3)
    cell, pbc = np.asarray(cell, dtype=np.float64), np.broadcast_to(np.asarray(pbc, dtype=bool), 3)
    _check_finite(positions)
    periodic = cell[pbc]
    if np.linalg.matrix_rank(periodic) < len(periodic):
        raise InputError(f"periodic directions {pbc.tolist()} need independent lattice vectors, got {cell.tolist()}")
    engine = vesin.NeighborList(cutoff=cutoff_angstrom, full_list=False, n_threads=1)
    centre, neighbour, shift = engine.compute(positions, cell, pbc, "ijS")
    centre, neighbour, shift = (part.astype(np.int64) for part in (centre, neighbour, shift))
    n_pairs, n_atoms = len(centre), len(positions)
    edge_index = np.stack([np.concatenate([centre, neighbour]), np.concatenate([neighbour, centre])])
    order = np.argsort(edge_index[0] * n_atoms + edge_index[1], kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(2 * n_pairs)
    reverse_edge = rank[np.where(order < n_pairs, order + n_pairs, order - n_pairs)]
    return Edges(edge_index[:, order], np.concatenate([shift, -shift])[order], reverse_edge)


def neighbour_list(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_angstrom: float
) -> tuple[np.ndarray, np.ndarray]:
    """edge_index [2, n_edges] sorted by centre and shift [n_edges, 3] of `find_edges`."""
    return find_edges(positions, cell, pbc, cutoff_angstrom)[:2]


def reverse_edges(edge_index: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Index [n_edges] of the edge (j, i, -shift) of each edge (i, j, shift), for edges in any order.

    Raises:
        InputError: an edge is there in one direction only.
    """
    forward = np.column_stack([edge_index.T, shift])
    backward = np.column_stack([edge_index[::-1].T, -shift])
    by_forward, by_backward = np.lexsort(forward.T), np.lexsort(backward.T)
    if not np.array_equal(forward[by_forward], backward[by_backward]):
        raise InputError("edges are not symmetric: some edge (i, j, shift) has no edge (j, i, -shift)")
    reverse = np.empty(len(forward), dtype=np.int64)
    reverse[by_forward] = by_backward
    return reverse


def lattice_offsets(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Lattice vectors [n_atoms, 3], Cartesian, to take from positions so that they lie inside the cell."""
    positions = np.asarray(positions, dtype=np.float64)
    _check_finite(positions)
    periodic = np.where(np.broadcast_to(pbc, 3)[:, None], cell, 0.0)
    return np.floor(positions @ np.linalg.pinv(periodic)) @ periodic


def _check_finite(positions: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        raise InputError(f"positions of {len(bad)} atoms are not finite, the first is atom {bad[0]}")
