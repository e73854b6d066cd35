"""OpenMM systems of OPLS-AA molecules, in a cubic periodic box or without one."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import openmm

from gpip.core.errors import InputError, unknown_name
from gpip.core.units import NM_TO_ANGSTROM
from gpip.forcefields.terms import TypedMolecule

EWALD_ERROR_TOLERANCE = 5e-4
SCALE_14 = 0.5
"""Of Coulomb and Lennard-Jones terms between atoms three bonds apart."""
REPULSION_SIGMA_NM = 20.0
ATTRACTION_SIGMA_NM = 0.005
"""By geometric rules both parts of the Lennard-Jones energy are products of one number of each atom:
4 √(εᵢ σᵢ¹²) √(εⱼ σⱼ¹²) r⁻¹² and -4 √(εᵢ σᵢ⁶) √(εⱼ σⱼ⁶) r⁻⁶. A NonbondedForce, which takes geometric means of ε, gives
just such a product when σ is the same for all atoms: the first part with a σ so large that its own r⁻⁶ is below 1e-8 of
its r⁻¹² wherever atoms meet (r < 1 nm), the second with a σ so small that its r⁻¹² is. Forces are exact to single
precision, in 0.7 of the time of a step with a CustomNonbondedForce that writes the geometric means out."""
FORCE_GROUPS = ("bonds", "angles", "torsions", "impropers", "coulomb_14_and_repulsion", "attraction")
"""Names of the forces; the index is the force group."""

Molecules = Sequence[tuple[TypedMolecule, int]]


def opls_system(
    molecules: Molecules,
    box_length_angstrom: float | None,
    cutoff_angstrom: float,
    ion_charge_scale: float = 1.0,
    constraints: Literal["none", "h-bonds"] = "none",
    rigid_water: bool = False,
) -> openmm.System:
    """The system of so many of each molecule, in the order given.

    Functional forms and combining rules: Jorgensen, Maxwell, Tirado-Rives, J. Am. Chem. Soc. 118, 11225 (1996);
    geometric means of σ and ε in all pairs, 1-4 pairs included; 1-2 and 1-3 pairs excluded; 1-4 halved. In a box:
    particle mesh Ewald; Lennard-Jones cut off without switching, with OpenMM's long-range correction. Without:
    all pairs, no cutoff. Lennard-Jones is two NonbondedForces: see `ATTRACTION_SIGMA_NM`. Each force has its name
    and group of `FORCE_GROUPS`.

    Args:
        molecules: typed molecules and counts.
        box_length_angstrom: edge of the cubic box; None: no box.
        cutoff_angstrom: of Lennard-Jones and real-space Coulomb terms; not used without a box.
        ion_charge_scale: factor of all charges of molecules that carry a net charge.
        constraints: `h-bonds` fixes bonds to hydrogen at their length; those have no bond term.
        rigid_water: fix both bonds and the H-H distance of water, which then has no bonded terms.

    Raises:
        InputError: a count below 1, a cutoff beyond half the box, a charge factor not above 0, unknown constraints.
    """
    _check(molecules, box_length_angstrom, cutoff_angstrom, ion_charge_scale, constraints)
    system = openmm.System()
    builder = _Builder(system, constraints == "h-bonds", rigid_water)
    for molecule, count in molecules:
        scale = ion_charge_scale if round(molecule.charge_e) else 1.0
        for _ in range(count):
            builder.add(molecule, scale)
    if box_length_angstrom is not None:
        builder.nonbonded.setNonbondedMethod(openmm.NonbondedForce.PME)
        builder.nonbonded.setEwaldErrorTolerance(EWALD_ERROR_TOLERANCE)
        builder.attraction.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
        for force in (builder.nonbonded, builder.attraction):
            force.setCutoffDistance(cutoff_angstrom / NM_TO_ANGSTROM)
            force.setUseDispersionCorrection(True)
        system.setDefaultPeriodicBoxVectors(*np.eye(3) * box_length_angstrom / NM_TO_ANGSTROM)
    for group, force in enumerate(builder.forces):
        force.setForceGroup(group)
        force.setName(FORCE_GROUPS[group])
        system.addForce(force)
    system.addForce(openmm.CMMotionRemover())
    return system


def _check(
    molecules: Molecules, box_length_angstrom: float | None, cutoff_angstrom: float, scale: float, constraints: str
) -> None:
    for molecule, count in molecules:
        if count < 1:
            raise InputError(f"species {molecule.name!r}: the count must be at least 1, got {count}")
    if not molecules:
        raise InputError("a system needs at least one molecule")
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"ion_charge_scale must be above 0 (1 leaves the charges as they are), got {scale}")
    if constraints not in ("none", "h-bonds"):
        raise unknown_name("constraints", constraints, ("none", "h-bonds"))
    if box_length_angstrom is not None and not 0 < cutoff_angstrom <= box_length_angstrom / 2:
        raise InputError(
            f"cutoff_angstrom must be above 0 and at most half the box ({box_length_angstrom / 2:.3f} Å), "
            f"got {cutoff_angstrom:g}"
        )


class _Builder:
    """Adds molecules to the forces of a system."""

    def __init__(self, system: openmm.System, constrain_hydrogens: bool, rigid_water: bool):
        self._system, self._constrain_hydrogens, self._rigid_water = system, constrain_hydrogens, rigid_water
        self._bonds, self._angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
        self._torsions, self._impropers = openmm.RBTorsionForce(), openmm.PeriodicTorsionForce()
        self.nonbonded, self.attraction = openmm.NonbondedForce(), openmm.NonbondedForce()

    @property
    def forces(self) -> tuple[openmm.Force, ...]:
        """In the order of `FORCE_GROUPS`."""
        return (self._bonds, self._angles, self._torsions, self._impropers, self.nonbonded, self.attraction)

    def add(self, molecule: TypedMolecule, charge_scale: float) -> None:
        first = self._system.getNumParticles()
        for atom in molecule.atoms:
            self._system.addParticle(atom.mass_amu)
            repulsion = atom.epsilon_kj_per_mol * (atom.sigma_nm / REPULSION_SIGMA_NM) ** 12
            attraction = atom.epsilon_kj_per_mol * (atom.sigma_nm / ATTRACTION_SIGMA_NM) ** 6
            self.nonbonded.addParticle(charge_scale * atom.charge_e, REPULSION_SIGMA_NM, repulsion)
            self.attraction.addParticle(0.0, ATTRACTION_SIGMA_NM, attraction)
        self._add_bonded(molecule, first)
        for i, j in molecule.excluded_pairs:
            self.nonbonded.addException(first + i, first + j, 0.0, 1.0, 0.0)
        for i, j in molecule.scaled_pairs:
            a, b = molecule.atoms[i], molecule.atoms[j]
            charges = SCALE_14 * charge_scale**2 * a.charge_e * b.charge_e
            epsilon = SCALE_14 * (a.epsilon_kj_per_mol * b.epsilon_kj_per_mol) ** 0.5
            # A hydrogen without Lennard-Jones term has no size; OpenMM wants one.
            sigma = (a.sigma_nm * b.sigma_nm) ** 0.5 if epsilon else 1.0
            self.nonbonded.addException(first + i, first + j, charges, sigma, epsilon)
        for i, j in molecule.excluded_pairs + molecule.scaled_pairs:
            self.attraction.addException(first + i, first + j, 0.0, 1.0, 0.0)

    def _add_bonded(self, molecule: TypedMolecule, first: int) -> None:
        rigid = self._rigid_water and is_water(molecule)
        for bond in molecule.bonds:
            i, j = (first + atom for atom in bond.atoms)
            to_hydrogen = "H" in (molecule.atoms[bond.atoms[0]].element, molecule.atoms[bond.atoms[1]].element)
            if rigid or (self._constrain_hydrogens and to_hydrogen):
                self._system.addConstraint(i, j, bond.length_nm)
            else:
                self._bonds.addBond(i, j, bond.length_nm, bond.k_kj_per_mol_nm2)
        for angle in molecule.angles:
            i, j, k = (first + atom for atom in angle.atoms)
            if rigid:
                self._system.addConstraint(i, k, 2 * molecule.bonds[0].length_nm * np.sin(angle.angle_rad / 2))
            else:
                self._angles.addAngle(i, j, k, angle.angle_rad, angle.k_kj_per_mol_rad2)
        for torsion in molecule.torsions:
            if any(torsion.v_kj_per_mol):
                self._torsions.addTorsion(
                    *(first + atom for atom in torsion.atoms), *ryckaert_bellemans(torsion.v_kj_per_mol)
                )
        for improper in molecule.impropers:
            self._impropers.addTorsion(*(first + atom for atom in improper.atoms), 2, np.pi, improper.v2_kj_per_mol / 2)


def is_water(molecule: TypedMolecule) -> bool:
    """Whether the molecule is one oxygen with two hydrogens."""
    return [sorted(atom.element for atom in molecule.atoms), len(molecule.bonds)] == [["H", "H", "O"], 2]


def ryckaert_bellemans(v: tuple[float, float, float, float]) -> tuple[float, float, float, float, float, float]:
    """C0..C5 of Σ Cn cosⁿ(φ - 180°), equal to the torsion's Fourier series of V1..V4; the same unit."""
    v1, v2, v3, v4 = v
    return v2 + (v1 + v3) / 2, (3 * v3 - v1) / 2, 4 * v4 - v2, -2 * v3, -4 * v4, 0.0


