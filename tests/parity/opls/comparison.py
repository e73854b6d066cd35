"""Our OPLS-AA energies and forces beside those of LAMMPS and GROMACS in the reference files.

python comparison.py        prints the table of README.md
"""

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import openmm
from scipy.spatial.distance import pdist, squareform

from gpip.core.units import NM_TO_ANGSTROM
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.openmm_system import FORCE_GROUPS, energies_by_term, opls_system

HERE = Path(__file__).parent
KCAL_TO_KJ = 4.184


class Case:
    """One system of a reference file."""

    def __init__(self, program: str, name: str) -> None:
        self.record = references(program)["systems"][name]
        arrays = np.load(HERE / f"{program}.npz")
        self.arrays = {key.rpartition("/")[2]: arrays[key] for key in arrays.files if key.rpartition("/")[0] == name}
        self.positions_nm = self.arrays["positions"] / NM_TO_ANGSTROM
        self.length_angstrom = self.record["box_length_angstrom"]
        self.cutoff_angstrom = self.record["cutoff_angstrom"]
        typed = [(type_molecule(one["name"], one["smiles"]), one["count"]) for one in self.record["species"]]
        scale = self.record.get("ion_charge_scale", 1.0)
        self.system = opls_system(typed, self.length_angstrom, self.cutoff_angstrom, ion_charge_scale=scale)

    @property
    def nonbonded(self) -> openmm.NonbondedForce:
        """The force with charges and 1-4 pairs."""
        return self.system.getForces()[FORCE_GROUPS.index("coulomb_14_and_repulsion")]

    def without_tail(self) -> None:
        """No long-range correction of the Lennard-Jones energy."""
        for force in self.system.getForces():
            if isinstance(force, openmm.NonbondedForce):
                force.setUseDispersionCorrection(False)

    def cut_off_plainly(self) -> float:
        """Coulomb forces cut off and no tail correction; returns what to add to the Coulomb energy, kJ/mol.

        OpenMM's reaction field with a dielectric constant of 1 is 1/r - 1/r_c: forces as of a plain cut-off.
        """
        self.without_tail()
        if self.length_angstrom is None:
            return 0.0
        self.nonbonded.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
        self.nonbonded.setReactionFieldDielectric(1.0)
        charges = np.array(
            [self.nonbonded.getParticleParameters(i)[0]._value for i in range(self.nonbonded.getNumParticles())]
        )
        within = self.distances_angstrom() < self.cutoff_angstrom
        np.fill_diagonal(within, False)
        for n in range(self.nonbonded.getNumExceptions()):
            i, j, *_ = self.nonbonded.getExceptionParameters(n)
            within[i, j] = within[j, i] = False
        cutoff_nm = self.cutoff_angstrom / NM_TO_ANGSTROM
        return float(COULOMB_KJ_NM_PER_MOL * (charges @ within @ charges) / 2 / cutoff_nm)

    def distances_angstrom(self) -> np.ndarray:
        """[n_atoms, n_atoms], of nearest images."""
        squared = np.zeros((len(self.positions_nm),) * 2)
        for x in self.arrays["positions"].T:
            difference = squareform(pdist(x[:, None]))
            squared += (difference - self.length_angstrom * np.round(difference / self.length_angstrom)) ** 2
        return np.sqrt(squared)

    def without_14(self) -> None:
        """Leave out pairs three bonds apart."""
        for n in range(self.nonbonded.getNumExceptions()):
            i, j, *_ = self.nonbonded.getExceptionParameters(n)
            self.nonbonded.setExceptionParameters(n, i, j, 0.0, 1.0, 0.0)

    def energies(self) -> dict[str, float]:
        """kJ/mol."""
        return energies_by_term(self.system, self.positions_nm)

    def forces(self, platform: str = "Reference") -> np.ndarray:
        """[n_atoms, 3], kJ/mol/nm."""
        context = openmm.Context(
            self.system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform)
        )
        context.setPositions(self.positions_nm)
        return context.getState(getForces=True).getForces(asNumpy=True)._value


COULOMB_KJ_NM_PER_MOL = 138.93545764
"""e^2 / (4 π ε0), CODATA 2018."""


@cache
def references(program: str) -> dict:
    return json.loads((HERE / f"{program}.json").read_text())


def relative(ours: float, theirs: float) -> float:
    """Difference by the size of the term, or of 1 kJ/mol where it is smaller than that."""
    return abs(ours - theirs) / max(abs(theirs), 1.0)


