"""Ionic liquids, further ions and FEC of OPLS-AA: charges, geometries beside GFN2-xTB, refusals."""

import csv
import re
from pathlib import Path

import numpy as np
import openmm
import pytest
import yaml
from ase import Atoms
from ase.optimize import BFGS
from opls_formulas import angle, distance
from tblite.ase import TBLite

from gpip.config import project_from
from gpip.config.composition import salts
from gpip.core.errors import InputError
from gpip.core.species import BUILT_IN
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.describe import describe
from gpip.forcefields.opls.openmm_system import opls_system
from gpip.forcefields.opls.rows import KINDS
from gpip.forcefields.opls.structure import start_positions
from gpip.forcefields.opls.tables import DATA

DOCUMENT = Path(__file__).parents[3] / "docs" / "adding-an-electrolyte.md"
CHARGES = {
    "Ca+2": 2, "H3O+": 1, "EMIM+": 1, "BMIM+": 1, "PYR13+": 1, "PYR14+": 1,
    "OTf-": -1, "NO3-": -1, "BETI-": -1, "FTFSI-": -1, "HSO4-": -1, "FEC": 0,
}  # fmt: skip
BOND_TOLERANCE_ANGSTROM = 0.085
"""The widest are S-F and S-C of sulfonylimides, whose terms CL&P has for TFSI and FSI, too."""
ANGLE_TOLERANCE_DEGREES = 9.0
SNS_TOLERANCE_DEGREES = 17.0
"""GFN2-xTB bends S-N-S of sulfonylimides to 110°; crystals and ab initio calculations have 125°."""


@pytest.mark.parametrize("name", CHARGES)
def test_species_is_typed_completely_and_has_its_charge(name):
    typed = type_molecule(name, BUILT_IN[name].smiles)
    np.testing.assert_allclose(typed.charge_e, CHARGES[name], atol=1e-9)
    text = describe(name, BUILT_IN[name].smiles)
    assert all(atom.type_name in text for atom in typed.atoms)


@pytest.mark.parametrize("name", [name for name in CHARGES if name != "Ca+2"])
def test_minimised_geometry_is_near_that_of_gfn2_xtb(name):
    typed, smiles = type_molecule(name, BUILT_IN[name].smiles), BUILT_IN[name].smiles
    context = openmm.Context(
        opls_system([(typed, 1)], None, 9.0),
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(start_positions(name, smiles) / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 1e-3, 0)
    state = context.getState(positions=True, energy=True)
    assert np.isfinite(state.getPotentialEnergy()._value)
    relaxed = np.array(state.getPositions()._value) * 10
    atoms = Atoms([atom.element for atom in typed.atoms], relaxed.copy())
    atoms.calc = TBLite(method="GFN2-xTB", charge=CHARGES[name], verbosity=0)
    assert BFGS(atoms, logfile=None).run(fmax=0.02, steps=500)
    bonds = [[distance(p, i, j) for p in (relaxed, atoms.positions)] for (i, j), *_ in typed.bonds]
    angles = [np.degrees([angle(p, *one.atoms) for p in (relaxed, atoms.positions)]) for one in typed.angles]
    wide = [[typed.atoms[i].element for i in one.atoms] == ["S", "N", "S"] for one in typed.angles]
    assert np.abs(np.diff(bonds)).max() < BOND_TOLERANCE_ANGSTROM
    difference = np.abs(np.diff(angles)).ravel()
    assert (difference < np.where(wide, SNS_TOLERANCE_DEGREES, ANGLE_TOLERANCE_DEGREES)).all()


REFUSED = ["VC", "TMP", "TEP", "TFEP", "BTFE", "TTE", "HFE-347", "BOB-", "DFOB-", "TDI-", "SO4-2"]


def test_no_row_is_assumed_and_every_source_is_a_known_reference():
    known = set()
    for path in DATA.glob("*references.csv"):
        known |= {row["key"] for row in _rows(path)}
    for kind in KINDS.keys() - {"reference"}:
        for row in _rows(DATA / f"electrolyte_{kind}s.csv"):
            cited = [*row["source"].split(";"), *filter(None, row["cross_check"].split(";"))]
            assert "ASSUMED" not in cited, row
            assert set(cited) <= known, row


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", REFUSED)
def test_known_molecules_without_published_parameters_are_refused_with_the_reason(name):
    with pytest.raises(InputError, match=r"no parameters are built in for .*: (OPLS-AA has|no set in the form)"):
        type_molecule(name, BUILT_IN[name].smiles)


def test_systems_of_the_documentation_are_typed_and_neutral():
    found = re.findall(r"```yaml\n(systems:.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names = []
    for text in found:
        for name, system in project_from(yaml.safe_load(text)).systems.items():
            charges = [type_molecule(one.name, one.smiles).charge_e * n for one, n in system.amounts.items()]
            np.testing.assert_allclose(sum(charges), 0, atol=1e-9)
            names.append(name)
    assert names == ["lifsi-dee-1m", "teabf4-acetonitrile-1m"]


def test_the_new_ions_make_salts():
    known = salts()
    assert known["LiNO3"] == {"Li+": 1, "NO3-": 1}
    assert known["Ca(TFSI)2"] == {"Ca+2": 1, "TFSI-": 2}
    assert known["EMIMBF4"] == {"EMIM+": 1, "BF4-": 1}
    assert known["LiOTf"] == {"Li+": 1, "OTf-": 1}
