"""OPLS-AA energies by term and forces against GROMACS with parameters of its own; see opls/README.md."""

import pytest
from opls.comparison import gromacs_differences, references

OTHER_VALUES = {"PC": {"torsions": 1e-3, "forces": 1e-3}}
"""oplsaa.ff has V2 = 20.92 kJ/mol for O=C-OS-CT of carbonates; ours is 21.438816 (OPLS/2020 files)."""


@pytest.mark.parametrize("name", references("gromacs")["systems"])
def test_every_term_and_the_forces_equal_those_of_gromacs(name):
    """Ryckaert-Bellemans coefficients of oplsaa.ff hold five decimals."""
    differences = gromacs_differences(name)
    allowed = {"forces": 1e-5} | OTHER_VALUES.get(name, {})
    too_far = {term: value for term, value in differences.items() if value > allowed.get(term, 1e-5)}
    assert not too_far
