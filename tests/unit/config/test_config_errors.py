"""Each wrong value of config.yaml gives one error that says where, what was given and what to do."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from gpip.config import load_project, project_from
from gpip.config.project import check_split
from gpip.core.errors import InputError

ROOT = Path(__file__).parents[3]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def with_change(path, value):
    changed = deepcopy(DEFAULT)
    *parents, last = path.split("/")
    place = changed
    for key in parents:
        place = place[key]
    place[last] = value
    return changed


WRONG = {
    "unknown key": ("sytems", {}, r"unknown key 'sytems'; did you mean 'systems'"),
    "unknown nested key": (
        "systems/water/tempratures_kelvin",
        [300],
        r"systems.water: unknown key 'tempratures_kelvin'; did you mean 'temperatures_kelvin'",
    ),
    "negative temperature": ("systems/water/temperatures_kelvin", [-5, 300], r"temperatures_kelvin.0: .*given: -5"),
    "unordered temperatures": ("systems/water/temperatures_kelvin", [300, 200], r"must ascend"),
    "unknown species": ("systems/water/species", {"watr": 64}, r"'watr' is not known; did you mean 'water'"),
    "cutoff above half the box": ("systems/water/cutoff_angstrom", 7.0, r"7 is above half the box \(6\.2"),
    "cutoff above half the start of NPT": (
        "systems/water",
        DEFAULT["systems"]["water"] | {"density": "npt", "npt": {"start_density_g_per_cm3": 1.2}},
        r"6 is above half the box \(5\.8",
    ),
    "NPT and a density": ("systems/water/npt", {}, r"density is the number 0\.997: set .*npt.* or leave out"),
    "neither NPT nor a density": ("systems/water/density", "nvt", r"a number in g/cm3, or npt .* \(given: 'nvt'"),
    "too dense": ("systems/water/density", 997, r"denser than any liquid.*: 997 kg/m3 is 0\.997 \(given: 997"),
    "impossible sampling": ("systems/water/sampling/sample_every_ps", 0.13, r"not a whole number of steps"),
    "unknown force field": ("systems/water/force_field", "tip5p", r"force_field.*tip3p.*given: 'tip5p'"),
    "unknown backbone": ("experiments/water/backbones", ["schnett"], r"'schnett' is not known; did you mean 'schnet'"),
    "no model": ("backbones/schnet", {"n_layers": 3}, r"backbones\.schnet: the key 'model' is missing"),
    "setting of another model": (
        "backbones/schnet/n_heads",
        3,
        r"backbones\.schnet: 'n_heads' is a setting of et, se3_transformer; schnet has: preset, cutoff_angstrom",
    ),
    "unknown model": ("backbones/schnet/model", "schnett", r"backbones\.schnet: model: 'schnett'.*mean 'schnet'"),
    "unknown setting": ("backbones/schnet/n_layer", 3, r"backbones\.schnet: unknown key 'n_layer'; .*'n_layers'"),
    "unknown preset": ("backbones/schnet/preset", "gpip-md", r"did you mean 'gpip-md17'"),
    "unknown recipe": ("experiments/water/initialisations", ["scratch", "gpp"], r"'gpp' is not known.*'gpip'"),
    "unknown set": ("experiments/water/pretraining_set", "wter", r"did you mean 'water'"),
    "unknown labels": ("experiments/water/labels", "water-xbt", r"did you mean 'water-xtb'"),
    "splits larger than the labels": ("experiments/water/n_train", [4000], r"4000 training \+ .* have \d+"),
    "temperature not sampled": ("labels/water-xtb/temperature_kelvin", 350, r"350 K is not sampled"),
    "more labels than frames": (
        "labels/water-xtb/n_frames",
        100000,
        r"keep \d+ \(water at 300 K\): lengthen production_ps",
    ),
    "recipe without a task": (
        "pretraining/recipes/empty",
        {"optimization": {"n_steps": 5}},
        r"recipes.empty: a recipe needs at least one task",
    ),
    "unknown recipe preset": (
        "pretraining/recipes/gpip/preset",
        "gpip-watr",
        r"recipes\.gpip: preset: 'gpip-watr' is not known; did you mean 'gpip-water'",
    ),
    "seeds of pre-training": ("experiments/water/pretraining_seeds", "one", r"Input should be 'own' or 'shared'"),
    "unknown normalisation": (
        "pretraining/recipes/gpip/denoise/normalisation",
        "frame",
        r"Input should be 'component', 'atom', 'configuration' or 'batch'",
    ),
    "two lengths": (
        "pretraining/recipes/gpip/optimization",
        {"n_steps": 5, "n_epochs": 2},
        r"exactly one of n_steps and n_epochs",
    ),
    "carried head that nothing trained": (
        "experiments/water/initialisations",
        {"a": {"recipe": "masked", "energy_head": "carried"}},
        r"does not train an energy head",
    ),
    "path in a name": ("systems/a|b", {}, r"systems.a|b"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_value_is_named(name):
    path, value, message = WRONG[name]
    given = with_change(path, value)
    given["pretraining"]["recipes"]["masked"] = {"mask": {}, "optimization": {"n_steps": 5}}
    with pytest.raises(InputError, match=message) as caught:
        project_from(given)
    assert "Traceback" not in str(caught.value)


def test_the_default_configuration_is_right():
    assert load_project(ROOT / "config.yaml").experiments


def test_npt_has_defaults_and_only_its_start_builds_the_box():
    given = with_change("systems/water/density", "npt")
    water = project_from(given).systems["water"]
    assert water.npt.pressure_bar == 1.01325
    assert water.npt.start_density_g_per_cm3 is None
    assert water.box.density_g_per_cm3 == pytest.approx(0.9 * 0.997)
    given["systems"]["water"]["npt"] = {"production_ps": 1.0}
    other = project_from(given)
    assert other.systems["water"].box == water.box
    assert other.systems["water"].npt != water.npt
    assert project_from(other.model_dump(mode="json")) == other
    assert project_from(other.model_dump(mode="json", exclude_unset=True)) == other


def test_text_is_not_a_number():
    with pytest.raises(InputError, match="production_ps"):
        project_from(with_change("systems/water/sampling/production_ps", "long"))


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_project(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("systems: [")
    with pytest.raises(InputError, match="not valid YAML"):
        load_project(tmp_path / "config.yaml")


def test_missing_data_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GPIP_DATA", raising=False)
    project = load_project(ROOT / "config.yaml")
    with pytest.raises(InputError, match=r"set data_dir in config\.yaml"):
        project.data_path("water")
    monkeypatch.setenv("GPIP_DATA", str(tmp_path))
    with pytest.raises(InputError, match="is missing"):
        project.data_path("water")


def test_gaps_count_in_a_time_split():
    given = with_change("experiments/water/split", {"kind": "time", "n_validation": 8, "n_test": 16, "gap": 10})
    experiment = load_project(ROOT / "config.yaml").experiments["water"]
    given["experiments"]["water"]["n_train"] = [30]
    given["labels"]["water-xtb"]["n_frames"] = 64
    with pytest.raises(InputError, match="20 left out in gaps"):
        project_from(given)
    check_split("here", experiment, 10_000)


def selecting(**selection):
    """The default configuration with a selection instead of the short form of the labels."""
    given = deepcopy(DEFAULT)
    wanted = {"n_frames": 36, "from": [{"system": "water"}]} | selection
    given["labels"]["water-xtb"] = {"source": "tblite", "selection": wanted}
    return given


def test_the_short_form_of_labels_is_a_selection():
    short = project_from(DEFAULT).labels["water-xtb"].selected
    written_out = [{"system": "water", "temperatures_kelvin": [300]}]
    assert short == project_from(selecting(**{"from": written_out})).labels["water-xtb"].selected
    given = selecting(**{"from": [{"system": "napf6-dme"}, {"system": "water"}]})
    given["experiments"]["water"]["ml_md"]["system"] = "water"
    project = project_from(given)
    runs = project.selected_runs(project.labels["water-xtb"])
    assert runs[:3] == [("napf6-dme", 300.0), ("napf6-dme", 600.0), ("water", 100.0)]
    assert project_from(project.model_dump(mode="json", exclude_unset=True)) == project


SELECTIONS = {
    "unknown system": ({"from": [{"system": "watr"}]}, r"water-xtb\.selection\.from: 'watr'.*mean 'water'"),
    "temperature": ({"from": [{"system": "water", "temperatures_kelvin": [350]}]}, r"350 K is not sampled"),
    "system twice": ({"from": [{"system": "water"}, {"system": "water"}]}, "names a system twice"),
    "nothing": ({"from": []}, "at least 1 item"),
    "too many of one run": ({"n_frames": 1001}, r"1001 wanted, 101 from each run, but the classical runs keep 100"),
    "too many of all": ({"n_frames": 1001, "method": "random"}, r"1001 wanted but the classical runs keep"),
    "fewer than runs": ({"n_frames": 9}, "9 frames are fewer than the 10 runs"),
    "farthest of what": ({"method": "farthest"}, "farthest needs a descriptor"),
    "idle descriptor": ({"descriptor": {"kind": "soap"}}, "descriptor is for method farthest, but method is even"),
    "unknown network": (
        {
            "method": "farthest",
            "descriptor": {"kind": "backbone", "pretraining_set": "water", "backbone": "schnett", "recipe": "gpip"},
        },
        r"descriptor\.backbone: 'schnett'.*mean 'schnet'",
    ),
    "unknown key": (
        {"metod": "even"},
        r"unknown key 'metod'; did you mean 'method'\? known keys: method, n_frames, from",
    ),
}


@pytest.mark.parametrize("case", SELECTIONS)
def test_a_selection_that_cannot_be_made_is_refused(case):
    changes, message = SELECTIONS[case]
    with pytest.raises(InputError, match=message):
        project_from(selecting(**changes))


def test_both_forms_or_neither_are_refused():
    given = selecting()
    given["labels"]["water-xtb"] |= {"system": "water", "n_frames": 3}
    with pytest.raises(InputError, match="selection and system, n_frames are given: move system, n_frames into"):
        project_from(given)
    given = deepcopy(DEFAULT)
    del given["labels"]["water-xtb"]["n_frames"]
    with pytest.raises(InputError, match="n_frames missing: give system, temperature_kelvin and n_frames, or a sele"):
        project_from(given)


def test_charge_and_multiplicity_must_fit_the_electrons():
    given = deepcopy(DEFAULT)
    labels = given["labels"]["water-xtb"]
    project = project_from(given)
    assert project.label_charge(project.labels["water-xtb"], "water") == 0
    labels["charge"] = 1
    with pytest.raises(InputError, match=r"has 639 electrons \(charge \+1 e\), which multiplicity 1 does not fit"):
        project_from(given)
    labels["multiplicity"] = {"water": 2}
    assert project_from(given).labels["water-xtb"].n_unpaired_of("water") == 1
    labels["multiplicity"] = {"wter": 2}
    with pytest.raises(InputError, match="multiplicity names wter, which is not labelled"):
        project_from(given)
    given = deepcopy(DEFAULT)
    given["systems"] |= {"anion": {"species": {"PF6-": 1}, "force_field": "opls-aa", "periodic": False}}
    given["labels"]["ion"] = {"source": "tblite", "selection": {"n_frames": 10, "from": [{"system": "anion"}]}}
    project = project_from(given)
    assert project.label_charge(project.labels["ion"], "anion") == -1


def test_dynamics_must_know_its_system():
    given = selecting(**{"from": [{"system": "napf6-dme"}, {"system": "water"}]})
    with pytest.raises(InputError, match=r"ml_md\.system: labels 'water-xtb' hold napf6-dme, water; say which"):
        project_from(given)
    given["experiments"]["water"]["ml_md"]["system"] = "wate"
    with pytest.raises(InputError, match=r"ml_md\.system: 'wate' is not known; did you mean 'water'"):
        project_from(given)
    given["experiments"]["water"]["ml_md"]["system"] = "water"
    assert project_from(given)
