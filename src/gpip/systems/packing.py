"""Molecules into a periodic cubic box, by packmol (Martínez et al., J. Comput. Chem. 30, 2157, 2009)."""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from packmol.cli import get_binary_path
from scipy.spatial import cKDTree

from gpip.core.errors import InputError
from gpip.systems.molecules import Molecule

CONTACT_ANGSTROM = 2.0
"""Atoms of different molecules are placed at least this far apart."""
TIME_LIMIT_S = 600
OVERLAP_FRACTION = 0.95
"""packmol stops within a small violation of the contact distance."""


def pack_box(
    molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, seed: int, where: str
) -> np.ndarray:
    """Positions of all molecules, whole, in the order given, [n_atoms, 3] in angstrom.

    Args:
        molecules: name, molecule and count of each species.
        where: what the box is called in an error.

    Raises:
        InputError: packmol found no packing with all contacts, periodic images included, long enough.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "box.inp").write_text(_packmol_input(Path(folder), molecules, box_length_angstrom, seed))
        command = [get_binary_path(), "-i", "box.inp", "-o", "packed.xyz"]
        try:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S)
            said = (run.stdout + run.stderr).strip().splitlines()[-8:]
        except subprocess.TimeoutExpired:
            said = [f"no packing found in {TIME_LIMIT_S} s"]
        packed = Path(folder) / "packed.xyz"
        if not packed.exists():
            raise _failed(where, molecules, box_length_angstrom, "packmol: " + " | ".join(said))
        positions = np.loadtxt(packed, skiprows=2, usecols=(1, 2, 3), ndmin=2)
    sizes = [molecule.n_atoms for _, molecule, count in molecules for _ in range(count)]
    if len(positions) != sum(sizes):
        raise _failed(where, molecules, box_length_angstrom, f"{len(positions)} of {sum(sizes)} atoms placed")
    closest = closest_contact(positions, np.repeat(np.arange(len(sizes)), sizes), box_length_angstrom)
    if closest < OVERLAP_FRACTION * CONTACT_ANGSTROM:
        raise _failed(where, molecules, box_length_angstrom, f"two molecules are {closest:.2f} Å apart")
    return positions


def closest_contact(positions: np.ndarray, molecule: np.ndarray, box_length_angstrom: float) -> float:
    """Shortest minimum-image distance between atoms of different molecules, angstrom.

    Args:
        positions: [n_atoms, 3], angstrom.
        molecule: [n_atoms], index of the molecule of each atom.

    Returns:
        The distance, or twice the contact distance when all are farther apart than that.
    """
    radius = min(2 * CONTACT_ANGSTROM, 0.499 * box_length_angstrom)
    wrapped = np.mod(positions, box_length_angstrom)
    wrapped[wrapped >= box_length_angstrom] = 0.0
    first, second = cKDTree(wrapped, boxsize=box_length_angstrom).query_pairs(radius, output_type="ndarray").T
    between = molecule[first] != molecule[second]
    offsets = wrapped[first[between]] - wrapped[second[between]]
    offsets -= box_length_angstrom * np.round(offsets / box_length_angstrom)
    return float(np.linalg.norm(offsets, axis=1).min(initial=radius))


def _packmol_input(
    folder: Path, molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, seed: int
) -> str:
    box = f"0. 0. 0. {box_length_angstrom:.6f} {box_length_angstrom:.6f} {box_length_angstrom:.6f}"
    lines = [f"tolerance {CONTACT_ANGSTROM}", f"seed {seed}", "filetype xyz", f"pbc {box}"]
    for i, (_, molecule, count) in enumerate(molecules):
        atoms = [
            f"{symbol} {x:.6f} {y:.6f} {z:.6f}"
            for symbol, (x, y, z) in zip(molecule.elements, molecule.positions, strict=True)
        ]
        (folder / f"{i}.xyz").write_text("\n".join([str(molecule.n_atoms), "", *atoms]) + "\n")
        lines += [f"structure {i}.xyz", f"  number {count}", f"  inside box {box}", "end structure"]
    return "\n".join(lines) + "\n"


def _failed(
    where: str, molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, reason: str
) -> InputError:
    contents = ", ".join(f"{count} {name}" for name, _, count in molecules)
    return InputError(
        f"{where}: {contents} could not be packed into a box of {box_length_angstrom:.3f} Å ({reason}); "
        "lower the density, or change the counts or the seed"
    )