def energies_by_term(
    system: openmm.System, positions_nm: np.ndarray, box_nm: np.ndarray | None = None, platform: str = "Reference"
) -> dict[str, float]:
    """Energy of each term, kJ/mol.

    Args:
        system: made by `opls_system`.
        positions_nm: [n_atoms, 3], molecules whole.
        box_nm: [3, 3] rows; None: the box of the system.
        platform: of OpenMM; `Reference` computes in double precision.

    Returns:
        `bonds`, `angles`, `torsions`, `impropers`, `coulomb` (1-4 pairs included), `lennard_jones_14`,
        `lennard_jones` (the other pairs, long-range correction included) and `total`.
    """
    full = _group_energies(system, positions_nm, box_nm, platform)
    halved = _group_energies(system, positions_nm, box_nm, platform, _without_repulsion)["coulomb_14_and_repulsion"]
    coulomb = _group_energies(system, positions_nm, box_nm, platform, _without_repulsion, _without_14)[
        "coulomb_14_and_repulsion"
    ]
    total, mixed, attraction = sum(full.values()), full.pop("coulomb_14_and_repulsion"), full.pop("attraction")
    pairs = {"lennard_jones_14": halved - coulomb, "lennard_jones": mixed - halved + attraction}
    return full | {"coulomb": coulomb} | pairs | {"total": total}


