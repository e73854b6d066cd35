"""An arm of equal compute: the extra steps follow from measured costs, are stored, and are what is trained."""

import json

import numpy as np
import pytest
import torch
from test_finetuning_run import BACKBONE, SETTINGS, run, written

import gpip.finetuning.equal_compute as equal_compute
from gpip.config.optimization import Optimization
from gpip.config.pretraining import ClassicalTask, ContrastTask, DenoiseTask, MaskTask, Recipe
from gpip.finetuning.equal_compute import extra_steps, measure_step_costs
from gpip.models.checkpoint import read_checkpoint

STEPS = Optimization(n_steps=40, batch_size=2)
RECIPES = {
    "gpip": Recipe(
        mask=MaskTask(), denoise=DenoiseTask(), contrast=ContrastTask(cutoff_angstrom=3.0), optimization=STEPS
    ),
    "classical": Recipe(classical=ClassicalTask(), optimization=STEPS),
}


def measured(tmp_path, frames, recipe, settings=SETTINGS):
    labels, split = written(tmp_path, frames)
    output = tmp_path / "costs.json"
    measure_step_costs(labels, labels, split, BACKBONE, recipe, settings, 1, 1, "cpu", output)
    return json.loads(output.read_text())


def test_extra_steps_by_hand():
    """1,000 atoms at 2 s make 2,000 s; a step of 50 atoms at 0.5 s takes 25 s."""
    assert extra_steps(1000, 2.0, 50, 0.5) == 80
    assert extra_steps(1, 1e-9, 50, 0.5) == 1


@pytest.mark.parametrize("name", RECIPES)
def test_steps_follow_from_the_costs_that_are_stored(tmp_path, water_frames, name):
    record = measured(tmp_path, water_frames, RECIPES[name])
    costs = record["seconds_per_atom"]
    assert record["clock"] == "processor"
    assert record["atoms_seen"] == 80 * 24  # 40 steps of 2 boxes of 24 atoms
    assert record["atoms_per_step"] == 1.5 * 24  # 3 training frames in batches of 2 and 1
    assert record["cost_ratio"] == pytest.approx(costs["pretraining"] / costs["fine_tuning"])
    expected = record["atoms_seen"] * costs["pretraining"] / (record["atoms_per_step"] * costs["fine_tuning"])
    assert record["extra_steps"] == round(expected)
    assert record["provenance"]["settings"]["recipe"]["optimization"]["n_steps"] == 40


def test_a_recipe_that_computes_more_gets_more_steps(tmp_path, water_frames, monkeypatch):
    """Steps of pre-training that pass three times through the network, instead of once."""
    once = measured(tmp_path, water_frames, RECIPES["classical"])
    build = equal_compute.pretraining_objective

    def thrice(*arguments):
        made = build(*arguments)
        whole = made.losses

        def losses(frames, step):
            parts = [whole(frames, step) for _ in range(3)]
            return {name: sum(part[name] for part in parts) for name in parts[0]}

        made.losses = losses
        return made

    monkeypatch.setattr(equal_compute, "pretraining_objective", thrice)
    more = measured(tmp_path, water_frames, RECIPES["classical"])
    assert more["extra_steps"] > 1.5 * once["extra_steps"]


def test_timing_leaves_the_weights_alone(tmp_path, water_frames, monkeypatch):
    made = []
    build = equal_compute.make_potential
    monkeypatch.setattr(equal_compute, "make_potential", lambda *given: made.append(build(*given)) or made[-1])
    measured(tmp_path, water_frames, RECIPES["gpip"])
    fresh = build(BACKBONE, equal_compute.seed_for(1, "weights"))
    for potential in made:
        for name, weight in potential.named_parameters():
            assert torch.equal(weight, dict(fresh.named_parameters())[name]), name


def test_the_extra_steps_are_trained_recorded_and_resumed(tmp_path, water_frames):
    files = written(tmp_path, water_frames)
    outputs = run(files, tmp_path / "run", extra_steps=5)
    assert json.loads(outputs.errors.read_text())["n_steps"] == 9 + 5
    settings = read_checkpoint(outputs.checkpoint)["provenance"]["settings"]
    assert settings["fine_tuning"]["optimization"]["n_steps"] == 14
    assert settings["fine_tuning"]["optimization"]["learning_rate"] == 1e-2
    assert "learning_rate" not in settings


def test_equal_runs_write_equal_files_but_for_their_cost(tmp_path, water_frames):
    files = written(tmp_path, water_frames)
    first, second = (run(files, tmp_path / name) for name in ("first", "second"))
    assert first.errors.read_text() == second.errors.read_text()
    cost = json.loads(first.cost.read_text())
    assert cost["clock"] == "processor"
    assert cost["seconds"] > 0
    assert np.isfinite(cost["seconds"])
