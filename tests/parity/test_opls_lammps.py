"""OPLS-AA energies by term and forces against LAMMPS; numbers and their generator lie in opls/."""

import pytest
from opls.comparison import ewald_differences, lammps_differences, references, tail_differences

SYSTEMS = references("lammps")["systems"]
BOXES = [name for name, record in SYSTEMS.items() if record["box_length_angstrom"]]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_term_and_the_forces_equal_those_of_lammps(name):
    differences = lammps_differences(name)
    assert max(differences.values()) < 1e-6, differences


@pytest.mark.parametrize("name", BOXES)
def test_long_range_correction_is_that_of_lammps_up_to_how_pairs_are_counted(name):
    differences = tail_differences(name)
    assert differences["tail, pairs as in LAMMPS"] < 1e-5
    assert differences["tail"] < 0.01


@pytest.mark.parametrize("name", BOXES)
def test_ewald_sums_equal_those_of_lammps(name):
    """The mesh as built, on the CPU platform in single precision, is within its tolerance of 5e-4 or little more."""
    differences = ewald_differences(name)
    assert differences["coulomb, Ewald"] < 1e-5
    assert differences["forces, Ewald"] < 1e-5
    assert differences["forces, PME 5e-4, single precision"] < 1e-3
