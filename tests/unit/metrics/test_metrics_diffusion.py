"""MSD and diffusion: parabola, random walk, and the double sum."""

import numpy as np
import pytest
from ase.data import atomic_masses

from gpip.core.errors import InputError
from gpip.metrics.diffusion import (
    diffusivity_at_lag,
    diffusivity_from_slope,
    finite_size_correction,
    fitted_diffusivity,
    lag_window,
    mean_squared_displacement,
    mean_squared_displacement_direct,
    msd_of_element,
    remove_drift,
    unwrap,
)


def random_walk(n_frames: int, n_atoms: int, seed: int, step: float = 0.1) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(0, step, (n_frames, n_atoms, 3)), axis=0)


def test_constant_velocity_is_a_parabola():
    velocity, frames = np.array([0.1, 0.0, -0.2]), np.arange(50)
    positions = np.broadcast_to(frames[:, None, None] * velocity, (50, 4, 3)) + 300.0
    expected = np.broadcast_to((velocity @ velocity * frames**2)[:, None], (50, 4))
    np.testing.assert_allclose(mean_squared_displacement(positions), expected, atol=1e-9)


@pytest.mark.parametrize("n_frames", [2, 3, 100, 101])
def test_fourier_equals_the_double_sum(n_frames):
    positions = random_walk(n_frames, 5, seed=1) + 50
    np.testing.assert_allclose(
        mean_squared_displacement(positions), mean_squared_displacement_direct(positions), atol=1e-9
    )


def test_every_time_origin_and_the_last_sample_count():
    positions = np.zeros((100, 1, 3))
    positions[-1, 0, 0] = 1.0
    msd = mean_squared_displacement(positions)[:, 0]
    # One jump at the very end: it is in one of the 100 - m origins of lag m, and in the only one of lag 99.
    np.testing.assert_allclose(msd[1:], 1 / (100 - np.arange(1, 100)), atol=1e-12)


def test_a_random_walk_has_its_diffusion_coefficient():
    step_ps, step = 0.1, 0.1
    # Variance 0.01 Å² per component and 0.1 ps: D = 0.05 Å²/ps = 0.5e-9 m²/s... times 10 for 1 Å²/ps = 10e-9.
    expected = step**2 / (2 * step_ps) * 10
    msds = [mean_squared_displacement(random_walk(400, 64, seed, step)) for seed in range(3)]
    slope = fitted_diffusivity(msds, step_ps, (0.5, 5.0))
    assert slope.value == pytest.approx(expected, abs=4 * slope.uncertainty)
    assert 0 < slope.uncertainty < 0.1 * expected
    assert diffusivity_at_lag(msds[0].mean(axis=1), 10, step_ps) == pytest.approx(expected, rel=0.1)


def solution(n_sodium: int, n_frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Walks of sodium in a bath of oxygen and hydrogen that keeps the total momentum at zero, and atomic numbers.

    The sodium atoms walk freely, so that their diffusion coefficient is exact. All atoms drift together.
    """
    rng = np.random.default_rng(seed)
    species = np.concatenate([np.full(n_sodium, 11), np.tile([8, 1, 1], 20)])
    steps = rng.normal(0, 0.1, (n_frames, len(species), 3))
    momentum = np.einsum("a,fax->fx", atomic_masses[species], steps)
    steps[:, n_sodium:] -= momentum[:, None] / atomic_masses[species[n_sodium:]].sum()
    return np.cumsum(steps + 0.03, axis=0), species


@pytest.mark.parametrize("n_sodium", [1, 2, 3, 6, 12, 64])
def test_few_atoms_diffuse_as_fast_as_many(n_sodium):
    step_ps, expected = 0.1, 0.1**2 / (2 * 0.1) * 10
    measured = {}
    for published in (False, True):
        msds = [
            msd_of_element(*solution(n_sodium, 400, seed), 11, published).mean(axis=1)
            for seed in range(max(4, 128 // n_sodium))
        ]
        measured[published] = np.array([diffusivity_from_slope(msd, step_ps, (0.5, 3.0)) for msd in msds])
    error = measured[False].std(ddof=1) / np.sqrt(len(measured[False]))
    assert error < 0.06 * expected
    assert measured[False].mean() == pytest.approx(expected, abs=3.5 * error)
    # The published form takes the share 1/n.
    assert measured[True].mean() == pytest.approx(expected * (1 - 1 / n_sodium), abs=max(3.5 * error, 1e-6))


def test_the_standard_error_is_that_of_repeated_runs():
    slopes = [
        fitted_diffusivity([mean_squared_displacement(random_walk(100, 64, seed))], 0.1, (0.5, 3)) for seed in range(60)
    ]
    spread = np.std([slope.value for slope in slopes], ddof=1)
    assert np.mean([slope.uncertainty for slope in slopes]) == pytest.approx(spread, rel=0.35)


def test_drift_is_removed_and_jumps_across_the_box_are_undone():
    cell = 12 * np.eye(3)
    walk = random_walk(200, 32, seed=4)
    drifting = walk + np.arange(200)[:, None, None] * np.array([0.05, 0, 0])
    species = np.tile([8, 1, 1, 3], 8)
    np.testing.assert_allclose(remove_drift(drifting, species), remove_drift(walk, species), atol=1e-9)
    wrapped = drifting % 12
    np.testing.assert_allclose(unwrap(wrapped, cell) - wrapped[0], drifting - drifting[0], atol=1e-9)
    np.testing.assert_allclose(unwrap(drifting, cell), drifting, atol=1e-9)


def test_a_straight_line_gives_its_slope_whatever_its_offset():
    msd = 3.0 + 6 * 0.2 * np.arange(100) * 0.5
    assert diffusivity_from_slope(msd, 0.5, (5, 25)) == pytest.approx(2.0)


def test_yeh_hummer_of_water():
    # k_B T ξ / (6 π η L) by hand: 1.380649e-23 * 300 * 2.837297 / (6 π 0.854e-3 * 12.42e-10) = 0.5878e-9.
    assert finite_size_correction(300, 12.42 * np.eye(3)) == pytest.approx(0.5878, rel=1e-3)
    with pytest.raises(InputError, match="cubic"):
        finite_size_correction(300, np.diag([10.0, 12.0, 14.0]))


def test_a_window_outside_the_run_is_refused():
    assert lag_window(201, 0.01, (0.2, 1.0)) == (20, 100)
    with pytest.raises(InputError, match="fewer than 3 lags"):
        lag_window(50, 0.1, (10, 50))
