import json
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm.app import PDBFile
from openmm.unit import angstrom, kilojoule_per_mole, nanometer
from start_systems import built, minimised

from gpip.core.errors import InputError
from gpip.core.units import KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM
from gpip.simulation.classical import load_system
from gpip.simulation.labels import classical_labels
from gpip.simulation.minimisation import minimise_system
from gpip.systems.build import write_topology

WATER = {"species": {"water": 20}, "force_field": "tip3p", "density": 0.997}


def run(folder: Path, files, name="water", platform="CPU"):
    folder.mkdir(exist_ok=True)
    minimise_system(name, *files, folder / "topology.pdb", folder / "minimisation.json", platform=platform)
    return PDBFile(str(folder / "topology.pdb")), json.loads((folder / "minimisation.json").read_text())


def positions_of(pdb: PDBFile) -> np.ndarray:
    return pdb.getPositions(asNumpy=True).value_in_unit(angstrom)


def moved(folder: Path, files, change) -> tuple[Path, Path]:
    """The same system with its packed positions [n_atoms, 3] in Å changed."""
    pdb = PDBFile(str(files[0]))
    write_topology(folder / "moved.pdb", "water", pdb.topology, change(positions_of(pdb)))
    return folder / "moved.pdb", files[1]


def test_summary_has_the_energies_and_forces_of_both_ends(tmp_path):
    files = built(tmp_path, **WATER)
    pdb, summary = run(tmp_path / "run", files)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["minimisation.json", "topology.pdb"]
    cell = np.eye(3) * summary["box_length_angstrom"]
    for when, positions in {"before": positions_of(PDBFile(str(files[0]))), "after": positions_of(pdb)}.items():
        (energy,), (forces,) = classical_labels(files[1], positions[None], cell, platform="Reference")
        # The PDB file rounds to 0.001 Å, and a bond of water to 40 eV/Å^2.
        np.testing.assert_allclose(summary[f"energy_{when}_ev"]["total"], energy, atol=0.01)
        largest = np.linalg.norm(forces, axis=1).max()
        np.testing.assert_allclose(summary[f"largest_force_{when}_ev_per_angstrom"], largest, atol=0.15)
    after = summary["energy_after_ev"]
    assert set(after) == {"total", "HarmonicBondForce", "HarmonicAngleForce", "NonbondedForce"}
    assert after["total"] == pytest.approx(sum(value for key, value in after.items() if key != "total"))
    assert after["total"] < summary["energy_before_ev"]["total"]
    assert summary["largest_force_after_ev_per_angstrom"] < 0.5
    assert 1.4 < summary["closest_contact_angstrom"] < 2.2
    assert summary["provenance"]["stage"] == "minimisation"


def test_molecules_stay_whole_and_in_the_box_and_the_file_repeats(tmp_path):
    files = built(tmp_path, **WATER)
    length = load_system(files[1]).getDefaultPeriodicBoxVectors()[0][0].value_in_unit(angstrom)
    far = moved(tmp_path, files, lambda positions: positions + np.repeat(np.arange(20) - 9, 3)[:, None] * length)
    pdb, _ = run(tmp_path / "run", far)
    positions = positions_of(pdb).reshape(20, 3, 3)
    bonds = np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=-1)
    assert 0.9 < bonds.min() < bonds.max() < 1.1
    centres = np.average(positions, axis=1, weights=[15.999, 1.008, 1.008])
    assert -2e-3 < centres.min() < centres.max() < length + 2e-3
    run(tmp_path / "again", far)
    for name in ("topology.pdb", "minimisation.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_bad_contacts_relax(tmp_path):
    """Molecules pushed to within 1.2 Å of each other, where the repulsion is thousands of kelvin and more."""
    files = built(tmp_path, **WATER)

    def push(positions):
        water = positions.reshape(20, 3, 3).copy()
        for i in range(0, 20, 2):
            offset = water[i + 1, 0] - water[i, 0]
            water[i + 1] += 1.2 * offset / np.linalg.norm(offset) - offset
        return water.reshape(-1, 3)

    _, summary = run(tmp_path / "run", moved(tmp_path, files, push))
    assert summary["energy_before_ev"]["total"] > 100
    assert summary["energy_after_ev"]["total"] < -5
    assert summary["largest_force_after_ev_per_angstrom"] < 0.5


def test_forces_that_constraints_take_up_are_left_out(tmp_path):
    files = built(tmp_path, **WATER, rigid_water=True)
    pdb, summary = run(tmp_path / "run", files)
    assert summary["largest_force_after_ev_per_angstrom"] < 0.8
    system = load_system(files[1])
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(pdb.positions)
    raw = context.getState(forces=True).getForces(asNumpy=True).value_in_unit(kilojoule_per_mole / nanometer)
    raw = raw * KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM
    assert np.linalg.norm(raw, axis=1).max() > 1
    positions = positions_of(pdb).reshape(20, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=-1), 0.9572, atol=2e-3)


