"""OPLS-AA energies by term and forces against LAMMPS; numbers and their generator lie in opls/."""

import numpy as np
import openmm
import pytest
from opls.comparison import KCAL_TO_KJ, Case, force_difference, lammps_differences, references, relative

from gpip.core.units import NM_TO_ANGSTROM

SYSTEMS = references("lammps")["systems"]
BOXES = [name for name, record in SYSTEMS.items() if record["box_length_angstrom"]]
FORCES_TO_KJ_NM = KCAL_TO_KJ * NM_TO_ANGSTROM


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_term_and_the_forces_equal_those_of_lammps(name):
    differences = lammps_differences(name)
    assert max(differences.values()) < 1e-6, differences


@pytest.mark.parametrize("name", BOXES)
def test_long_range_correction_is_that_of_lammps_up_to_how_pairs_are_counted(name):
    """OpenMM averages over the n(n+1)/2 pairs i <= j of n atoms, LAMMPS over all n^2."""
    case = Case("lammps", name)
    with_tail = case.energies()["lennard_jones"]
    case.lennard_jones.setUseLongRangeCorrection(False)
    tail = with_tail - case.energies()["lennard_jones"]
    atoms = np.array([case.lennard_jones.getParticleParameters(i) for i in range(len(case.positions_nm))])
    sigma, epsilon, cutoff_nm = atoms[:, 0] ** 2, (atoms[:, 1] / 2) ** 2, case.cutoff_angstrom / NM_TO_ANGSTROM
    integrals = 4 * epsilon * (sigma**12 / (9 * cutoff_nm**9) - sigma**6 / (3 * cutoff_nm**3))
    volume_nm3 = (case.length_angstrom / NM_TO_ANGSTROM) ** 3
    counted_as_lammps = tail * (len(atoms) + 1) / len(atoms) - 2 * np.pi * integrals.sum() / volume_nm3
    assert relative(counted_as_lammps, KCAL_TO_KJ * case.record["tail"]) < 1e-5
    assert relative(tail, KCAL_TO_KJ * case.record["tail"]) < 2 / len(atoms)


@pytest.mark.parametrize("name", BOXES)
def test_ewald_sums_equal_those_of_lammps(name):
    case = Case("lammps", name)
    case.lennard_jones.setUseLongRangeCorrection(False)
    case.nonbonded.setNonbondedMethod(openmm.NonbondedForce.Ewald)
    case.nonbonded.setEwaldErrorTolerance(1e-7)
    theirs = KCAL_TO_KJ * (case.record["ewald"]["ecoul"] + case.record["ewald"]["elong"])
    assert relative(case.energies()["coulomb"], theirs) < 1e-5
    assert force_difference(case.forces(), case.arrays["ewald_forces"] * FORCES_TO_KJ_NM) < 1e-5


@pytest.mark.parametrize("name", BOXES)
def test_mesh_as_used_in_runs_is_within_its_tolerance(name):
    """The system as built, on the CPU platform: PME at a tolerance of 5e-4, single precision."""
    case = Case("lammps", name)
    assert force_difference(case.forces("CPU"), case.arrays["ewald_forces"] * FORCES_TO_KJ_NM) < 1e-3
