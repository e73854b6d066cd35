"""Data and input files of LAMMPS from typed molecules, and the energies and forces it computes from them.

LAMMPS itself finds the pairs one, two and three bonds apart from the bonds, and combines Lennard-Jones parameters.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gpip.forcefields.terms import TypedMolecule

KCAL = 4.184
TERMS = ("ebond", "eangle", "edihed", "eimp", "evdwl", "ecoul", "elong", "etail", "epair")
NO_BOX_ANGSTROM = 200.0
"""Edge of the region that holds molecules without a box."""

_STYLES = {
    "bond": "bond_style harmonic",
    "angle": "angle_style harmonic",
    "dihedral": "dihedral_style opls",
    "improper": "improper_style cvff",
}


class Kinds:
    """Numbers the different parameter lines of one kind of term from 1."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.members: list[tuple[int, ...]] = []

    def add(self, line: str, atoms: Sequence[int], first: int) -> None:
        number = self.numbers.setdefault(line, len(self.numbers) + 1)
        self.members.append((number, *(first + i for i in atoms)))


def write_data(
    path: Path, contents: list[tuple[TypedMolecule, int]], positions: np.ndarray, length_angstrom: float | None
) -> list[str]:
    """Write a data file (units real, atom_style full); returns the lines of the styles it needs.

    Args:
        contents: molecules and their counts, in the order of the positions.
        positions: [n_atoms, 3], Å.
        length_angstrom: edge of the cubic box, or None.
    """
    types: dict[str, int] = {}
    kinds = {name: Kinds() for name in _STYLES}
    atoms, first, n_molecules = [], 1, 0
    masses: list[float] = []
    for molecule, count in contents:
        for _ in range(count):
            n_molecules += 1
            for atom in molecule.atoms:
                line = f"{atom.epsilon_kj_per_mol / KCAL!r} {10 * atom.sigma_nm!r}"
                number = types.setdefault(f"{line} # {atom.type_name}", len(types) + 1)
                if number > len(masses):
                    masses.append(atom.mass_amu)
                atoms.append((n_molecules, number, atom.charge_e))
            _add_bonded(kinds, molecule, first)
            first += len(molecule.atoms)
    low, high = (0.0, length_angstrom) if length_angstrom else (-NO_BOX_ANGSTROM / 2, NO_BOX_ANGSTROM / 2)
    used = {name: kind for name, kind in kinds.items() if kind.members}
    lines = ["LAMMPS data file by gpip", "", f"{len(atoms)} atoms", f"{len(types)} atom types"]
    for name, kind in used.items():
        lines += [f"{len(kind.members)} {name}s", f"{len(kind.numbers)} {name} types"]
    lines += ["", *(f"{low!r} {high!r} {axis}lo {axis}hi" for axis in "xyz")]
    lines += ["", "Masses", "", *(f"{i} {mass!r}" for i, mass in enumerate(masses, start=1))]
    lines += ["", "Pair Coeffs", "", *(f"{i} {line}" for line, i in types.items())]
    for name, kind in used.items():
        lines += ["", f"{name.title()} Coeffs", "", *(f"{i} {line}" for line, i in kind.numbers.items())]
    lines += ["", "Atoms # full", ""]
    for i, ((molecule_number, number, charge), (x, y, z)) in enumerate(zip(atoms, positions.tolist(), strict=True), 1):
        lines.append(f"{i} {molecule_number} {number} {charge!r} {x!r} {y!r} {z!r}")
    for name, kind in used.items():
        lines += ["", f"{name.title()}s", ""]
        lines += [f"{i} " + " ".join(map(str, member)) for i, member in enumerate(kind.members, start=1)]
    path.write_text("\n".join(lines) + "\n")
    return [_STYLES[name] for name in used]


def _add_bonded(kinds: dict[str, Kinds], molecule: TypedMolecule, first: int) -> None:
    """LAMMPS has U = K (x - x0)^2 and, for the improper, U = K (1 + d cos nφ)."""
    for bond in molecule.bonds:
        kinds["bond"].add(f"{bond.k_kj_per_mol_nm2 / KCAL / 200!r} {10 * bond.length_nm!r}", bond.atoms, first)
    for angle in molecule.angles:
        degrees = float(np.degrees(angle.angle_rad))
        kinds["angle"].add(f"{angle.k_kj_per_mol_rad2 / KCAL / 2!r} {degrees!r}", angle.atoms, first)
    for torsion in molecule.torsions:
        line = " ".join(repr(v / KCAL) for v in torsion.v_kj_per_mol)
        kinds["dihedral"].add(line, torsion.atoms, first)
    for improper in molecule.impropers:
        kinds["improper"].add(f"{improper.v2_kj_per_mol / KCAL / 2!r} -1 2", improper.atoms, first)


