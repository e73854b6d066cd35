"""Frames to one graph."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.graphs.graph import Graph
from gpip.graphs.neighbours import Edges, find_edges, lattice_offsets

MAX_ATOMIC_NUMBER = 94
MEMORY_LIMIT_BYTES = 256 * 2**20
"""Of neighbours that are kept for a whole training: 500 boxes of 192 atoms, 40,000 molecules of 9."""


class Located(NamedTuple):
    """A frame as a graph has it."""

    positions: np.ndarray
    """[n_atoms, 3], float64, angstrom, inside the cell."""
    edges: Edges

    @property
    def n_bytes(self) -> int:
        return self.positions.nbytes + sum(part.nbytes for part in self.edges)


def graph_from_frames(frames: Sequence[Frame], cutoff_angstrom: float, dtype: torch.dtype = torch.float32) -> Graph:
    """A batch of frames of any sizes, with and without a box.

    Positions are moved into the cell by whole lattice vectors, which keeps single precision exact enough for
    trajectories that drifted far.

    Raises:
        InputError: no frame, positions that are not finite, an unknown element, a degenerate cell.
    """
    return _joined(frames, [_located(frame, cutoff_angstrom, i) for i, frame in enumerate(frames)], dtype)


class FrameGraphs:
    """The graphs of `graph_from_frames` for frames that never change: neighbours are sought once a frame.

    Args:
        frames: What batches are chosen from.
        cutoff_angstrom: Of the network.
        memory_limit_bytes: Neighbours are kept up to this much; those of further frames are sought every time.
    """

    def __init__(
        self, frames: Sequence[Frame], cutoff_angstrom: float, memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    ) -> None:
        self.frames, self.cutoff_angstrom, self.memory_limit_bytes = frames, cutoff_angstrom, memory_limit_bytes
        self.n_bytes = 0
        self._kept: dict[int, Located] = {}

    def __call__(self, indices: Sequence[int]) -> tuple[list[Frame], Graph]:
        """The frames of these indices, and their graph."""
        frames = [self.frames[int(index)] for index in indices]
        located = [
            self._find(int(index), number, frame)
            for number, (index, frame) in enumerate(zip(indices, frames, strict=True))
        ]
        return frames, _joined(frames, located, torch.float32)

    def _find(self, index: int, number: int, frame: Frame) -> Located:
        if index in self._kept:
            return self._kept[index]
        found = _located(frame, self.cutoff_angstrom, number)
        if self.n_bytes + found.n_bytes <= self.memory_limit_bytes:
            self._kept[index] = found
            self.n_bytes += found.n_bytes
        return found


def _located(frame: Frame, cutoff_angstrom: float, number: int) -> Located:
    """Positions in the cell and edges of the frame with this number in the batch."""
    check_species(frame.species, f"frame {number}")
    try:
        offset = lattice_offsets(frame.positions, frame.cell, frame.pbc)
        positions = np.asarray(frame.positions, dtype=np.float64) - offset
        return Located(positions, find_edges(positions, frame.cell, frame.pbc, cutoff_angstrom))
    except InputError as error:
        raise InputError(f"frame {number} of the batch{_named(frame)}: {error}") from None


def _joined(frames: Sequence[Frame], located: Sequence[Located], dtype: torch.dtype) -> Graph:
    if not frames:
        raise InputError("a graph needs at least one frame")
    return assemble(
        np.concatenate([frame.species for frame in frames]),
        np.concatenate([one.positions for one in located]),
        np.stack([frame.cell for frame in frames]),
        [one.edges for one in located],
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
