"""One system measured from its files: reading, composition reached, energies, and a molecule without a box."""

import json

import h5py
import mdtraj
import numpy as np
import pandas as pd
import pytest
from ase.data import atomic_masses
from synthetic_run import solution, write_log, write_trajectory

from gpip.core.errors import InputError
from gpip.metrics.conformation import bond_summary, radius_of_gyration
from gpip.metrics.system import measure_system, reached_composition, thermal_summary
from gpip.metrics.trajectory import read_trajectory

MANIFEST = {"density_g_per_cm3": 0.9, "mol_per_litre": {"Na+": 0.9}, "mol_per_kg_solvent": {"Na+": 1.1}}
DENSITY = {
    "density_g_per_cm3": 1.0,
    "density_standard_error_g_per_cm3": 0.01,
    "converged": False,
    "reasons": ["the volume drifts"],
    "box_length_angstrom": 26.0,
}
OUTPUTS = ("summary.json", "rdf.csv", "coordination.csv", "gyration.csv")


def measure(folder, contents, runs, density=None):
    """Write what is needed beside the runs, measure, and return summary and tables."""
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    if density:
        (folder / "density.json").write_text(json.dumps(density))
    species = {name: {"count": count, "smiles": None} for name, count in contents.items()}
    measure_system(
        "test",
        species,
        folder / "manifest.json",
        runs,
        folder / "density.json" if density else None,
        *(folder / name for name in OUTPUTS),
        {"stage": "system"},
    )
    summary = json.loads((folder / "summary.json").read_text())
    return summary, *(pd.read_csv(folder / name) for name in OUTPUTS[1:])


def test_a_solution_of_two_temperatures(tmp_path):
    runs = []
    for kelvin in (600.0, 300.0):
        contents, positions, length = solution(20, seed=int(kelvin))
        trajectory = write_trajectory(tmp_path / f"{kelvin}/trajectory.h5", contents, positions, length)
        runs.append((kelvin, trajectory, write_log(tmp_path / f"{kelvin}/log.csv", kelvin)))
    summary, rdf, coordination, gyration = measure(tmp_path, contents, runs, DENSITY)
    assert summary["temperatures_kelvin"] == [300, 600]
    assert summary["shown_kelvin"] == 300
    assert [one["name"] for one in summary["contents"]] == ["Na+", "PF6-", "DME"]
    assert gyration.empty
    found = coordination.set_index(["temperature_kelvin", "pair"])
    assert (found.loc[(slice(None), "Na+ · P of PF6-"), "coordination_number"] == 1).all()
    assert (found.loc[(slice(None), "Na+ · F of PF6-"), "coordination_number"] == 1).all()
    assert found.loc[(300, "Na+ · Na+"), "reason"].startswith("g has no peak")
    assert np.isnan(found.loc[(300, "Na+ · Na+"), "coordination_number"])
    outside = rdf[(rdf["pair"] == "Na+ · F of PF6-") & (rdf["r_angstrom"] > 9)]
    assert (outside["running_coordination"] == 6).all()
    assert summary["density_converged"] is False
    assert summary["provenance"] == {"stage": "system"}


def test_concentrations_follow_the_density_that_was_reached():
    reached = reached_composition(MANIFEST, DENSITY)
    assert reached["mol_per_litre"]["Na+"] == pytest.approx(1.0)
    assert reached["mol_per_kg_solvent"] == {"Na+": 1.1}
    as_given = reached_composition(MANIFEST, None)
    assert as_given["mol_per_litre"] == {"Na+": 0.9}
    assert as_given["density_standard_error_g_per_cm3"] is None
    assert as_given["density_converged"] is None


def test_a_molecule_without_a_box_has_a_shape_and_no_distribution(tmp_path):
    _, positions, _ = solution(30)
    alone = positions[:, -16:]
    trajectory = write_trajectory(tmp_path / "trajectory.h5", {"DME": 1}, alone)
    log = write_log(tmp_path / "log.csv", 300)
    (tmp_path / "out").mkdir()
    summary, rdf, coordination, gyration = measure(tmp_path / "out", {"DME": 1}, [(300, trajectory, log)])
    assert rdf.empty
    assert coordination.empty
    assert summary["periodic"] is False
    masses = atomic_masses[read_trajectory(trajectory).species]
    distances = np.linalg.norm(alone[:, :, None] - alone[:, None], axis=-1)
    # Lagrange: the mean square distance from the centre of mass is that of all pairs, halved.
    squares = np.einsum("i,j,fij->f", masses, masses, distances**2) / (2 * masses.sum() ** 2)
    np.testing.assert_allclose(gyration["radius_of_gyration_angstrom"], np.sqrt(squares), rtol=1e-4)
    assert {bond["bond"]: bond["n_bonds"] for bond in summary["molecule"][0]["bonds"]} == {
        "C-C": 1,
        "C-H": 10,
        "C-O": 4,
    }


