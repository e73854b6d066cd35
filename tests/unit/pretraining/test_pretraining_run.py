"""A pre-training run from data set to checkpoint, for each recipe, resumed exactly."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import gpip.pretraining.run as pretraining_run
from gpip.config.backbones import EGNNSettings, PaiNNSettings, SchNetSettings
from gpip.config.optimization import Optimization
from gpip.config.pretraining import ClassicalTask, ContrastTask, DenoiseTask, MaskTask, Recipe
from gpip.core.errors import InputError
from gpip.core.seeds import seed_for
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.models.checkpoint import load_potential, read_checkpoint
from gpip.models.registry import make_potential
from gpip.pretraining.run import frames_for_references, pretrain

STEPS = Optimization(n_steps=8, learning_rate=1e-2, batch_size=2, checkpoint_every_steps=3, log_every_steps=4)
CONTRAST = ContrastTask(cutoff_angstrom=3.0)
RECIPES = {
    "gpip": Recipe(mask=MaskTask(), denoise=DenoiseTask(), contrast=CONTRAST, optimization=STEPS),
    "denoise": Recipe(denoise=DenoiseTask(), optimization=STEPS),
    "mask": Recipe(mask=MaskTask(target="element"), optimization=STEPS),
    "contrast": Recipe(contrast=CONTRAST, optimization=STEPS),
    "classical": Recipe(classical=ClassicalTask(), optimization=STEPS),
}
SCHNET = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)


@pytest.fixture
def dataset(tmp_path, water_frames):
    return write(tmp_path / "water.h5", water_frames)


def write(path, frames, with_labels=True):
    fields = {
        "species": frames[0].species,
        "positions": np.stack([frame.positions for frame in frames]),
        "cell": np.stack([frame.cell for frame in frames]),
        "pbc": frames[0].pbc,
        "temperature": np.full(len(frames), 300.0),
    }
    if with_labels:
        fields["energy"] = np.array([frame.energy for frame in frames])
        fields["forces"] = np.stack([frame.forces for frame in frames])
    write_dataset(path, {"water": fields}, {})
    return path


def run(dataset, recipe, folder, backbone=SCHNET):
    pretrain(
        dataset, backbone, recipe, 1, 1, "cpu", *(folder / name for name in ("model.ckpt", "losses.csv", "cost.json"))
    )
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_changes_the_backbone_and_logs_its_tasks(tmp_path, dataset, name):
    folder = run(dataset, RECIPES[name], tmp_path / name)
    start = dict(make_potential(SCHNET, seed_for(1, "weights")).named_parameters())
    trained = dict(load_potential(folder / "model.ckpt", SCHNET).named_parameters())
    moved = {key for key in start if not torch.equal(start[key], trained[key])}
    assert any(key.startswith("backbone.interactions") for key in moved)
    head_learns = RECIPES[name].trains_energy_head
    assert any(key.startswith("energy_head") for key in moved) == head_learns
    table = pd.read_csv(folder / "losses.csv")
    tasks = ["energy", "forces"] if name == "classical" else [t for t in ("mask", "denoise", "contrast") if t in table]
    assert tasks
    assert list(table.step) == [0, 4, 7]
    assert table[[f"gradient_norm_{task}" for task in tasks]].notna().all().all()
    assert list((folder / "tensorboard").iterdir())
    made = read_checkpoint(folder / "model.ckpt")["provenance"]
    assert made["settings"]["recipe"]
    assert made["elements"] == ["H", "O"]


def test_resumed_equals_uninterrupted(tmp_path, dataset, monkeypatch):
    class Killed(Exception):
        pass

    class Interrupted(pretraining_run.PretextObjective):
        def losses(self, frames, step):
            if step == 5:
                raise Killed
            return super().losses(frames, step)

    whole = run(dataset, RECIPES["gpip"], tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(pretraining_run, "PretextObjective", Interrupted)
        with pytest.raises(Killed):
            run(dataset, RECIPES["gpip"], tmp_path / "cut")
    resumed = run(dataset, RECIPES["gpip"], tmp_path / "cut")
    states = [load_potential(folder / "model.ckpt").state_dict() for folder in (whole, resumed)]
    torch.testing.assert_close(states[1], states[0], atol=0, rtol=0)
    assert (whole / "losses.csv").read_text() == (resumed / "losses.csv").read_text()


def test_vectors_cannot_be_read_from_an_invariant_backbone(tmp_path, dataset):
    recipe = Recipe(denoise=DenoiseTask(readout="vectors"), optimization=STEPS)
    with pytest.raises(InputError, match=r"SchNet has no vector features; use readout gradient"):
        run(dataset, recipe, tmp_path / "run")
    painn = PaiNNSettings(model="painn", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)
    run(dataset, recipe, tmp_path / "run", painn)


def test_displacements_are_read_from_backbones_that_move_atoms(tmp_path, dataset):
    recipe = Recipe(denoise=DenoiseTask(readout="coordinates"), optimization=STEPS)
    with pytest.raises(InputError, match=r"SchNet moves no atoms; use readout gradient"):
        run(dataset, recipe, tmp_path / "run")
    egnn = EGNNSettings(model="egnn", n_layers=1, n_features=8, cutoff_angstrom=3.0)
    run(dataset, recipe, tmp_path / "run", egnn)
    run(dataset, RECIPES["gpip"], tmp_path / "gradient", egnn)


def test_classical_recipe_needs_labels(tmp_path, water_frames):
    unlabelled = write(tmp_path / "bare.h5", water_frames, with_labels=False)
    with pytest.raises(InputError, match="needs energies and forces, which this data set does not hold"):
        run(unlabelled, RECIPES["classical"], tmp_path / "run")


@pytest.mark.parametrize("name", RECIPES)
def test_an_atom_without_neighbours_stops_before_the_first_step(tmp_path, water_frames, name):
    """Also where only the net of the contrast, which sees less far, has none."""
    frames = [replace(one, cell=np.eye(3) * 30, positions=one.positions.copy()) for one in water_frames]
    frames[2].positions[:3] += [0, 0, 15]
    frames[2].positions[2] = frames[2].positions[0] + [0, 0, 4.5]
    backbone = SCHNET.model_copy(update={"cutoff_angstrom": 5.0 if RECIPES[name].contrast else 3.0})
    contrast = RECIPES[name].contrast
    wanted = "contrast.cutoff_angstrom of the recipe" if contrast else "cutoff_angstrom of this schnet backbone"
    with pytest.raises(InputError, match=rf"frame 2: atom 2 \(H\) has no neighbour within 3 Å \({wanted}\)"):
        run(write(tmp_path / "set.h5", frames), RECIPES[name], tmp_path / "run", backbone)
    assert not (tmp_path / "run").exists()


def test_reference_energies_of_a_force_field_see_every_system(tmp_path):
    """A system of one frame among others of many; lone atoms have no energy in a force field."""

    def fields(species, energy, n_frames):
        positions = np.tile(1.1 * np.eye(3)[: len(species)], (n_frames, 1, 1))
        labels = {"energy": np.full(n_frames, energy), "forces": np.zeros_like(positions)}
        box = {"cell": np.zeros((n_frames, 3, 3)), "pbc": np.zeros(3, dtype=bool)}
        return labels | box | {"species": species, "positions": positions, "temperature": np.full(n_frames, 300.0)}

    water, hydroxide = np.array([8, 1, 1]), np.array([8, 1])
    systems = {"first": fields(water, -3.0, 300), "one": fields(hydroxide, -1.0, 1), "rest": fields(water, -3.0, 300)}
    write_dataset(tmp_path / "set.h5", systems, {})
    chosen = frames_for_references(Dataset(tmp_path / "set.h5"))
    assert 300 in chosen
    assert len(set(chosen)) == len(chosen) == 2 * 34 + 1
    run(tmp_path / "set.h5", RECIPES["classical"], tmp_path / "run")
    potential = load_potential(tmp_path / "run" / "model.ckpt")
    assert potential.reference.compositions.undetermined == []
    np.testing.assert_allclose(potential.reference_energies[[1, 8]], [-2.0, 1.0], atol=1e-9)
    assert potential.reference.anchors.energies_ev == {"H": 0.0, "O": 0.0}
