"""Defaults of systems, and named scales of a whole configuration."""

from pathlib import Path

import pytest
import yaml

from gpip.config import project_from
from gpip.config.layers import merged
from gpip.core.errors import InputError

ELECTROLYTES = yaml.safe_load((Path(__file__).parents[3] / "experiments/electrolytes/config.yaml").read_text())

GIVEN = {
    "system_defaults": {"force_field": "opls-aa", "density": 0.9, "sampling": {"production_ps": 20}},
    "systems": {"a": {"species": {"DME": 20}}, "b": {"species": {"DMC": 20}, "density": 1.05}},
    "scales": {"minutes": {"system_defaults": {"sampling": {"production_ps": 1}}, "systems": {"b": None}}},
}


def test_a_system_keeps_what_it_says_and_takes_the_rest_from_the_defaults():
    project = project_from(GIVEN)
    assert {name: system.density for name, system in project.systems.items()} == {"a": 0.9, "b": 1.05}
    assert {system.sampling.production_ps for system in project.systems.values()} == {20}


def test_a_scale_replaces_keys_and_takes_out_what_it_sets_to_null():
    project = project_from(GIVEN | {"scale": "minutes"})
    assert list(project.systems) == ["a"]
    assert project.systems["a"].sampling.production_ps == 1
    assert project.sets == {"a": ["a"]}
    assert project_from(project.model_dump(mode="json")) == project


def test_merging_leaves_its_arguments_alone():
    base = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merged(base, {"a": {"b": 3, "c": None}, "d": [2]}) == {"a": {"b": 3}, "d": [2]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


def test_wrong_layers_are_named():
    with pytest.raises(InputError, match=r"scale: 'minute' is not known; did you mean 'minutes'"):
        project_from(GIVEN | {"scale": "minute"})
    with pytest.raises(InputError, match="system_defaults: expected a mapping"):
        project_from(GIVEN | {"system_defaults": [1]})
    with pytest.raises(InputError, match=r"systems\.a: unknown key 'sample'; did you mean 'sampling'"):
        project_from(GIVEN | {"system_defaults": GIVEN["system_defaults"] | {"sample": {}}})


def test_the_sixteen_electrolytes_have_the_papers_counts():
    paper, minutes = project_from(ELECTROLYTES), project_from(ELECTROLYTES | {"scale": "minutes"})
    sixteen = paper.pretraining.sets["electrolytes"]
    assert len(sixteen) == 16
    assert set(paper.systems) == {*sixteen, *(f"{name}-cell" for name in sixteen)}
    assert list(minutes.systems) == sixteen
    for project, one_molar, four_molar in ((paper, (24, 192), (48, 72)), (minutes, (3, 24), (6, 9))):
        for name in sixteen:
            counts = [one.count for one in project.systems[name].contents.values()]
            pairs, solvents = four_molar if name.endswith("4m") else one_molar
            assert counts[:2] == [pairs, pairs]
            assert sum(counts[2:]) == solvents
    assert paper.n_frames_of_set("electrolytes") == 160_000