def test_shape_of_a_dumbbell():
    positions = np.array([[[0, 0, 0], [2.0, 0, 0]], [[0, 0, 0], [0, 4.0, 0]]])
    species = np.array([8, 8])
    np.testing.assert_allclose(radius_of_gyration(species, positions), [1.0, 2.0])
    (bond,) = bond_summary(species, positions, np.array([[0, 1]]))
    assert bond == {"bond": "O-O", "n_bonds": 1, "mean_angstrom": 3.0, "standard_deviation_angstrom": 1.0}
    assert bond_summary(species, positions, np.zeros((0, 2), int)) == []


def test_the_mean_temperature_is_held_against_its_thermostat(tmp_path):
    right = thermal_summary(300, write_log(tmp_path / "log.csv", 300, n_frames=400))
    assert abs(right["temperature_deviation_standard_errors"]) < 3
    assert right["temperature_standard_error_kelvin"] == pytest.approx(6 / 20, rel=0.25)
    assert right["temperature_standard_deviation_kelvin"] == pytest.approx(6, rel=0.15)
    wrong = thermal_summary(320, tmp_path / "log.csv")
    assert wrong["temperature_deviation_standard_errors"] < -40
    assert wrong["potential_energy_mean_ev"] == pytest.approx(-22.5, abs=0.05)
    short = thermal_summary(300, write_log(tmp_path / "short.csv", 300, n_frames=12))
    assert short["temperature_standard_error_kelvin"] is None
    assert short["temperature_deviation_standard_errors"] is None
    assert short["temperature_reason"].startswith("too short for an error")


def test_reading_agrees_with_mdtraj_and_thins_from_the_end(tmp_path):
    contents, positions, length = solution(23)
    path = write_trajectory(tmp_path / "trajectory.h5", contents, positions, length)
    theirs = mdtraj.load_hdf5(str(path))
    mine = read_trajectory(path)
    np.testing.assert_allclose(mine.positions, 10 * theirs.xyz, rtol=1e-6)
    np.testing.assert_allclose(mine.lengths, length, rtol=1e-6)
    assert list(mine.species) == [atom.element.atomic_number for atom in theirs.topology.atoms]
    assert list(mine.molecule) == [atom.residue.index for atom in theirs.topology.atoms]
    assert {tuple(bond) for bond in mine.bonds} == {(a.index, b.index) for a, b in theirs.topology.bonds}
    thinned = read_trajectory(path, at_most=5)
    np.testing.assert_allclose(thinned.time_ps, [0.3, 0.8, 1.3, 1.8, 2.3], rtol=1e-6)
    assert thinned.n_frames_in_file == 23
    assert read_trajectory(path, last_only=True).time_ps == pytest.approx([2.3])


def test_files_that_cannot_be_used_are_named(tmp_path):
    contents, positions, length = solution(3)
    path = write_trajectory(tmp_path / "trajectory.h5", contents, positions, length)
    log = write_log(tmp_path / "log.csv", 300)
    with pytest.raises(InputError, match=r"trajectory\.h5 holds 96 atoms that are not those"):
        measure(tmp_path, {**contents, "DME": 3}, [(300, path, log)])
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match=r"text\.h5 cannot be read as HDF5"):
        read_trajectory(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["time"] = [0.0]
    with pytest.raises(InputError, match="coordinates, topology missing"):
        read_trajectory(tmp_path / "other.h5")
    with h5py.File(path, "a") as file:
        file["cell_angles"][...] = 80
    with pytest.raises(InputError, match="not rectangular"):
        read_trajectory(path)
    (tmp_path / "empty.csv").write_text("time_ps,potential_energy_ev,temperature_kelvin\n")
    with pytest.raises(InputError, match=r"empty\.csv holds no frames"):
        thermal_summary(300, tmp_path / "empty.csv")
