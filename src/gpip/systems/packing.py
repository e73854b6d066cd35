"""Molecules into a periodic cubic box, by packmol (Martínez et al., J. Comput. Chem. 30, 2157, 2009)."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from packmol.cli import get_binary_path
from scipy.spatial import cKDTree

from gpip.core.errors import InputError
from gpip.core.seeds import seed_for
from gpip.systems.molecules import Molecule
from gpip.systems.shapes import CONTACT_ANGSTROM

N_ATTEMPTS = 5
"""Packings from different random starts, each with a seed derived from the one given."""
LOOPS_PER_ATTEMPT = 200
"""Most optimisations of packmol; boxes of liquids take some tens."""
TIME_LIMIT_S = 600
"""Of one attempt. It ends attempts, and never chooses between packings."""
OVERLAP_FRACTION = 0.95
"""packmol stops within a small violation of the contact distance."""


def pack_box(
    molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, seed: int, where: str
) -> np.ndarray:
    """Positions of all molecules, whole, in the order given, [n_atoms, 3] in angstrom.

    The same molecules, box and seed give the same positions. Only a packing that packmol calls converged is taken:
    what it saves of others depends on the time that has passed.

    Args:
        molecules: name, molecule and count of each species.
        where: what the box is called in an error.

    Raises:
        InputError: packmol found no packing with all contacts, periodic images included, long enough.
    """
    reasons = []
    for attempt in range(N_ATTEMPTS):
        attempt_seed = seed if attempt == 0 else seed_for(seed, "packing attempt", attempt)
        positions, reason = _attempt(molecules, box_length_angstrom, attempt_seed)
        if positions is not None:
            return positions
        reasons.append(reason)
    raise _failed(where, molecules, box_length_angstrom, reasons)


def _attempt(
    molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, seed: int
) -> tuple[np.ndarray | None, str]:
    """Positions of one converged packing, or None and the reason."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "box.inp").write_text(_packmol_input(Path(folder), molecules, box_length_angstrom, seed))
        command = [get_binary_path(), "-i", "box.inp", "-o", "packed.xyz"]
        try:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S)
        except subprocess.TimeoutExpired:
            return None, f"no packing found in {TIME_LIMIT_S} s"
        packed = Path(folder) / "packed.xyz"
        if run.returncode or not packed.exists():
            return None, _violation(run.stdout) or "packmol: " + " | ".join((run.stdout + run.stderr).split("\n")[-8:])
        positions = np.loadtxt(packed, skiprows=2, usecols=(1, 2, 3), ndmin=2)
    sizes = [molecule.n_atoms for _, molecule, count in molecules for _ in range(count)]
    if len(positions) != sum(sizes):
        return None, f"{len(positions)} of {sum(sizes)} atoms placed"
    closest = closest_contact(positions, np.repeat(np.arange(len(sizes)), sizes), box_length_angstrom)
    if closest < OVERLAP_FRACTION * CONTACT_ANGSTROM:
        return None, f"two molecules are {closest:.2f} Å apart"
    return positions, ""


def _violation(output: str) -> str | None:
    """How close to a packing packmol's last optimisation came."""
    found = re.findall(r"Maximum violation of target distance:\s*([0-9.]+)", output)
    if not found:
        return None
    return f"after {LOOPS_PER_ATTEMPT} optimisations two molecules were still {float(found[-1]):.2f} Å too close"


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
    lines = [
        f"tolerance {CONTACT_ANGSTROM}",
        f"seed {seed}",
        f"nloop {LOOPS_PER_ATTEMPT}",
        "filetype xyz",
        f"pbc {box}",
    ]
    for i, (_, molecule, count) in enumerate(molecules):
        atoms = [
            f"{symbol} {x:.6f} {y:.6f} {z:.6f}"
            for symbol, (x, y, z) in zip(molecule.elements, molecule.positions, strict=True)
        ]
        (folder / f"{i}.xyz").write_text("\n".join([str(molecule.n_atoms), "", *atoms]) + "\n")
        lines += [f"structure {i}.xyz", f"  number {count}", f"  inside box {box}", "end structure"]
    return "\n".join(lines) + "\n"


def _failed(
    where: str, molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float, reasons: Sequence[str]
) -> InputError:
    contents = ", ".join(f"{count} {name}" for name, _, count in molecules)
    return InputError(
        f"{where}: {contents} could not be packed into a box of {box_length_angstrom:.3f} Å in {len(reasons)} attempts "
        f"({reasons[-1]}); lower the density (with npt: start_density_g_per_cm3), or put more molecules in the box"
    )
