"""All metrics of a run from its file: numbers with uncertainties, and words where there is none."""

import csv
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_water import LENGTH, SPECIES, water, write_run

from gpip.core.errors import InputError
from gpip.metrics.files import read_ml_md
from gpip.metrics.reference import Reference
from gpip.metrics.run import compute_metrics, ml_md_metrics

SETTINGS = {
    "rdf_max_angstrom": 6.0,
    "rdf_bins": 500,
    "stability_window_ps": 1.0,
    "stability_threshold_angstrom": 3.0,
    "msd_fit_ps": None,
    "diffusing_element": "O",
}


@pytest.fixture(scope="module")
def reference():
    positions = water(100, seed=7, hop=0.06) % LENGTH
    return Reference(SPECIES, positions, LENGTH * np.eye(3), time_step_fs=100.0, description="TIP3P at 300 K")


@pytest.fixture
def replicas():
    return np.stack([water(200, seed) for seed in (1, 2)], axis=1)


def test_a_short_run_gives_numbers_with_uncertainties(tmp_path, replicas, reference):
    path = write_run(tmp_path / "trajectory.h5", replicas)
    entries, tables = ml_md_metrics(path, reference, SETTINGS)
    for name, entry in entries.items():
        assert np.isfinite(entry["value"]), name
        words_enough = "reference" in name or "noise" in name
        assert entry["uncertainty"] is not None or words_enough, name
        assert entry["uncertainty_is"], name
    assert {"O-O", "H-O", "H-H"} == {name[-3:] for name in entries if name.startswith("rdf_error_published_mean")}
    integral, mean = (entries[f"rdf_error_published_{form}_O-O"]["value"] for form in ("integral", "mean"))
    assert integral == pytest.approx(6 * mean)
    assert entries["stability_intermolecular"]["censored"] == 2
    # hop² / (2 · 0.01 ps) · 10 = 0.2e-9 m²/s, less 1/64 for the removed drift; MSD offset by the rattling.
    fitted = entries["diffusivity_fit"]
    assert fitted["value"] == pytest.approx(0.2, abs=4 * fitted["uncertainty"])
    corrected = entries["diffusivity_finite_size"]["value"]
    assert corrected - fitted["value"] == pytest.approx(0.588, abs=0.002)
    assert "t = 1.99 ps, the longest there is" in entries["diffusivity_published"]["note"]
    assert entries["diffusivity_fit_error"]["uncertainty"] >= fitted["uncertainty"]
    assert len(tables["traces"]) == 400
    assert len(tables["rdf"]) == 2 * 3 * 500
    assert {row[3] for row in tables["msd"]} == {"run", "reference"}


def test_the_same_liquid_is_within_the_noise(tmp_path, replicas):
    path = write_run(tmp_path / "trajectory.h5", replicas)
    same = Reference(SPECIES, np.concatenate([replicas[:, 0], replicas[:, 1]]), LENGTH * np.eye(3))
    entries, _ = ml_md_metrics(path, same, SETTINGS)
    for pair in ("O-O", "H-O", "H-H"):
        assert entries[f"rdf_error_intermolecular_mean_{pair}"]["value"] == pytest.approx(0, abs=1e-3)
        assert 0 < entries[f"rdf_error_intermolecular_noise_{pair}"]["value"] < 0.5
    assert entries["stability_published"]["censored"] == 2
    assert entries["diffusivity_fit_error"]["value"] is None
    assert "not a trajectory in time" in entries["diffusivity_fit_error"]["note"]


def test_a_replica_that_became_unstable_counts_until_then(tmp_path, replicas, reference):
    path = write_run(tmp_path / "trajectory.h5", replicas, unstable_from={1: 60})
    entries, tables = ml_md_metrics(path, reference, SETTINGS)
    assert entries["held_time"]["value"] == pytest.approx((1.99 + 0.605) / 2)
    assert "replica 1 at 0.605 ps: force above 100 eV/Å" in entries["held_time"]["note"]
    assert entries["stability_intermolecular"]["censored"] == 1
    assert sum(row[1] == 1 for row in tables["traces"]) == 60
    assert "1 of 2 replicas" in entries["diffusivity_fit"]["note"]
    assert all(np.isfinite(entry["value"]) for entry in entries.values())


