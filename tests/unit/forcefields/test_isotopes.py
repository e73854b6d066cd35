"""Masses follow the isotopes of a SMILES, in built systems and in ML-driven runs."""

import numpy as np
import pytest

from gpip.config.systems import Box
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.species import find_species, isotope_masses
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun, write_dataset_from_runs
from gpip.forcefields.opls.assign import type_molecule
from gpip.ml_md.force import check_replicas, masses_amu
from gpip.simulation.classical import masses_amu as masses_of_system
from gpip.simulation.trajectory import write_trajectory
from gpip.systems.build import box_topology, force_field_system
from gpip.systems.molecules import molecule_of

D, T, C13, LI6 = 2.0141018, 3.0160493, 13.0033548, 6.0151229


@pytest.mark.parametrize(
    ("smiles", "masses"),
    [("[2H]O[2H]", {0: D, 2: D}), ("[3H]O", {0: T}), ("[13CH3]O", {0: C13}), ("[6Li+]", {0: LI6}), ("CO", {})],
)
def test_isotopes_of_a_smiles(smiles, masses):
    assert dict(isotope_masses("here", smiles)) == pytest.approx(masses, abs=1e-5)


def test_isotopes_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="isotope 40H, whose mass is not known"):
        isotope_masses("here", "[40H]O")


@pytest.mark.parametrize("smiles", ["[2H]O[2H]", "O([2H])[2H]"])
@pytest.mark.parametrize("force_field", ["opls-aa", "tip3p"])
def test_heavy_water_runs_with_its_own_masses(smiles, force_field):
    heavy = find_species("here", "D2O", smiles)
    masses = _built({"D2O": {"smiles": smiles, "count": 2}}, force_field)
    oxygen = heavy.elements.index("O")
    found = masses.reshape(2, 3)
    np.testing.assert_allclose(np.delete(found, oxygen, axis=1), D, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), heavy.molar_mass_g_per_mol, atol=2e-3)


def test_only_the_isotopic_molecules_of_a_mixture_change():
    masses = _built({"6Li+": {"smiles": "[6Li+]", "count": 1}, "Cl-": 2, "Li+": 1}, "opls-aa")
    np.testing.assert_allclose(masses, [LI6, 35.453, 35.453, 6.941], atol=1e-4)
    assert type_molecule("6Li+", "[6Li+]").atoms[0].mass_amu == pytest.approx(LI6, abs=1e-5)


def _built(species, force_field):
    settings = Box(species=species, force_field=force_field, density_g_per_cm3=0.05, cutoff_angstrom=3.0)
    molecules = [(one.name, molecule_of(one, "HOH"), count) for one, count in settings.amounts.items()]
    return masses_of_system(force_field_system(settings, box_topology(molecules, settings.length_angstrom)))


def test_masses_pass_from_a_trajectory_to_a_data_set_and_into_ml_driven_runs(tmp_path):
    heavy = find_species("here", "D2O", "[2H]O[2H]")
    molecule = molecule_of(heavy, "HOH")
    topology = box_topology([("D2O", molecule, 1)], None)
    records = {"positions_nm": molecule.positions[None] / 10}
    records |= {name: np.zeros(1) for name in ("potential_energy_ev", "kinetic_energy_ev", "temperature_kelvin")}
    run = tmp_path / "trajectory.h5"
    write_trajectory(run, topology, None, np.ones(1), records, {}, molecule.masses_amu)
    write_dataset_from_runs(tmp_path / "set.h5", [ClassicalRun("x", 300.0, run)], {})
    frame = Dataset(tmp_path / "set.h5")[0]
    np.testing.assert_allclose(masses_amu(frame), [D, 15.99943, D], atol=1e-3)
    light = Frame(frame.species, frame.positions, frame.cell, frame.pbc)
    np.testing.assert_allclose(masses_amu(light), [1.00795, 15.99943, 1.00795], atol=1e-3)
    with pytest.raises(InputError, match="other isotopes than configuration 0"):
        check_replicas([frame, light])
