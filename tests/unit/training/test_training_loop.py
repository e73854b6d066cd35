"""The loop: resumed equals uninterrupted, best weights, schedule, batches."""

import numpy as np
import pandas as pd
import pytest
import torch

from gpip.config.backbones import SchNetSettings
from gpip.config.optimization import Optimization
from gpip.core.errors import InputError
from gpip.models.registry import make_potential
from gpip.training.batches import BatchOrder
from gpip.training.device import training_device
from gpip.training.loop import Plan, Validation, train
from gpip.training.schedule import learning_rate_at
from gpip.training.supervised import EnergyForceObjective

BACKBONE = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)


class Killed(Exception):
    pass


def objective(frames, killed_at=None):
    torch.manual_seed(0)
    made = EnergyForceObjective(make_potential(BACKBONE), frames, 1.0, 100.0, "test")
    whole = made.losses

    def losses(indices, step):
        if step == killed_at:
            raise Killed
        return whole(indices, step)

    made.losses = losses
    return made


def plan(folder, **changes):
    settings = {
        "n_steps": 12,
        "learning_rate": 1e-2,
        "batch_size": 2,
        "checkpoint_every_steps": 5,
        "log_every_steps": 3,
    } | changes
    return Plan(
        settings=Optimization(**settings),
        n_steps=settings["n_steps"],
        n_frames=6,
        seed=1,
        history=folder / "history.csv",
        fingerprint={"test": 1},
    )


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_resumed_equals_uninterrupted_to_the_last_bit(tmp_path, water_frames, ema_decay):
    whole = objective(water_frames)
    result, _ = train(whole, plan(tmp_path / "whole", ema_decay=ema_decay))

    with pytest.raises(Killed):
        train(objective(water_frames, killed_at=8), plan(tmp_path / "cut", ema_decay=ema_decay))
    resumed = objective(water_frames)
    for parameter in resumed.module.parameters():
        parameter.data.zero_()  # everything must come from the checkpoint
    assert train(resumed, plan(tmp_path / "cut", ema_decay=ema_decay))[0] == result

    torch.testing.assert_close(resumed.module.state_dict(), whole.module.state_dict(), atol=0, rtol=0)
    assert (tmp_path / "whole/history.csv").read_text() == (tmp_path / "cut/history.csv").read_text()


@torch.no_grad()
def distance(one, other):
    """Between the weights of two networks."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return float(sum((a - b).square().sum() for a, b in pairs).sqrt())


def test_moving_average_soon_forgets_where_it_began(tmp_path, water_frames):
    begun, plain, averaged = (objective(water_frames) for _ in range(3))
    train(plain, plan(tmp_path / "plain"))
    train(averaged, plan(tmp_path / "averaged", ema_decay=0.999))
    assert 0 < distance(averaged.module, plain.module) < 0.5 * distance(begun.module, plain.module)


def test_checkpoint_of_other_settings_is_not_resumed(tmp_path, water_frames, capsys):
    with pytest.raises(Killed):
        train(objective(water_frames, killed_at=8), plan(tmp_path))
    changed = plan(tmp_path)
    object.__setattr__(changed, "fingerprint", {"test": 2})
    train(objective(water_frames), changed)
    assert "starting afresh" in capsys.readouterr().out


def test_best_weights_by_validation_are_left_in_the_module(tmp_path, water_frames):
    trained = objective(water_frames)
    scores = iter([5.0, 3.0, 1.0, 4.0, 2.0])
    seen = []

    def score():
        value = next(scores)
        seen.append((value, trained.module.energy_head.layers[0].weight.detach().clone()))
        return value, {"score": value}

    result, _ = train(trained, plan(tmp_path), Validation(score, ["score"], every_steps=3))
    assert result["best_step"] == 6
    torch.testing.assert_close(trained.module.energy_head.layers[0].weight, seen[2][1], atol=0, rtol=0)


def test_gradient_norms_per_task_do_not_change_the_training(tmp_path, water_frames):
    often, seldom = objective(water_frames), objective(water_frames)
    train(often, plan(tmp_path / "often", log_every_steps=1))
    train(seldom, plan(tmp_path / "seldom", log_every_steps=100))
    torch.testing.assert_close(often.module.state_dict(), seldom.module.state_dict(), atol=1e-4, rtol=1e-3)
    table = pd.read_csv(tmp_path / "often/history.csv")
    assert (table[["gradient_norm_energy", "gradient_norm_forces", "gradient_norm"]] > 0).all().all()
    assert list(table.step) == list(range(12))


def test_a_gradient_that_is_not_finite_stops_with_step_and_remedy(tmp_path, water_frames):
    broken = objective(water_frames)
    whole = broken.losses
    broken.losses = lambda i, step: {n: v * (float("nan") if step == 4 else 1) for n, v in whole(i, step).items()}
    with pytest.raises(InputError, match=r"step 4 .*lower learning_rate"):
        train(broken, plan(tmp_path))


def test_learning_rate_rises_then_falls_to_its_floor():
    settings = Optimization(n_steps=100, learning_rate=1.0, warmup_steps=10, final_learning_rate_fraction=0.1)
    rates = [learning_rate_at(step, 100, settings, 6) for step in range(101)]
    assert np.argmax(rates) == 10
    assert rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert np.all(np.diff(rates[:11]) > 0)
    assert np.all(np.diff(rates[10:]) < 0)


def test_an_epoch_sees_every_frame_once_and_counts_them():
    order = BatchOrder(n_frames=7, batch_size=3, seed=4)
    first, second = (np.concatenate([order(s) for s in steps]) for steps in (range(3), range(3, 6)))
    assert sorted(first) == sorted(second) == list(range(7))
    assert list(first) != list(second)
    assert [order.frames_seen(n) for n in range(5)] == [0, 3, 6, 7, 10]
    np.testing.assert_array_equal(BatchOrder(7, 3, 4)(5), order(5))


def test_frames_without_forces_are_refused(tmp_path, water_frames):
    from dataclasses import replace

    frames = [replace(frame, forces=None) for frame in water_frames]
    with pytest.raises(InputError, match="has no forces"):
        train(objective(frames), plan(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here, so asking for one is no error")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="a GPU was asked for"):
        training_device("cuda")