def test_a_file_of_version_1_is_read(tmp_path, replicas):
    path = write_run(tmp_path / "trajectory.h5", replicas, unstable_from={1: 60})
    new = read_ml_md(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 1
        file.move("unstable_from_fs", "came_apart_fs")
        file.move("unstable_reason", "came_apart_reason")
    old = read_ml_md(path)
    np.testing.assert_array_equal(old.unstable_from_fs, new.unstable_from_fs)
    assert old.unstable_reason == new.unstable_reason == ("", "force above 100 eV/Å")


def test_nothing_left_is_said_in_words(tmp_path, replicas, reference):
    path = write_run(tmp_path / "trajectory.h5", replicas, unstable_from={0: 0, 1: 0})
    entries, tables = ml_md_metrics(path, reference, SETTINGS)
    for name in ("temperature", "rdf_error_published_mean_O-O", "rdf_error_intermolecular_mean_O-O",
                 "diffusivity_published", "diffusivity_fit", "diffusivity_finite_size"):  # fmt: skip
        assert entries[name]["value"] is None, name
        assert len(entries[name]["note"]) > 10, name
    assert entries["held_time"]["value"] == pytest.approx(0.005)
    assert tables["rdf"] == tables["traces"] == []


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_a_few_frames_do_not_fail(tmp_path, replicas, reference, n_frames):
    path = write_run(tmp_path / "trajectory.h5", replicas[:n_frames, :1])
    entries, _ = ml_md_metrics(path, reference, SETTINGS)
    for name, entry in entries.items():
        assert entry["value"] is not None or entry["note"], name
        assert entry["uncertainty"] is not None or entry["uncertainty_is"], name


def test_a_single_ion_diffuses_in_the_run_and_in_the_reference(tmp_path):
    """Sodium that walks alone among 64 waters at rest, with D = 0.2e-9 m²/s; its own centre would stop it."""
    species = SPECIES.copy()
    species[0] = 11
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.02, (200, 2, 3)), axis=0)
    positions = np.stack([water(1, 1)[0]] * 400).reshape(200, 2, 192, 3).copy()
    positions[:, :, 0] += walk
    path = write_run(tmp_path / "trajectory.h5", positions, species=species)
    reference = Reference(species, positions[:, 0] % LENGTH, LENGTH * np.eye(3), time_step_fs=10.0)
    settings = SETTINGS | {"diffusing_element": "Na", "msd_fit_ps": (0.05, 0.2)}
    entries, _ = ml_md_metrics(path, reference, settings)
    for name in ("diffusivity_fit", "diffusivity_fit_reference"):
        assert entries[name]["value"] == pytest.approx(0.2, rel=0.4)
    for name in ("diffusivity_published", "diffusivity_published_reference"):
        assert entries[name]["value"] == pytest.approx(0, abs=1e-6)
    assert "as published, which takes about 1/1 from D" in entries["diffusivity_published"]["note"]