def hydrogens_alone(folder: Path, energy: str, distance_angstrom: float) -> tuple[Path, Path]:
    """One water whose only force is between its hydrogens, which are this far apart."""
    pdb_path, _ = built(folder, species={"water": 1}, force_field="tip3p", periodic=False)
    system = openmm.System()
    for mass in (16.0, 1.0, 1.0):
        system.addParticle(mass)
    force = openmm.CustomBondForce(energy)
    force.setName("steep")
    force.addBond(1, 2)
    system.addForce(force)
    (folder / "alone.xml").write_text(openmm.XmlSerializer.serialize(system))

    def place(positions):
        return np.array([[0, 0, 0], [0.0, 0.9, 0], [distance_angstrom, 0.9, 0]])

    return moved(folder, (pdb_path, folder / "alone.xml"), place)


def test_infinite_energy_names_the_force_and_the_atoms(tmp_path):
    """Two molecules in the same place: packing never does that, and no minimiser can undo it."""

    def overlap(positions):
        return np.concatenate([positions[:3], positions[:3], positions[6:]])

    with pytest.raises(
        InputError,
        match=r"systems\.water: minimisation failed: .*; the largest forces are on \w+ of HOH [12] \(inf eV/Å\)",
    ):
        run(tmp_path / "run", moved(tmp_path, built(tmp_path, **WATER), overlap))


def test_force_that_stays_large_names_the_atoms(tmp_path):
    # A slope of 20000 kJ/mol/nm down to a corner.
    with pytest.raises(InputError, match=r"a force of 20\.7 eV/Å is left, more than 10; .* on H[12] of HOH 1 \(20\.7"):
        run(tmp_path / "run", hydrogens_alone(tmp_path, "20000 * abs(r - 0.05)", 0.5 + 1e-9))


def test_bond_that_breaks_is_named(tmp_path):
    files = built(tmp_path, species={"water": 1}, force_field="tip3p", periodic=False)
    system = load_system(files[1])
    next(f for f in system.getForces() if isinstance(f, openmm.HarmonicBondForce)).setBondParameters(0, 0, 1, 0.18, 4e5)
    files[1].write_text(openmm.XmlSerializer.serialize(system))
    with pytest.raises(
        InputError, match=r"the bond of (O|H1) of HOH 1 with (O|H1) of HOH 1 went from 0\.957 to 1\.800 Å"
    ):
        run(tmp_path / "run", files)


def test_molecules_drawn_into_each_other_are_an_error(tmp_path):
    packed, system_path = built(tmp_path, **WATER)
    system = load_system(system_path)
    bonds = next(f for f in system.getForces() if isinstance(f, openmm.HarmonicBondForce))
    bonds.addBond(1, 4, 0.08, 1e7)  # hydrogens of two molecules, bonded by the force field alone
    system_path.write_text(openmm.XmlSerializer.serialize(system))
    with pytest.raises(InputError, match=r"systems\.water: .* two molecules are 0\.8\d Å apart; .* Lower the density"):
        run(tmp_path / "run", (packed, system_path))


def test_molecule_alone_has_no_box(tmp_path):
    files = built(tmp_path, species={"water": 1}, force_field="tip3p", periodic=False)
    pdb, summary = run(tmp_path / "run", files)
    assert pdb.topology.getPeriodicBoxVectors() is None
    assert summary["box_length_angstrom"] is None
    assert summary["closest_contact_angstrom"] is None
    assert summary["energy_after_ev"]["total"] < 1e-3
    oxygen, *hydrogens = positions_of(pdb)
    np.testing.assert_allclose(np.linalg.norm(hydrogens - oxygen, axis=1), 0.9572, atol=2e-3)


def test_topology_of_another_system_is_an_error(tmp_path):
    one = minimised(tmp_path, **WATER)
    (tmp_path / "other").mkdir()
    other = built(tmp_path / "other", species={"water": 1}, force_field="tip3p", periodic=False)
    with pytest.raises(InputError, match=r"60 particles, but the topology beside it has 3 atoms"):
        run(tmp_path / "run", (other[0], one[1]))
