"""Topologies that name GROMACS's own OPLS-AA atom types and no parameters, and the energies and forces of GROMACS.

grompp takes charges, masses, Lennard-Jones and bonded parameters from its oplsaa.ff. Exclusions are by three bonds;
the list of pairs three bonds apart is from RDKit's distance matrix.
"""

import itertools
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from gpip.forcefields.terms import TypedMolecule

IMPROPERS = {
    "C": "improper_O_C_X_Y",
    "C_2": "improper_O_C_X_Y",
    "CA": "improper_Z_CA_X_Y",
    "CM": "improper_Z_CM_X_Y",
    "C=": "improper_Z_CM_X_Y",
    "N": "improper_Z_N_X_Y",
    "NA": "improper_Z_N_X_Y",
}
"""Macro of oplsaa.ff by our class of the centre."""

MDP = """integrator = md
nsteps = 0
nstenergy = 1
nstcalcenergy = 1
nstfout = 1
continuation = yes
constraints = none
cutoff-scheme = Verlet
verlet-buffer-tolerance = -1
rlist = {cutoff}
coulombtype = cut-off
coulomb-modifier = None
epsilon-rf = 1
rcoulomb = {cutoff}
vdwtype = cut-off
vdw-modifier = None
rvdw = {cutoff}
DispCorr = no
"""


class GromacsMolecule(NamedTuple):
    """A molecule by OPLS numbers: of its heavy atoms in the order of the SMILES, and of the hydrogens on each."""

    smiles: str
    heavy: tuple[int, ...]
    hydrogens: dict[int, int]
    bonds: str = ""
    """Parameters of bonds, where oplsaa.ff has none."""
    angles: str = ""


def topology(
    name: str, molecule: GromacsMolecule, impropers: list[tuple[tuple[int, ...], str]], positions: np.ndarray
) -> str:
    """A moleculetype.

    Args:
        impropers: atoms, centre third, and class of the centre. OPLS-AA leaves the order of outer atoms open.
        positions: [n_atoms, 3]: opposite ligands of a six-coordinate centre have no angle term.
    """
    mol = Chem.AddHs(Chem.MolFromSmiles(molecule.smiles))
    numbers = [*molecule.heavy]
    for atom in list(mol.GetAtoms())[len(numbers) :]:
        numbers.append(molecule.hydrogens[atom.GetNeighbors()[0].GetIdx()])
    lines = ["[ moleculetype ]", f"{name} 3", "[ atoms ]"]
    for i, (atom, number) in enumerate(zip(mol.GetAtoms(), numbers, strict=True), start=1):
        lines.append(f"{i} opls_{number:03d} 1 {name[:4]} {atom.GetSymbol()}{i} {i}")
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    lines += ["[ bonds ]", *(f"{i + 1} {j + 1} 1 {molecule.bonds}".strip() for i, j in bonds)]
    distance = Chem.GetDistanceMatrix(mol)
    lines += ["[ pairs ]", *(f"{i + 1} {j + 1} 1" for i, j in np.argwhere(np.triu(distance == 3)).tolist())]
    lines.append("[ angles ]")
    for atom in mol.GetAtoms():
        j, near = atom.GetIdx(), [a.GetIdx() for a in atom.GetNeighbors()]
        for i, k in itertools.combinations(near, 2):
            if len(near) < 6 or (positions[i] - positions[j]) @ (positions[k] - positions[j]) > -1:
                lines.append(f"{i + 1} {j + 1} {k + 1} 1 {molecule.angles}".strip())
    lines.append("[ dihedrals ]")
    for j, k in bonds:
        outer = [[a.GetIdx() for a in mol.GetAtomWithIdx(m).GetNeighbors()] for m in (j, k)]
        for i, m in itertools.product(*outer):
            if i != k and m != j and i != m:
                lines.append(f"{i + 1} {j + 1} {k + 1} {m + 1} 3")
    lines += ["[ dihedrals ]"]
    lines += [" ".join(str(i + 1) for i in atoms) + f" 1 {IMPROPERS[centre]}" for atoms, centre in impropers]
    return "\n".join(lines) + "\n"


