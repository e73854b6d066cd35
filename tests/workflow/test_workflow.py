"""The whole workflow on a tiny configuration, and what a change runs again."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.workflow


def snakemake(folder, *arguments):
    """Run Snakemake on the configuration in `folder`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return subprocess.run([*command, "--cores", "2", *arguments], capture_output=True, text=True, check=False)


def rules_to_run(folder):
    """Jobs by rule that a dry run announces."""
    done = snakemake(folder, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    table = re.findall(r"^(\w+) +(\d+)$", text, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in table if rule not in ("total", "all")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the tiny configuration has been run."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(ROOT / "tests/workflow/tiny/config.yaml", folder)
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return folder


def test_report_shows_every_arm_with_numbers(finished):
    report = finished / "results/report"
    errors = pd.read_csv(report / "errors.csv")
    assert len(errors) == 2 * 4 * 2
    compute = pd.read_csv(report / "compute.csv")
    assert len(compute) == 2 * 4 * 2
    assert (compute.pretraining_seconds[compute.initialisation == "gpip"].astype(float) > 0).all()
    assert (errors.test_force_mae_mev_per_angstrom > 0).all()
    assert set(errors.initialisation) == {"scratch", "longer", "gpip", "classical-carried"}
    steps = errors.groupby("initialisation").n_steps.first()
    assert steps["gpip"] == 8
    for row in errors[errors.initialisation == "longer"].itertuples():
        costs = json.loads((finished / f"results/step_costs/water/{row.backbone}/gpip/n{row.n_train}.json").read_text())
        assert row.n_steps == 8 + costs["extra_steps"]
    page = (report / "index.html").read_text()
    assert "http" not in re.sub(r'https?://www\.w3\.org/[^"]*', "", page.split("<body")[0]), "the page stands alone"
    assert page.count("data:image/") >= 6
    cost = pd.read_csv(report / "cost.csv")
    assert {"run_classical_md", "label_chunk", "pretrain", "fine_tune", "run_ml_md"} <= set(cost.iloc[:, 0])


def test_every_result_names_its_origin(finished):
    import h5py

    from gpip.core.files import read_json
    from gpip.models.checkpoint import read_checkpoint

    results = finished / "results"
    for path in results.rglob("*.h5"):
        with h5py.File(path) as file:
            assert "provenance" in file.attrs, path
    for path in results.rglob("*.ckpt"):
        assert read_checkpoint(path)["provenance"]["inputs"], path
    for path in [*results.rglob("metrics.json"), *results.rglob("errors.json"), *results.rglob("manifest.json")]:
        assert read_json(path)["provenance"]["gpip"], path


def test_every_system_has_a_data_set_and_a_page(finished):
    from gpip.datasets.reader import Dataset

    results = finished / "results"
    sizes = {"water": 24, "lifsi": None, "ethanol": 9}
    for name, n_atoms in sizes.items():
        frame = Dataset(results / f"datasets/{name}.h5")[0]
        assert n_atoms in (None, len(frame.species))
        assert frame.pbc.all() == (name != "ethanol")
        page = (results / f"report/systems/{name}.html").read_text()
        assert page.count("data:image/") >= 2
        assert f"systems/{name}.html" in (results / "report/index.html").read_text()
    lithium = (Dataset(results / "datasets/lifsi.h5")[0].species == 3).sum()
    assert lithium == 1


def test_nothing_is_left_behind(finished):
    left = [
        p for p in (finished / "results").rglob("*") if ".partial" in p.name or p.name.endswith(("work", "resume.pt"))
    ]
    assert left == []


def test_a_second_run_does_nothing(finished):
    assert rules_to_run(finished) == {}


def test_every_network_goes_the_whole_way(tmp_path):
    """Pre-training, fine-tuning, dynamics and report take any of the networks by name."""
    from gpip.config.backbones import MODELS

    config = yaml.safe_load((ROOT / "tests/workflow/tiny/config.yaml").read_text())
    size = {"n_layers": 1, "n_features": 8, "cutoff_angstrom": 3.0}
    config["systems"] = {"water": config["systems"]["water"]}
    config["pretraining"]["recipes"].pop("classical")
    config["backbones"] = {name: {"model": name} | size for name in MODELS}
    experiment = config["experiments"]["water"]
    experiment |= {"backbones": list(MODELS), "initialisations": ["scratch", "gpip"], "n_train": [2]}
    experiment["ml_md"]["duration_ps"] = 0.1
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    errors = pd.read_csv(tmp_path / "results/report/errors.csv")
    assert sorted(errors.backbone) == sorted(2 * list(MODELS))
    assert (errors.test_force_mae_mev_per_angstrom > 0).all()
    for name in MODELS:
        for arm in ("scratch", "gpip"):
            rdf = pd.read_csv(tmp_path / f"results/metrics/water/{name}/{arm}/n2/seed0/rdf.csv")
            assert (rdf.g > 0).any()


def test_labels_of_several_systems_go_the_whole_way(tmp_path):
    """A liquid at two temperatures and a molecule without a box, selected by the features of a pre-trained network."""
    from gpip.core.files import read_json
    from gpip.datasets.reader import Dataset

    config = yaml.safe_load((ROOT / "tests/workflow/tiny/config.yaml").read_text())
    config["systems"].pop("lifsi")
    config["backbones"].pop("painn")
    descriptor = {"kind": "backbone", "pretraining_set": "water", "backbone": "schnet", "recipe": "gpip"}
    selection = {
        "method": "farthest",
        "n_frames": 14,
        "from": [{"system": "water", "temperatures_kelvin": [200, 300]}, {"system": "ethanol"}],
        "descriptor": descriptor,
    }
    config["labels"] = {
        "both": {"source": "tblite", "selection": selection, "frames_per_job": 6, "time_limit_seconds": 100}
    }
    experiment = config["experiments"]["water"]
    experiment |= {"labels": "both", "backbones": ["schnet"], "initialisations": ["scratch", "gpip"], "n_train": [4]}
    experiment["split"] = {"n_validation": 3, "n_test": 7}
    experiment["ml_md"] |= {"system": "water", "duration_ps": 0.1, "n_replicas": 1}
    experiment["metrics"] = {"reference": "labels", "rdf_max_angstrom": 3.0, "rdf_bins": 60}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    results = tmp_path / "results"
    labels = Dataset(results / "labels/both/labels.h5")
    assert {name: system.n_atoms for name, system in labels.systems.items()} == {"ethanol": 9, "water": 24}
    table = read_json(results / "labels/both/indices.json")["frames"]
    assert len(table) == len(labels) == 14
    assert {one["temperature_kelvin"] for one in table if one["system"] == "water"} == {200.0, 300.0}
    errors = pd.read_csv(results / "report/errors.csv")
    assert (errors.test_force_mae_mev_per_angstrom > 0).all()
    assert (results / "report/index.html").exists()
    assert rules_to_run(tmp_path) == {}
    config["labels"]["both"]["checks"] = {"max_force_ev_per_angstrom": 40}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    again = rules_to_run(tmp_path)
    assert "merge_labels" in again
    assert not {"label_chunk", "select_configurations", "run_classical_md"} & set(again)


def changed(finished, *path_and_value):
    """What runs again once one value of the configuration is another."""
    *path, last, value = path_and_value
    file = finished / "config.yaml"
    before = file.read_text()
    config = yaml.safe_load(before)
    place = config
    for key in path:
        place = place[key]
    place[last] = value
    # In the order of the file: that of the species is the order of the atoms.
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    try:
        return rules_to_run(finished)
    finally:
        file.write_text(before)


def test_an_ml_md_setting_runs_dynamics_and_what_follows(finished):
    again = changed(finished, "experiments", "water", "ml_md", "timestep_fs", 0.5)
    assert again == {"run_ml_md": 8, "measure_ml_md": 8, "build_report": 1}


def test_a_pre_training_setting_runs_that_recipe_and_what_follows(finished):
    again = changed(finished, "pretraining", "recipes", "gpip", "denoise", {"sigma_angstrom": 0.2})
    # The arm of equal compute follows, too: what a step costs is measured again.
    costs = {"measure_step_costs": 4, "fine_tune": 8, "run_ml_md": 4, "measure_ml_md": 4}
    assert again == {"pretrain": 2, **costs, "build_report": 1}


def test_another_seed_pre_trains_again_unless_seeds_share_a_run(finished):
    again = changed(finished, "experiments", "water", "seeds", [0, 1])
    assert again["pretrain"] == 4  # two networks, two recipes
    assert again["fine_tune"] == 16
    assert "measure_step_costs" not in again
    file = finished / "config.yaml"
    before = file.read_text()
    file.write_text(before.replace("    seeds: [0]", "    seeds: [0, 1]\n    pretraining_seeds: shared"))
    try:
        shared = rules_to_run(finished)
    finally:
        file.write_text(before)
    assert "pretrain" not in shared
    assert shared["fine_tune"] == 16


def test_a_metrics_setting_runs_no_dynamics(finished):
    again = changed(finished, "experiments", "water", "metrics", "rdf_bins", 50)
    assert again == {"measure_ml_md": 8, "build_report": 1}


def test_another_temperature_runs_only_its_own_dynamics(finished):
    again = changed(finished, "systems", "water", "temperatures_kelvin", [200, 300, 400])
    assert again["run_classical_md"] == 1
    assert "build_system" not in again
    assert "label_chunk" not in again


def test_a_learning_rate_of_one_backbone_leaves_the_other(finished):
    rates = {"schnet": 1e-3, "painn": 2e-3}
    again = changed(finished, "experiments", "water", "fine_tuning", "optimization", "learning_rate", rates)
    assert again["fine_tune"] == 8


@pytest.fixture
def with_baselines(finished):
    """The finished folder, its configuration asking for two networks of packages that are not there."""
    file = finished / "config.yaml"
    before = file.read_text()
    config = yaml.safe_load(before)
    config["baselines"] = {name: {"package": name, "command_folder": "nowhere"} for name in ("mace", "nequip")}
    config["experiments"]["water"]["baselines"] = ["mace", "nequip"]
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    yield finished
    file.write_text(before)


def test_baselines_add_their_trainings_and_nothing_else(with_baselines):
    assert rules_to_run(with_baselines) == {"train_mace": 2, "train_nequip": 2, "build_report": 1}


def test_a_missing_package_is_one_clear_error_of_its_job(with_baselines):
    done = snakemake(with_baselines, "results/baselines/water/mace/n2/seed0/errors.json")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "error: baseline 'mace': the command mace_run_train was not found in command_folder 'nowhere'" in said
    assert "mace/bin/pip install mace-torch" in said
    assert "Traceback" not in said


def test_a_wrong_key_is_one_clear_error(finished):
    file = finished / "config.yaml"
    before = file.read_text()
    file.write_text(before.replace("seed: 7", "sead: 7"))
    try:
        done = snakemake(finished, "--dry-run")
    finally:
        file.write_text(before)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "unknown key 'sead'; did you mean 'seed'" in said
    assert "Traceback" not in said


def test_snakemake_makes_its_own_report(finished):
    done = snakemake(finished, "--report", "report.zip")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (finished / "report.zip").stat().st_size > 10_000


def test_every_configuration_makes_a_graph(tmp_path):
    """The default and the experiments; those on published data only where GPIP_DATA says where it is."""
    for path in [ROOT / "config.yaml", *ROOT.glob("experiments/*/config.yaml")]:
        config = yaml.safe_load(path.read_text())
        needs_data = any("path" in labels for labels in config.get("labels", {}).values())
        if needs_data and "GPIP_DATA" not in os.environ:
            continue
        folder = tmp_path / path.parent.name
        folder.mkdir()
        shutil.copy(path, folder)
        assert rules_to_run(folder)["build_report"] == 1


def test_a_changed_published_file_is_read_again(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"R": np.array([[0, 0, 0], [0, 0, 0.97]]) + rng.normal(0, 0.01, (8, 2, 3)), "z": [8, 1]}
    pull = rng.normal(size=(8, 1, 3))
    arrays |= {"E": rng.normal(size=8), "F": np.concatenate([pull, -pull], axis=1)}
    np.savez(tmp_path / "oh.npz", **arrays)
    experiment = {
        "labels": "oh",
        "backbones": ["schnet"],
        "initialisations": ["scratch"],
        "n_train": [4],
        "split": {"n_validation": 2, "n_test": 2},
        "seeds": [0],
        "fine_tuning": {"optimization": {"n_steps": 2}},
    }
    config = {
        "data_dir": str(tmp_path),
        "backbones": {"schnet": {"model": "schnet", "n_layers": 1, "n_features": 8}},
        "labels": {"oh": {"source": "npz", "path": "oh.npz"}},
        "experiments": {"oh": experiment},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert (tmp_path / "results/benchmarks/read_labels/oh.tsv").exists()
    assert rules_to_run(tmp_path) == {}
    np.savez(tmp_path / "oh.npz", **arrays | {"E": np.ones(8)})
    again = rules_to_run(tmp_path)
    stages = ["read_labels", "label_isolated_atoms", "split_labels", "fine_tune", "build_report"]
    assert again == dict.fromkeys(stages, 1)


def test_lint():
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--lint"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def small_config(**given):
    system = {"species": {"EC": 60}, "force_field": "opls-aa", "density": "npt", "temperatures_kelvin": [300]}
    return yaml.safe_dump({"systems": {"a": system | given}})


@pytest.mark.parametrize("place", ["config.yaml", "other.yaml"])
def test_a_key_given_twice_stops_the_workflow_with_file_and_line(tmp_path, place):
    (tmp_path / "config.yaml").write_text(small_config())
    (tmp_path / place).write_text("systems:\n  a: {species: {PC: 60}}\n  b: {}\n  a: {species: {EC: 60}}\n")
    extra = ["--configfile", str(tmp_path / place)] if place != "config.yaml" else []
    done = snakemake(tmp_path, "--dry-run", *extra)
    assert done.returncode
    assert f"{place}, line 4: the key 'a' is given twice, first in line 2" in done.stdout + done.stderr


def test_a_tab_and_a_name_that_yaml_reads_as_false_are_named_with_their_line(tmp_path):
    for text, message in (("systems:\n\ta: {}\n", "line 2: .*tab"), ("systems:\n  OFF: {}\n", "line 2: .*name OFF")):
        (tmp_path / "config.yaml").write_text(text)
        done = snakemake(tmp_path, "--dry-run")
        assert done.returncode
        assert re.search(rf"config\.yaml, {message}", done.stdout + done.stderr)


def test_warnings_are_printed_once_by_the_process_that_starts_the_jobs(tmp_path):
    (tmp_path / "config.yaml").write_text(small_config(sampling={"timestep_fs": 2}))
    done = snakemake(tmp_path, "results/systems/a/minimised/topology.pdb")
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("warning: systems.a: sampling.timestep_fs: a step of 2 fs") == 1
