"""Reading classical trajectories: the HDF5 layout of mdtraj, without mdtraj."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers

from gpip.core.errors import InputError
from gpip.core.units import NM_TO_ANGSTROM


@dataclass(frozen=True)
class Trajectory:
    """Frames of one classical run."""

    species: np.ndarray
    """Atomic numbers, [n_atoms]."""
    molecule: np.ndarray
    """Index of the molecule that each atom belongs to, ascending from 0, [n_atoms]."""
    bonds: np.ndarray
    """[n_bonds, 2], indices of atoms."""
    time_ps: np.ndarray
    """[n_frames]"""
    positions: np.ndarray
    """[n_frames, n_atoms, 3], angstrom, molecules whole, not wrapped."""
    lengths: np.ndarray | None
    """Edges of the box, [n_frames, 3], angstrom; None without a box."""
    n_frames_in_file: int

    @property
    def n_frames(self) -> int:
        return len(self.positions)


def read_trajectory(path: str | Path, at_most: int | None = None, last_only: bool = False) -> Trajectory:
    """Frames of a trajectory written by `gpip.simulation`.

    Args:
        at_most: thin the frames evenly to no more than so many.
        last_only: the last frame alone.

    Raises:
        InputError: not such a file, no frames, or a box that is not rectangular.
    """
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5 ({error}): is it truncated? make it again") from None
    with file:
        missing = sorted({"coordinates", "topology", "time"} - set(file))
        if missing:
            raise InputError(f"{path}: {', '.join(missing)} missing, expected mdtraj's HDF5; make it again")
        n_frames = len(file["coordinates"])
        if not n_frames:
            raise InputError(f"{path} holds no frames: lengthen sampling.production_ps")
        step = -(-n_frames // at_most) if at_most else 1
        # Counted from the end: the frames that are kept are the best equilibrated ones.
        kept = slice(n_frames - 1, None) if last_only else slice((n_frames - 1) % step, None, step)
        species, molecule, bonds = _topology(json.loads(file["topology"][0]))
        return Trajectory(
            species=species,
            molecule=molecule,
            bonds=bonds,
            time_ps=file["time"][kept].astype(float),
            positions=file["coordinates"][kept] * np.float32(NM_TO_ANGSTROM),
            lengths=_box(file, kept, path),
            n_frames_in_file=n_frames,
        )


def _topology(topology: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    residues = [residue for chain in topology["chains"] for residue in chain["residues"]]
    atoms = [(atom["index"], atom["element"], i) for i, residue in enumerate(residues) for atom in residue["atoms"]]
    atoms.sort()
    return (
        np.array([atomic_numbers[element] for _, element, _ in atoms], np.uint8),
        np.array([residue for _, _, residue in atoms]),
        np.array([bond[:2] for bond in topology["bonds"]], int).reshape(-1, 2),
    )


def _box(file: h5py.File, kept: slice, path: str | Path) -> np.ndarray | None:
    if "cell_lengths" not in file or not np.any(file["cell_lengths"][:1]):
        return None
    if not np.allclose(file["cell_angles"][kept], 90, atol=1e-3):
        raise InputError(f"{path}: the box is not rectangular; systems are measured in rectangular boxes only")
    return file["cell_lengths"][kept].astype(float) * NM_TO_ANGSTROM