class Computed(NamedTuple):
    """By LAMMPS, kcal/mol and Å."""

    plain: dict[str, float]
    """Coulomb and Lennard-Jones cut off, unshifted."""
    without_14: dict[str, float]
    """The same, pairs three bonds apart left out."""
    plain_forces: np.ndarray
    """[n_atoms, 3]"""
    tail: float | None
    """Long-range correction of the Lennard-Jones energy."""
    ewald: dict[str, float] | None
    """Coulomb by Ewald sums."""
    ewald_forces: np.ndarray | None
    version: str


def run_lammps(
    program: str,
    folder: Path,
    contents: list[tuple[TypedMolecule, int]],
    positions: np.ndarray,
    length_angstrom: float | None,
    cutoff_angstrom: float,
    ewald_accuracy: float,
) -> Computed:
    """Energies and forces of one configuration; in a box with plain cut-offs and with Ewald sums, else plain only."""
    styles = write_data(folder / "box.data", contents, positions, length_angstrom)
    plain_style = f"lj/cut/coul/cut {cutoff_angstrom!r}"
    text = prepare(plain_style, styles, length_angstrom) + "run 0\n" + _dump("plain.dump", "fx fy fz")
    text += "special_bonds lj/coul 0 0 0\nrun 0\n"
    if length_angstrom:
        text += "special_bonds lj/coul 0 0 0.5\npair_modify tail yes\nrun 0\n"
        text += prepare(f"lj/cut/coul/long {cutoff_angstrom!r}", styles, length_angstrom)
        text += f"kspace_style ewald {ewald_accuracy!r}\nrun 0\n" + _dump("ewald.dump", "fx fy fz")
    said = _run(program, folder, text)
    log = (folder / "log.lammps").read_text()
    tables = [
        dict(zip(TERMS, map(float, match.group(1).split()), strict=True))
        for match in re.finditer(r"^\s*E_bond.*\n(.*)\n", log, re.MULTILINE)
    ]
    version = re.search(r"LAMMPS \((.*?)\)", said).group(1)
    plain, without_14 = tables[:2]
    if not length_angstrom:
        return Computed(plain, without_14, _columns(folder / "plain.dump"), None, None, None, version)
    tail, ewald = tables[2]["etail"], tables[3]
    forces = _columns(folder / "plain.dump"), _columns(folder / "ewald.dump")
    return Computed(plain, without_14, forces[0], tail, ewald, forces[1], version)


def prepare(pair_style: str, styles: list[str], length_angstrom: float | None) -> str:
    """The commands up to the box read from `box.data`: OPLS-AA with plain cut-offs, no tail correction."""
    return "\n".join(
        [
            "clear",
            "units real",
            "atom_style full",
            f"boundary {'p p p' if length_angstrom else 'f f f'}",
            f"pair_style {pair_style}",
            "pair_modify mix geometric shift no tail no",
            *styles,
            "special_bonds lj/coul 0 0 0.5",
            "read_data box.data",
            "comm_modify cutoff 16",
            f"thermo_style custom {' '.join(TERMS)}",
            "thermo_modify format float %.15g norm no",
            "",
        ]
    )


def thermal_positions(
    program: str,
    folder: Path,
    contents: list[tuple[TypedMolecule, int]],
    positions: np.ndarray,
    length_angstrom: float,
    cutoff_angstrom: float,
    seed: int,
) -> np.ndarray:
    """Positions [n_atoms, 3], Å, molecules whole, after minimisation and 1 ps of Langevin dynamics at 300 K."""
    styles = write_data(folder / "box.data", contents, positions, length_angstrom)
    text = prepare(f"lj/cut/coul/long {cutoff_angstrom!r}", styles, length_angstrom)
    text += (
        f"kspace_style pppm 1e-4\nminimize 1e-4 1e-3 300 3000\nvelocity all create 300 {seed}\nfix 1 all nve\n"
        f"fix 2 all langevin 300 300 50 {seed}\ntimestep 0.5\nrun 2000\n"
    )
    _run(program, folder, text + _dump("end.dump", "xu yu zu"))
    return _columns(folder / "end.dump")


def _run(program: str, folder: Path, text: str) -> str:
    (folder / "in.lammps").write_text(text)
    run = subprocess.run([program, "-in", "in.lammps"], cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stdout[-2000:] + run.stderr[-2000:])
    return run.stdout


def _dump(name: str, columns: str) -> str:
    return f"write_dump all custom {name} id {columns} modify sort id format float %.12g\n"


def _columns(path: Path) -> np.ndarray:
    return np.loadtxt(path, skiprows=9, ndmin=2)[:, 1:]