def test_files_hold_no_blanks(tmp_path, replicas, reference):
    path = write_run(tmp_path / "trajectory.h5", replicas)
    compute_metrics(path, reference, SETTINGS, tmp_path / "metrics", {"stage": "metrics"})
    stored = json.loads((tmp_path / "metrics/metrics.json").read_text())
    assert stored["reference"] == "TIP3P at 300 K"
    assert stored["provenance"] == {"stage": "metrics"}
    headers = {
        "rdf": "r_angstrom pair kind g g_std g_ref",
        "msd": "lag_ps msd_angstrom2 std series",
        "traces": "time_ps replica temperature_kelvin potential_energy_ev total_energy_ev",
    }
    for name, header in headers.items():
        with open(tmp_path / f"metrics/{name}.csv", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == header.split()
        assert all(cell and cell != "nan" for row in rows for cell in row)


def test_a_molecule_without_a_box_is_judged_by_its_bonds(tmp_path):
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + np.zeros((30, 2, 1, 1))
    positions[20:, 1, 1, 0] += 0.7
    path = write_run(tmp_path / "trajectory.h5", positions, cell=np.zeros((3, 3)))
    reference = Reference(np.array([8, 1, 1]), positions[:5, 0], np.zeros((3, 3)))
    entries, _ = ml_md_metrics(path, reference, SETTINGS)
    assert entries["stability_published"]["value"] == pytest.approx((0.29 + 0.2) / 2)
    assert "bond of atoms 0 and 1" in entries["stability_published"]["note"]
    assert "without one" in entries["diffusivity_fit"]["note"]


def test_bad_input_is_named(tmp_path, replicas, reference):
    good = write_run(tmp_path / "good.h5", replicas[:5])
    other = Reference(np.array([18, 18]), np.zeros((3, 2, 3)), LENGTH * np.eye(3), description="argon")
    with pytest.raises(InputError, match=r"the reference \(argon\) has Ar-Ar"):
        ml_md_metrics(good, other, SETTINGS)
    with pytest.raises(InputError, match="diffusing_element: 'Q'"):
        ml_md_metrics(good, reference, SETTINGS | {"diffusing_element": "Q"})
    with pytest.raises(InputError, match="diffusing_element 'Li' is not in"):
        ml_md_metrics(good, reference, SETTINGS | {"diffusing_element": "Li"})
    with pytest.raises(InputError, match="msd_fit_ps 1 to 5 ps"):
        ml_md_metrics(good, reference, SETTINGS | {"msd_fit_ps": (1.0, 5.0)})
    with pytest.raises(InputError, match="positions have shape"):
        Reference(SPECIES, np.zeros((3, 5, 3)), LENGTH * np.eye(3))
    with pytest.raises(InputError, match="positions has unit 'nm'"):
        read_ml_md(write_run(tmp_path / "nm.h5", replicas[:5], unit="nm"))
    with h5py.File(good, "a") as file:
        del file["temperature"]
    with pytest.raises(InputError, match="temperature missing"):
        read_ml_md(good)
    with h5py.File(good, "a") as file:
        file.attrs["schema_version"] = 3
    with pytest.raises(InputError, match="schema and version"):
        read_ml_md(good)
    (tmp_path / "cut.h5").write_bytes(good.read_bytes()[:500])
    with pytest.raises(InputError, match="truncated"):
        read_ml_md(tmp_path / "cut.h5")


def test_two_parts_of_one_published_trajectory_differ_by_no_more_than_noise(tmp_path):
    data = os.environ.get("GPIP_DATA")
    if not data:
        pytest.skip("GPIP_DATA is not set: no published water trajectory to read")
    folder = Path(data) / "water_pbe0ts"
    positions = np.load(folder / "set.000/coord.npy").reshape(-1, 192, 3)
    cell = np.load(folder / "set.000/box.npy").reshape(-1, 3, 3)[0]
    species = np.where(np.loadtxt(folder / "type.raw", dtype=int) == 0, 8, 1)
    path = write_run(
        tmp_path / "run.h5",
        np.stack([positions[:80], positions[100:180]], axis=1) % cell[0, 0],
        cell=cell,
        species=species,
    )
    reference = Reference(species, positions[200:], cell, description="the last third")
    entries, _ = ml_md_metrics(path, reference, SETTINGS)
    for pair in ("O-O", "H-O", "H-H"):
        error = entries[f"rdf_error_intermolecular_mean_{pair}"]["value"]
        assert 0.5 < error / entries[f"rdf_error_intermolecular_noise_{pair}"]["value"] < 1.5
    assert entries["stability_published"]["censored"] == 2