def _without_repulsion(nonbonded: openmm.NonbondedForce) -> None:
    for n in range(nonbonded.getNumParticles()):
        nonbonded.setParticleParameters(n, nonbonded.getParticleParameters(n)[0], 1.0, 0.0)


def _without_14(nonbonded: openmm.NonbondedForce) -> None:
    for n in range(nonbonded.getNumExceptions()):
        i, j, charges, _, _ = nonbonded.getExceptionParameters(n)
        nonbonded.setExceptionParameters(n, i, j, charges, 1.0, 0.0)


def _group_energies(
    system: openmm.System,
    positions_nm: np.ndarray,
    box_nm: np.ndarray | None,
    platform: str,
    *changes: Callable[[openmm.NonbondedForce], None],
) -> dict[str, float]:
    copy = openmm.XmlSerializer.clone(system)
    for change in changes:
        change(copy.getForces()[FORCE_GROUPS.index("coulomb_14_and_repulsion")])
    context = openmm.Context(copy, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName(platform))
    if box_nm is not None:
        context.setPeriodicBoxVectors(*np.asarray(box_nm, dtype=float))
    context.setPositions(positions_nm)
    return {
        name: context.getState(getEnergy=True, groups={group}).getPotentialEnergy()._value
        for group, name in enumerate(FORCE_GROUPS)
    }
