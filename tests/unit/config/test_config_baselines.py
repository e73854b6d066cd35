"""Baselines: wrong names and settings are one clear error, and the budget is that of the experiment."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from gpip.cli import summarise
from gpip.config import plan, project_from
from gpip.config.baselines import MACESettings, NequIPSettings
from gpip.config.optimization import Optimization
from gpip.core.errors import InputError
from gpip.training.batches import BatchOrder

DEFAULT = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text())


def with_baselines(baselines, named):
    given = deepcopy(DEFAULT)
    given["baselines"] = baselines
    given["experiments"]["water"]["baselines"] = named
    return given


MACE, NEQUIP = {"package": "mace"}, {"package": "nequip"}


@pytest.mark.parametrize(
    ("baselines", "named", "message"),
    [
        ({"mace-small": MACE}, ["mace-smal"], r"baselines: 'mace-smal' is not known; did you mean 'mace-small'"),
        ({"mace": {"package": "mase"}}, [], r"baselines\.mace: .*'mase'.*mean 'mace'.*mace, nequip"),
        ({"mace": MACE | {"n_channels": 3}}, [], r"baselines\.mace: unknown key 'n_channels'; .*'num_channels'"),
        ({"mace": MACE}, ["mace", "mace"], r"baselines holds the same entry twice"),
        ({"schnet": MACE}, [], r"baselines\.schnet: a backbone has this name"),
        ({"mace": MACE | {"extra": {"r_max": 4}}}, [], r"extra\.r_max is decided by cutoff_angstrom"),
        ({"mace": MACE | {"extra": {"test_file": "a"}}}, [], r"extra\.test_file is decided by the workflow"),
        (
            {"nequip": NEQUIP | {"extra": {"training_module": {"model": {"l_max": 2}}}}},
            [],
            r"extra\.training_module\.model\.l_max is decided by l_max",
        ),
    ],
)
def test_wrong_baselines_are_named(baselines, named, message):
    with pytest.raises(InputError, match=message):
        project_from(with_baselines(baselines, named))


def test_baselines_need_the_loss_that_they_are_trained_by():
    given = with_baselines({"mace": MACE}, ["mace"])
    given["experiments"]["water"]["fine_tuning"]["loss"] = "absolute"
    with pytest.raises(InputError, match=r"water\.fine_tuning\.loss: absolute, but baselines \(mace\) are .* squared"):
        project_from(given)


def test_an_experiment_has_a_run_for_each_baseline_size_and_seed():
    project = project_from(with_baselines({"a": MACE, "b": NEQUIP, "unused": MACE}, ["a", "b"]))
    runs = plan.baseline_runs(project)
    assert [(run["baseline"], run["n_train"], run["seed"]) for run in runs] == [
        ("a", 24, 0), ("a", 24, 1), ("b", 24, 0), ("b", 24, 1)
    ]  # fmt: skip
    assert plan.baseline_runs(project_from(DEFAULT)) == []


@pytest.mark.parametrize("n_frames", [1, 5, 24, 25])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 30])
@pytest.mark.parametrize("n_steps", [1, 13, 500])
def test_frames_seen_are_those_of_the_training_loop(n_frames, batch_size, n_steps):
    batches = BatchOrder(n_frames, batch_size, seed=0)
    assert Optimization(n_steps=n_steps, batch_size=batch_size).frames_seen(n_frames) == batches.frames_seen(n_steps)


def test_a_baseline_sees_as_many_frames_as_the_networks_beside_it():
    ours = Optimization(n_steps=500, batch_size=2)
    assert NequIPSettings(package="nequip").budget(ours, 24) == {"n_epochs": 42, "batch_size": 2}
    # MACE leaves out the last, smaller batch: 20 of 24 frames an epoch.
    assert MACESettings(package="mace", batch_size=5).budget(ours, 24) == {"n_epochs": 50, "batch_size": 5}
    assert MACESettings(package="mace", batch_size=64).budget(ours, 24) == {"n_epochs": 42, "batch_size": 24}
    assert MACESettings(package="mace", n_epochs=3).budget(ours, 24) == {"n_epochs": 3, "batch_size": 2}


def test_a_baseline_has_the_loss_of_the_experiment():
    project = project_from(with_baselines({"mace": MACE}, ["mace"]))
    assert project.baseline_training(project.experiments["water"], "mace", 24) == {
        "n_epochs": 21, "batch_size": 1, "energy_weight": 0.01, "force_weight": 100.0
    }  # fmt: skip


def test_the_check_says_how_many_trainings_there_are():
    project = project_from(with_baselines({"mace": MACE, "nequip": NEQUIP}, ["mace", "nequip"]))
    assert "experiment water: beside them mace, nequip of other packages, 4 runs" in list(summarise(project))