def force_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def lammps_differences(name: str) -> dict[str, float]:
    """Relative differences of each term and of the forces, with plain cut-offs."""
    case = Case("lammps", name)
    unshift = case.cut_off_plainly()
    ours = case.energies()
    theirs = {term: KCAL_TO_KJ * value for term, value in case.record["plain"].items()}
    far = {term: KCAL_TO_KJ * value for term, value in case.record["without_14"].items()}
    found = {
        "bonds": relative(ours["bonds"], theirs["ebond"]),
        "angles": relative(ours["angles"], theirs["eangle"]),
        "torsions": relative(ours["torsions"], theirs["edihed"]),
        "impropers": relative(ours["impropers"], theirs["eimp"]),
        "lennard_jones_14": relative(ours["lennard_jones_14"], theirs["evdwl"] - far["evdwl"]),
        "lennard_jones": relative(ours["lennard_jones"], far["evdwl"]),
    }
    forces = force_difference(case.forces(), case.arrays["plain_forces"] * KCAL_TO_KJ * NM_TO_ANGSTROM)
    case.without_14()
    without = case.energies()["coulomb"]
    found["coulomb_14"] = relative(ours["coulomb"] - without, theirs["ecoul"] - far["ecoul"])
    return found | {"coulomb": relative(without + unshift, far["ecoul"]), "forces": forces}


def ewald_differences(name: str) -> dict[str, float]:
    """Coulomb energy and all forces by Ewald sums in both programs, and forces of the mesh as runs have it."""
    case = Case("lammps", name)
    theirs = KCAL_TO_KJ * (case.record["ewald"]["ecoul"] + case.record["ewald"]["elong"])
    their_forces = case.arrays["ewald_forces"] * KCAL_TO_KJ * NM_TO_ANGSTROM
    as_built = force_difference(case.forces("CPU"), their_forces)
    case.without_tail()
    case.nonbonded.setNonbondedMethod(openmm.NonbondedForce.Ewald)
    case.nonbonded.setEwaldErrorTolerance(1e-7)
    return {
        "coulomb, Ewald": relative(case.energies()["coulomb"], theirs),
        "forces, Ewald": force_difference(case.forces(), their_forces),
        "forces, PME 5e-4, single precision": as_built,
    }


def tail_differences(name: str) -> dict[str, float]:
    """Long-range correction of the Lennard-Jones energy: OpenMM averages over the n(n+1)/2 pairs i <= j of n atoms,
    LAMMPS over all n^2; as computed, and with the pairs counted as LAMMPS does."""
    case = Case("lammps", name)
    with_tail = case.energies()["lennard_jones"]
    case.without_tail()
    tail = with_tail - case.energies()["lennard_jones"]
    typed = [(type_molecule(one["name"], one["smiles"]), one["count"]) for one in case.record["species"]]
    atoms = [atom for molecule, count in typed for _ in range(count) for atom in molecule.atoms]
    sigma, epsilon = np.array([(atom.sigma_nm, atom.epsilon_kj_per_mol) for atom in atoms]).T
    cutoff_nm = case.cutoff_angstrom / NM_TO_ANGSTROM
    integrals = 4 * epsilon * (sigma**12 / (9 * cutoff_nm**9) - sigma**6 / (3 * cutoff_nm**3))
    volume_nm3 = (case.length_angstrom / NM_TO_ANGSTROM) ** 3
    as_lammps = tail * (len(atoms) + 1) / len(atoms) - 2 * np.pi * integrals.sum() / volume_nm3
    theirs = KCAL_TO_KJ * case.record["tail"]
    return {"tail": relative(tail, theirs), "tail, pairs as in LAMMPS": relative(as_lammps, theirs)}


def gromacs_differences(name: str) -> dict[str, float]:
    """The same beside GROMACS, whose parameters are its own."""
    case = Case("gromacs", name)
    unshift = case.cut_off_plainly()
    ours = case.energies()
    theirs = case.record["plain"]
    case.without_14()
    coulomb_14 = ours["coulomb"] - case.energies()["coulomb"]
    pairs = {
        "bonds": (ours["bonds"], theirs["Bond"]),
        "angles": (ours["angles"], theirs["Angle"]),
        "torsions": (ours["torsions"], theirs.get("Ryckaert-Bell.", 0.0)),
        "impropers": (ours["impropers"], theirs.get("Proper Dih.", 0.0)),
        "lennard_jones_14": (ours["lennard_jones_14"], theirs["LJ-14"]),
        "lennard_jones": (ours["lennard_jones"], theirs["LJ (SR)"]),
        "coulomb_14": (coulomb_14, theirs["Coulomb-14"]),
        "coulomb": (ours["coulomb"] + unshift - coulomb_14, theirs["Coulomb (SR)"]),
    }
    case = Case("gromacs", name)
    case.cut_off_plainly()
    found = {term: relative(*pair) for term, pair in pairs.items()}
    return found | {"forces": force_difference(case.forces(), case.arrays["plain_forces"])}


def print_table(differences: Callable[[str], dict[str, float]], names: Iterable[str]) -> None:
    rows = {name: differences(name) for name in names}
    header = next(iter(rows.values()))
    print("\n| system | " + " | ".join(term.replace("_", " ") for term in header) + " |")
    print("|---" * (len(header) + 1) + "|")
    for name, found in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.0e}" if value else "0" for value in found.values()) + " |")


def main() -> None:
    systems = references("lammps")["systems"]
    print_table(lammps_differences, systems)
    boxes = [name for name, record in systems.items() if record["box_length_angstrom"]]
    print_table(lambda name: ewald_differences(name) | tail_differences(name), boxes)
    print_table(gromacs_differences, references("gromacs")["systems"])


if __name__ == "__main__":
    main()
