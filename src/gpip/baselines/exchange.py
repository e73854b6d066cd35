"""Frames to and from another package, as extended XYZ."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase.io.extxyz import write_extxyz

from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.datasets.export import atoms_from_frame

ENERGY, FORCES = "REF_energy", "REF_forces"
"""Keys of the labels (eV, eV/Å). ASE would put `energy` and `forces` into a calculator, which packages overwrite."""
SAME_ANGSTROM = 1e-5
"""Positions are float32 here and have eight decimals in the files."""


def write_labelled(path: Path, frames: Sequence[Frame]) -> None:
    """Write labelled frames, in this order."""
    with open(path, "w", encoding="utf-8") as file:
        for frame in frames:
            atoms = atoms_from_frame(frame)
            atoms.calc = None
            atoms.info[ENERGY] = frame.energy
            atoms.set_array(FORCES, np.asarray(frame.forces, dtype=float))
            write_extxyz(file, [atoms])


def read_predicted(
    path: Path, frames: Sequence[Frame], energy: str, forces: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Energies [n_frames] (eV) and the forces of each frame [n_atoms, 3] (eV/Å) that a package wrote under two keys.

    Raises:
        InputError: the file does not hold these very frames in this order, a prediction is missing, or is not finite.
    """
    found = ase.io.read(path, index=":", format="extxyz")
    if len(found) != len(frames):
        raise InputError(f"{path}: {len(found)} frames, but {len(frames)} were given to the package")
    energies, all_forces = [], []
    for index, (atoms, frame) in enumerate(zip(found, frames, strict=True)):
        where = f"{path}, frame {index}"
        if not np.array_equal(atoms.numbers, frame.species):
            raise InputError(f"{where}: other species than in the frame that was given to the package")
        if np.abs(atoms.positions - frame.positions).max() > SAME_ANGSTROM:
            raise InputError(f"{where}: other positions than in the frame that was given to the package")
        values = atoms.info | atoms.arrays | (atoms.calc.results if atoms.calc else {})
        missing = [key for key in (energy, forces) if key not in values]
        if missing:
            raise InputError(f"{where}: the package wrote no {' and no '.join(missing)}")
        energies.append(float(values[energy]))
        all_forces.append(np.asarray(values[forces], dtype=float))
        if not (np.isfinite(energies[-1]) and np.isfinite(all_forces[-1]).all()):
            raise InputError(f"{where}: the prediction is not finite: lower learning_rate")
    return np.array(energies), all_forces