def filled(line: str, molecule: TypedMolecule) -> tuple[str, str]:
    """A line of a bonded term with our parameters, and the classes of its atoms."""
    atoms = tuple(int(word) - 1 for word in line.split()[:-1])
    classes = "-".join(molecule.atoms[i].class_name for i in atoms)
    ways = (atoms, atoms[::-1])
    if len(atoms) == 2:
        found = next(term for term in molecule.bonds if term.atoms in ways)
        numbers = (found.length_nm, found.k_kj_per_mol_nm2)
    elif len(atoms) == 3:
        found = next(term for term in molecule.angles if term.atoms in ways)
        numbers = (float(np.degrees(found.angle_rad)), found.k_kj_per_mol_rad2)
    else:
        v1, v2, v3, v4 = next(term for term in molecule.torsions if term.atoms in ways).v_kj_per_mol
        numbers = (v2 + (v1 + v3) / 2, (3 * v3 - v1) / 2, 4 * v4 - v2, -2 * v3, -4 * v4, 0.0)
    return f"{line} {' '.join(map(repr, numbers))}", classes


def write_gro(path: Path, names: list[tuple[str, int]], positions: np.ndarray, length_angstrom: float) -> None:
    """Coordinates, with as many digits as the positions (Å) have to 0.0001."""
    lines, i = ["gpip", str(len(positions))], 0
    for residue, (name, n_atoms) in enumerate(names, start=1):
        for _ in range(n_atoms):
            x, y, z = positions[i] / 10
            i += 1
            lines.append(f"{residue % 100000:5d}{name[:4]:<5s}{'X':>5s}{i % 100000:5d}{x:12.7f}{y:12.7f}{z:12.7f}")
    lines.append(" ".join([f"{length_angstrom / 10:.8f}"] * 3))
    path.write_text("\n".join(lines) + "\n")


class LackingError(Exception):
    """Lines of `topol.top`, from 0, for which grompp finds no parameters."""

    def __init__(self, lines: list[int]) -> None:
        super().__init__(lines)
        self.lines = lines


class Computed(NamedTuple):
    """By GROMACS, kJ/mol and nm."""

    energies: dict[str, float]
    forces: np.ndarray
    version: str


def run_gromacs(program: str, folder: Path, cutoff_angstrom: float) -> Computed:
    """Energies and forces of `conf.gro` and `topol.top`.

    Raises:
        LackingError: oplsaa.ff lacks parameters.
    """
    (folder / "grompp.mdp").write_text(MDP.format(cutoff=cutoff_angstrom / 10))
    run = _run(folder, program, "grompp", "-maxwarn", "5")
    if run.returncode != 0:
        lacking = re.findall(r"ERROR \d+ \[file topol.top, line (\d+)\]:\s+No default", run.stderr)
        raise LackingError([int(n) - 1 for n in lacking]) if lacking else RuntimeError(run.stderr[-3000:])
    done = _run(folder, program, "mdrun", "-nt", "1", "-ntmpi", "1", "-ntomp", "1")
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    terms = "\n".join(str(n) for n in range(1, 10)) + "\n\n"
    _run(folder, program, "energy", "-dp", "-xvg", "xmgrace", text=terms)
    text = (folder / "energy.xvg").read_text()
    legends = re.findall(r'@ s\d+ legend "(.*)"', text)
    values = next(line for line in text.splitlines() if line and line[0] not in "#@").split()[1:]
    forces = _run(folder, program, "dump", "-f", "traj.trr").stdout
    rows = re.findall(r"^ +f\[ *\d+\]=\{(.*)\}", forces, re.MULTILINE)
    version = re.search(r"GROMACS version: +(\S+)", _run(folder, program, "--version").stdout).group(1)
    return Computed(
        dict(zip(legends, map(float, values), strict=True)),
        np.array([[float(x) for x in row.split(",")] for row in rows]),
        version,
    )


def _run(folder: Path, *command: str, text: str | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([command[0], "-quiet", *command[1:]], cwd=folder, capture_output=True, text=True, input=text)
