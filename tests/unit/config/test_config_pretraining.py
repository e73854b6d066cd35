"""Presets of recipes, which pre-training run each seed starts from, and what a record of a run lists."""

from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest
import yaml

from gpip.config import plan, project_from
from gpip.config.backbones import EGNNSettings, SchNetSettings
from gpip.config.experiments import MLMD, FineTuning, Initialisation, Split
from gpip.config.optimization import Optimization
from gpip.config.pretraining import Recipe
from gpip.config.project import json_schema

ROOT = Path(__file__).parents[3]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())

# SPEC of the papers' settings: α, β, mask rate, σ (Å), batch, epochs, learning rate, weight decay.
PUBLISHED = {
    "gpip-md17": (1, 1, 0.15, 0.15, 100, 3, 1e-3, 0.01),
    "gpip-iso17": (1, 0.5, 0.15, 0.15, 100, 4, 5e-5, 0.01),
    "gpip-water": (1, 0.1, 0.15, 0.15, 100, 3, 4e-3, 0.01),
    "gpip-electrolyte": (1, 0.1, 0.05, 0.15, 3, 3, 4e-3, 0.01),
    "wang-ani": (1, None, None, 0.2, 256, 5, 2e-4, 0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_hold_the_published_numbers(name):
    recipe = Recipe(preset=name)
    mask, denoise, contrast, optimization = recipe.mask, recipe.denoise, recipe.contrast, recipe.optimization
    assert (
        denoise.weight,
        contrast and contrast.weight,
        mask and mask.rate,
        denoise.sigma_angstrom,
        optimization.batch_size,
        optimization.n_epochs,
        optimization.learning_rate,
        optimization.weight_decay,
    ) == PUBLISHED[name]
    assert (denoise.target, denoise.unit, denoise.normalisation, denoise.readout) == (
        "paper",
        "angstrom",
        "configuration",
        "paper",
    )
    assert optimization.schedule == "cosine"
    assert optimization.gradient_clip is None
    for written in (recipe.model_dump(mode="json"), recipe.model_dump(mode="json", exclude_unset=True)):
        assert Recipe.model_validate(written) == recipe


def test_the_presets_are_all_in_the_documentation():
    page = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    assert set(Recipe.presets) == set(PUBLISHED)
    assert all(f"`{name}`" in page for name in Recipe.presets)


def test_the_warm_up_of_wang_is_a_part_of_an_epoch():
    optimization = Recipe(preset="wang-ani").optimization
    n_frames = 256_000  # 1,000 steps an epoch
    assert optimization.warmup(n_frames, optimization.total_steps(n_frames)) == 700
    assert optimization.learning_rate * optimization.final_learning_rate_fraction == pytest.approx(1e-7)
    assert Optimization(n_steps=50).warmup(n_frames, 50) == 25


def test_keys_beside_a_preset_win_and_null_takes_a_task_out():
    given = {
        "preset": "gpip-water",
        "denoise": {"normalisation": "batch"},
        "contrast": None,
        "optimization": {"n_steps": 7, "gradient_clip": 5.0},
    }
    recipe = Recipe.model_validate(given)
    assert (recipe.denoise.normalisation, recipe.denoise.sigma_angstrom) == ("batch", 0.15)
    assert recipe.contrast is None
    assert recipe.mask.rate == 0.15
    assert (recipe.optimization.n_steps, recipe.optimization.n_epochs) == (7, None)
    assert (recipe.optimization.gradient_clip, recipe.optimization.learning_rate) == (5.0, 4e-3)
    assert Recipe(preset="wang-ani", optimization={"warmup_steps": 9}).optimization.warmup(10**6, 10**4) == 9


def test_a_preset_is_enough_for_the_schema():
    given = deepcopy(DEFAULT)
    given["pretraining"]["recipes"] = {"gpip": {"preset": "gpip-water"}}
    assert project_from(given).pretraining.recipes["gpip"].optimization.n_epochs == 3
    jsonschema.validate(given, yaml.safe_load(json_schema()))


def with_seeds(pretraining_seeds):
    given = deepcopy(DEFAULT)
    given["experiments"]["water"] |= {"seeds": [3, 5, 8], "backbones": ["schnet"]}
    given["experiments"]["water"]["pretraining_seeds"] = pretraining_seeds
    return project_from(given)


@pytest.mark.parametrize(("pretraining_seeds", "expected"), [("own", [3, 5, 8]), ("shared", [3])])
def test_each_seed_has_a_pre_training_run_of_its_own_unless_they_share_one(pretraining_seeds, expected):
    project = with_seeds(pretraining_seeds)
    assert [run["seed"] for run in plan.pretraining_runs(project)] == expected
    tuned = [run for run in plan.fine_tuning_runs(project) if run["arm"] == "gpip"]
    starts = [plan.pretraining_of(project, run | {"seed": str(run["seed"])}) for run in tuned]
    assert [start["seed"] for start in starts] == (expected if pretraining_seeds == "own" else [3, 3, 3])
    assert all(start in plan.pretraining_runs(project) for start in starts)
    scratch = next(run for run in plan.fine_tuning_runs(project) if run["arm"] == "scratch")
    assert plan.pretraining_of(project, scratch) is None


def test_own_pre_training_is_the_default():
    assert project_from(DEFAULT).experiments["water"].pretraining_seeds == "own"


def test_costs_of_steps_are_measured_for_arms_of_equal_compute_alone():
    given = deepcopy(DEFAULT)
    assert plan.step_cost_runs(project_from(given)) == []
    arms = {"scratch": {}, "long": {"equal_compute_to": "gpip"}, "gpip": {"recipe": "gpip"}}
    given["experiments"]["water"] |= {"initialisations": arms, "backbones": ["schnet"], "n_train": [12, 24]}
    assert plan.step_cost_runs(project_from(given)) == [
        {"experiment": "water", "backbone": "schnet", "recipe": "gpip", "n_train": n} for n in (12, 24)
    ]


def test_a_record_lists_only_what_had_an_effect():
    rates = Optimization(n_epochs=3, learning_rate={"schnet": 6e-3, "painn": 1e-3}, schedule="constant")
    used = FineTuning(optimization=rates).of_backbone("schnet").used()["optimization"]
    assert used["learning_rate"] == 6e-3
    assert used["n_epochs"] == 3
    assert not {"n_steps", "warmup_epochs", "final_learning_rate_fraction"} & set(used)
    assert set(Initialisation().used()) == set()
    assert set(Initialisation(recipe="a").used()) == {"recipe", "energy_head"}
    recipe = Recipe(mask={}, denoise={}, optimization=Optimization(n_steps=5)).used()
    assert set(recipe) == {"mask", "denoise", "optimization"}
    assert "noise_angstrom" not in recipe["mask"]
    assert "noise_angstrom" in Recipe(mask={}, optimization=Optimization(n_steps=5)).used()["mask"]
    assert "gap" not in Split(n_validation=1, n_test=1, gap=4).used()
    assert "softening_angstrom" not in EGNNSettings(model="egnn", normalized=False).used()
    assert "preset" not in SchNetSettings(model="schnet").used()


@pytest.mark.parametrize(
    ("thermostat", "listed"),
    [("langevin", {"friction_per_ps"}), ("nose-hoover", {"collision_frequency_per_ps"}), ("nve", set())],
)
def test_a_record_lists_the_friction_of_the_thermostat_that_ran(thermostat, listed):
    used = MLMD(thermostat=thermostat, duration_ps=1).used()
    assert set(used) & {"friction_per_ps", "collision_frequency_per_ps"} == listed
    assert "n_seeds" not in used
