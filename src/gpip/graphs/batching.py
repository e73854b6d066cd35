"""Frames to one graph."""

from collections.abc import Sequence

import numpy as np
import torch

from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.graphs.graph import Graph
from gpip.graphs.neighbours import Edges, find_edges, lattice_offsets

MAX_ATOMIC_NUMBER = 94


def graph_from_frames(frames: Sequence[Frame], cutoff_angstrom: float, dtype: torch.dtype = torch.float32) -> Graph:
    """A batch of frames of any sizes, with and without a box.

    Positions are moved into the cell by whole lattice vectors, which keeps single precision exact enough for
    trajectories that drifted far.

    Raises:
        InputError: no frame, positions that are not finite, an unknown element, a degenerate cell.
    """
    if not frames:
        raise InputError("a graph needs at least one frame")
    positions, edges = [], []
    for index, frame in enumerate(frames):
        check_species(frame.species, f"frame {index}")
        try:
            offset = lattice_offsets(frame.positions, frame.cell, frame.pbc)
            positions.append(np.asarray(frame.positions, dtype=np.float64) - offset)
            edges.append(find_edges(positions[-1], frame.cell, frame.pbc, cutoff_angstrom))
        except InputError as error:
            raise InputError(f"frame {index} of the batch{_named(frame)}: {error}") from None
    return assemble(
        np.concatenate([frame.species for frame in frames]),
        np.concatenate(positions),
        np.stack([frame.cell for frame in frames]),
        edges,
        [frame.n_atoms for frame in frames],
        dtype,
    )


def assemble(
    species: np.ndarray,
    positions: np.ndarray,
    cells: np.ndarray,
    edges: Sequence[Edges],
    n_atoms: Sequence[int],
    dtype: torch.dtype,
) -> Graph:
    """One graph of configurations whose edges are known, each in its own numbering of atoms."""
    first_atom = np.concatenate([[0], np.cumsum(n_atoms)])
    first_edge = np.concatenate([[0], np.cumsum([len(part.shift) for part in edges])])
    edge_index = np.concatenate(
        [part.edge_index + start for part, start in zip(edges, first_atom, strict=False)], axis=1
    )
    reverse = np.concatenate([part.reverse_edge + start for part, start in zip(edges, first_edge, strict=False)])
    return Graph(
        species=torch.from_numpy(np.asarray(species).astype(np.int64)),
        positions=torch.from_numpy(positions).to(dtype),
        cell=torch.from_numpy(np.asarray(cells, dtype=np.float64)).to(dtype),
        edge_index=torch.from_numpy(edge_index),
        edge_shift=torch.from_numpy(np.concatenate([part.shift for part in edges])).to(dtype),
        atom_graph=torch.from_numpy(np.repeat(np.arange(len(n_atoms)), n_atoms)),
        n_graphs=len(n_atoms),
        reverse_edge=torch.from_numpy(reverse),
    )


def check_species(species: np.ndarray, where: str) -> None:
    """Raise InputError unless every atomic number is one that networks have an embedding for."""
    species = np.asarray(species)
    bad = species[(species < 1) | (species > MAX_ATOMIC_NUMBER)]
    if len(bad):
        raise InputError(f"{where}: atomic number {int(bad[0])}; networks know 1 to {MAX_ATOMIC_NUMBER}")


def _named(frame: Frame) -> str:
    return f" (system {frame.system!r})" if frame.system else ""
