"""Frames go out as they are, come back as the same, and a missing command is one clear error."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest

from gpip.baselines.commands import Commands
from gpip.baselines.exchange import ENERGY, FORCES, read_predicted, write_labelled
from gpip.baselines.mace import mace_input
from gpip.baselines.nequip import nequip_input
from gpip.baselines.training import Task
from gpip.config.baselines import MACESettings, NequIPSettings
from gpip.core.errors import InputError


def commands(folder, log="job.log"):
    return Commands("mace-small", "mace-torch", folder, n_threads=1, log=log)


def test_labels_reach_the_file_in_full(tmp_path, water_frames):
    write_labelled(tmp_path / "train.xyz", water_frames[:2])
    for atoms, frame in zip(ase.io.read(tmp_path / "train.xyz", index=":"), water_frames, strict=False):
        assert atoms.calc is None
        assert atoms.info[ENERGY] == frame.energy
        np.testing.assert_allclose(atoms.arrays[FORCES], frame.forces, atol=1e-8)
        np.testing.assert_allclose(atoms.positions, frame.positions, atol=1e-8)
        np.testing.assert_array_equal(atoms.cell.array, frame.cell)
        assert atoms.pbc.all()


def test_a_frame_without_a_box_stays_without(tmp_path, water_frames):
    frame = replace(water_frames[0], cell=np.zeros((3, 3)), pbc=np.zeros(3, bool))
    write_labelled(tmp_path / "train.xyz", [frame])
    atoms = ase.io.read(tmp_path / "train.xyz")
    assert not atoms.pbc.any()
    assert not atoms.cell.array.any()


def test_predictions_come_back_as_written(tmp_path, water_frames):
    write_labelled(tmp_path / "out.xyz", water_frames)
    energies, forces = read_predicted(tmp_path / "out.xyz", water_frames, ENERGY, FORCES)
    assert energies.tolist() == [frame.energy for frame in water_frames]
    np.testing.assert_allclose(np.stack(forces), np.stack([frame.forces for frame in water_frames]), atol=1e-8)


def moved(frame):
    return replace(frame, positions=frame.positions + np.float32(1e-3))


def reordered(frame):
    return replace(frame, species=frame.species[::-1])


def diverged(frame):
    return replace(frame, energy=float("nan"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frames: frames[:-1], r"1 frames, but 2 were given"),
        (lambda frames: frames[::-1], r"frame 0: other positions"),
        (lambda frames: [frames[0], moved(frames[1])], r"frame 1: other positions"),
        (lambda frames: [reordered(frames[0]), frames[1]], r"frame 0: other species"),
        (lambda frames: [frames[0], diverged(frames[1])], r"frame 1: the prediction is not finite: lower learning"),
    ],
)
def test_predictions_of_other_frames_are_refused(tmp_path, water_frames, change, message):
    given = water_frames[:2]
    write_labelled(tmp_path / "out.xyz", change(given))
    with pytest.raises(InputError, match=message):
        read_predicted(tmp_path / "out.xyz", given, ENERGY, FORCES)


def test_a_file_without_predictions_is_refused(tmp_path, water_frames):
    write_labelled(tmp_path / "out.xyz", water_frames)
    with pytest.raises(InputError, match="the package wrote no MACE_energy and no MACE_forces"):
        read_predicted(tmp_path / "out.xyz", water_frames, "MACE_energy", "MACE_forces")


def test_a_missing_command_says_where_it_was_sought_and_how_to_install_it(tmp_path, monkeypatch):
    with pytest.raises(InputError) as caught:
        commands(str(tmp_path)).find("mace_run_train")
    for words in (
        "baseline 'mace-small': the command mace_run_train was not found",
        f"in command_folder '{tmp_path}'",
        "mace/bin/pip install mace-torch",
        "baselines.mace-small.command_folder",
        "envs/mace.yaml",
    ):
        assert words in str(caught.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=rf"not found on PATH \({tmp_path}\)"):
        commands(None).find("mace_run_train")


def test_a_command_runs_with_its_threads_and_without_our_modules(tmp_path, monkeypatch, capfd):
    script = tmp_path / "mace_run_train"
    script.write_text('#!/bin/sh\necho "$OMP_NUM_THREADS ${PYTHONPATH-none} $PWD $1"\nexit $1\n')
    script.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    commands(str(tmp_path)).run(tmp_path, "mace_run_train", 0)
    assert f"1 none {tmp_path} 0" in capfd.readouterr().out
    with pytest.raises(InputError, match=r"mace_run_train failed with exit status 3.*job\.log") as caught:
        commands(str(tmp_path)).run(tmp_path, "mace_run_train", 3)
    assert str(caught.value).endswith(f"1 none {tmp_path} 3")


def task(tmp_path):
    sizes = {"n_train": 24, "n_validation": 4, "n_epochs": 21, "batch_size": 1}
    return Task(tmp_path, ["H", "O"], **sizes, energy_weight=368.64, force_weight=300.0, seed=7, device="cpu")


def test_extra_is_laid_over_the_input_of_the_package(tmp_path):
    mace = MACESettings(package="mace", ema_decay=None, extra={"scheduler_patience": 5, "plot": True})
    given = mace_input(mace, task(tmp_path))
    assert (given["scheduler_patience"], given["plot"], given["seed"]) == (5, True, 7)
    assert (given["energy_weight"], given["forces_weight"]) == (368.64, 300.0)
    assert "ema" not in given
    change = {"training_module": {"loss": {"coeffs": {"forces": 10.0}}, "lr_scheduler": None}}
    nequip = nequip_input(NequIPSettings(package="nequip", extra=change), task(tmp_path))["training_module"]
    assert nequip["loss"]["coeffs"] == {"total_energy": 368.64, "forces": 10.0}
    assert "lr_scheduler" not in nequip
    assert nequip["_target_"] == "nequip.train.EMALightningModule"
