"""Fine-tuning: what is carried over, the factor of a carried head, the written files, exact resume."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import gpip.finetuning.run as finetuning_run
from gpip.config.backbones import GemNetSettings, PaiNNSettings, SchNetSettings
from gpip.config.experiments import FineTuning, Initialisation
from gpip.config.optimization import Optimization
from gpip.core.errors import InputError
from gpip.datasets.splits import SplitIndices, write_split
from gpip.datasets.writer import write_dataset
from gpip.finetuning.initialise import initial_potential
from gpip.finetuning.run import Outputs, fine_tune
from gpip.models.checkpoint import load_potential, save_potential
from gpip.models.registry import make_potential
from gpip.training.supervised import predict

BACKBONE = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)
SETTINGS = FineTuning(
    optimization=Optimization(n_steps=9, learning_rate=1e-2, batch_size=2, checkpoint_every_steps=4, log_every_steps=3),
    validate_every_steps=3,
)


def pretrained(tmp_path, seed=5):
    potential = make_potential(BACKBONE, seed)
    save_potential(tmp_path / "pretrained.ckpt", potential, BACKBONE, {})
    return tmp_path / "pretrained.ckpt", potential


@pytest.mark.parametrize("energy_head", ["fresh", "carried"])
def test_transfer_carries_the_backbone_and_the_head_only_when_asked(tmp_path, water_frames, energy_head):
    path, source = pretrained(tmp_path)
    arm = Initialisation(recipe="denoise", energy_head=energy_head)
    potential, record = initial_potential(BACKBONE, arm, path, water_frames, seed=1)
    for name, weight in potential.named_parameters():
        same = torch.equal(weight, dict(source.named_parameters())[name])
        assert same == (name.startswith("backbone.") or energy_head == "carried"), name
        assert (name in record["loaded"]) == same
        assert (name in record["fresh"]) != same


def test_seeds_decide_the_fresh_weights(water_frames):
    made = [initial_potential(BACKBONE, Initialisation(), None, water_frames, seed)[0] for seed in (1, 1, 2)]
    first, again, other = (dict(potential.named_parameters()) for potential in made)
    torch.testing.assert_close(again, first, atol=0, rtol=0)
    for name in ("backbone.embedding.weight", "energy_head.layers.0.weight"):
        assert not torch.equal(other[name], first[name])


def test_scratch_loads_nothing_and_says_so(water_frames):
    potential, record = initial_potential(BACKBONE, Initialisation(), None, water_frames, seed=1)
    assert record["loaded"] == []
    assert set(dict(potential.named_parameters())) <= set(record["fresh"])


def test_scales_are_fitted_to_a_fresh_network_and_carried_by_a_pre_trained_one(tmp_path, water_frames):
    gemnet = GemNetSettings(model="gemnet", n_layers=1, n_features=8, n_edge_features=8, cutoff_angstrom=3.0)
    fresh, _ = initial_potential(gemnet, Initialisation(), None, water_frames, seed=1)
    scale = "interactions.0.triplets.scale_sum.factor"
    assert fresh.backbone.get_buffer(scale) != 1
    source = make_potential(gemnet, seed=5)
    source.backbone.get_buffer(scale).fill_(7.0)
    save_potential(tmp_path / "gemnet.ckpt", source, gemnet, {})
    arm = Initialisation(recipe="denoise")
    carried, _ = initial_potential(gemnet, arm, tmp_path / "gemnet.ckpt", water_frames, seed=1)
    assert carried.backbone.get_buffer(scale) == 7


def test_a_carried_head_gets_the_factor_that_fits_the_forces_best(tmp_path, water_frames):
    """Labels that are -3 times the pre-trained forces give the factor -3, and forces without error."""
    path, source = pretrained(tmp_path)
    forces = predict(source, water_frames)[1]
    frames = [replace(frame, forces=-3 * force) for frame, force in zip(water_frames, forces, strict=True)]
    arm = Initialisation(recipe="denoise", energy_head="carried")
    potential, record = initial_potential(BACKBONE, arm, path, frames, seed=1)
    assert record["head_factor"] == pytest.approx(-3, rel=1e-5)
    assert record["head_force_correlation"] == pytest.approx(-1, abs=1e-6)
    for frame, force in zip(frames, predict(potential, frames)[1], strict=True):
        np.testing.assert_allclose(force, frame.forces, atol=1e-4 * np.abs(frame.forces).max())


def test_the_start_has_no_error_in_the_mean_energy(water_frames):
    potential, _ = initial_potential(BACKBONE, Initialisation(), None, water_frames, seed=1)
    energies, _ = predict(potential, water_frames)
    assert np.mean(energies) == pytest.approx(np.mean([frame.energy for frame in water_frames]), abs=1e-5)


def test_a_checkpoint_of_another_backbone_is_refused(tmp_path, water_frames):
    path, _ = pretrained(tmp_path)
    other = PaiNNSettings(model="painn", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)
    with pytest.raises(InputError, match=r"another backbone: model is 'schnet' in the file, 'painn' expected"):
        initial_potential(other, Initialisation(recipe="denoise"), path, water_frames, seed=1)


@pytest.fixture
def files(tmp_path, water_frames):
    return written(tmp_path, water_frames)


def written(tmp_path, water_frames):
    """Labels and split files of six frames: three to train, one to validate, two to test."""
    first = water_frames[0]
    stack = {name: np.stack([getattr(frame, name) for frame in water_frames]) for name in ("positions", "forces")}
    fields = stack | {
        "species": first.species,
        "cell": np.stack([frame.cell for frame in water_frames]),
        "pbc": first.pbc,
        "energy": np.array([frame.energy for frame in water_frames]),
        "temperature": np.full(6, 300.0),
    }
    write_dataset(tmp_path / "labels.h5", {"water": fields}, {})
    write_split(tmp_path / "split.json", SplitIndices([0, 1, 2], [3], [4, 5]), {})
    return tmp_path / "labels.h5", tmp_path / "split.json"


def run(files, folder, arm=None, checkpoint=None, **more):
    names = {"checkpoint": "model.ckpt", "history": "history.csv", "errors": "errors.json", "cost": "cost.json"}
    outputs = Outputs(**{key: folder / name for key, name in names.items()}, predictions=folder / "predictions.h5")
    where = {"n_threads": 1, "device": "cpu", "outputs": outputs}
    fine_tune(*files, checkpoint, BACKBONE, arm or Initialisation(), SETTINGS, seed=1, **where, **more)
    return outputs


@pytest.mark.parametrize("frame", [1, 3, 5])
def test_an_atom_without_neighbours_stops_before_the_first_step(tmp_path, water_frames, frame):
    """In training, validation and test frames: 0 to 2, 3, 4 and 5."""
    frames = [replace(one, cell=np.eye(3) * 30, positions=one.positions.copy()) for one in water_frames]
    frames[frame].positions[4] += 12
    files = written(tmp_path, frames)
    with pytest.raises(
        InputError, match=rf"frame {frame}: atom 4 \(H\) has no .* 3 Å \(cutoff_angstrom of this schnet backbone"
    ):
        run(files, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_written_errors_are_those_of_the_written_predictions(tmp_path, files):
    outputs = run(files, tmp_path / "run")
    errors = json.loads(outputs.errors.read_text())
    with h5py.File(outputs.predictions) as file:
        difference = file["forces_predicted"][...] - file["forces_reference"][...]
        energy = file["energy_predicted"][...] - file["energy_reference"][...]
        assert list(file["source_frame"]) == [4, 5]
    assert errors["test"]["force_mae_mev_per_angstrom"] == pytest.approx(1000 * np.abs(difference).mean(), rel=1e-5)
    assert errors["test"]["energy_mae_mev_per_atom"] == pytest.approx(1000 * np.abs(energy).mean() / 24, rel=1e-5)
    assert errors["n_steps"] == 9
    assert errors["frames_seen"] == 14  # batches of 2 and 1 in turn
    assert errors["step_0"]["force_mae_mev_per_angstrom"] > 0
    assert load_potential(outputs.checkpoint, BACKBONE).n_parameters == errors["n_parameters"]
    table = pd.read_csv(outputs.history)
    assert list(table.dropna(subset="force_mae_mev_per_angstrom").step) == [0, 3, 6, 9]


def test_resumed_equals_uninterrupted(tmp_path, files, monkeypatch):
    class Killed(Exception):
        pass

    class Interrupted(finetuning_run.EnergyForceObjective):
        def losses(self, frames, step):
            if step == 6:
                raise Killed
            return super().losses(frames, step)

    whole = run(files, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(finetuning_run, "EnergyForceObjective", Interrupted)
        with pytest.raises(Killed):
            run(files, tmp_path / "cut")
    resumed = run(files, tmp_path / "cut")
    states = [load_potential(outputs.checkpoint).state_dict() for outputs in (whole, resumed)]
    torch.testing.assert_close(states[1], states[0], atol=0, rtol=0)
    assert whole.history.read_text() == resumed.history.read_text()
    assert sorted(p.name for p in (tmp_path / "cut").iterdir() if p.is_file()) == sorted(
        ["model.ckpt", "history.csv", "errors.json", "predictions.h5", "cost.json"]
    )
