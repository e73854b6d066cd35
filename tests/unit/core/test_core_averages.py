"""Means of autoregressive series, whose correlation time and standard error are known exactly."""

import numpy as np
import pytest

from gpip.core.averages import N_INDEPENDENT_NEEDED, average, drift, statistical_inefficiency


def ar1(n_series, n, phi, seed):
    """[n_series, n], stationary, of unit variance; (1 + phi) / (1 - phi) samples are worth one independent sample."""
    rng = np.random.default_rng(seed)
    series = np.empty((n_series, n))
    series[:, 0] = rng.normal(size=n_series)
    for i in range(1, n):
        series[:, i] = phi * series[:, i - 1] + np.sqrt(1 - phi**2) * rng.normal(size=n_series)
    return series


def exact_error(n, phi):
    """Standard error of the mean of n samples: var/n (1 + 2 Σ (1 - t/n) phi^t)."""
    lags = np.arange(1, n)
    return np.sqrt((1 + 2 * np.sum((1 - lags / n) * phi**lags)) / n)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.97])
def test_error_of_the_mean_is_that_of_an_autoregressive_series(phi):
    series = ar1(200, 5000, phi, seed=3)
    averages = [average(each) for each in series]
    exact = (1 + phi) / (1 - phi)
    assert np.mean([found.statistical_inefficiency for found in averages]) == pytest.approx(exact, rel=0.06)
    errors = [found.standard_error for found in averages]
    assert np.mean(errors) == pytest.approx(exact_error(5000, phi), rel=0.06)
    assert np.std([found.mean for found in averages]) == pytest.approx(np.mean(errors), rel=0.15)


@pytest.mark.parametrize("n_independent", [40, 100, 400])
def test_intervals_of_two_standard_errors_hold_the_true_mean(n_independent):
    phi = 0.9
    n = round(n_independent * (1 + phi) / (1 - phi))
    found = [average(each) for each in ar1(500, n, phi, seed=n_independent)]
    given = [one for one in found if one.standard_error is not None]
    assert len(given) > 0.9 * len(found)
    held = np.mean([abs(one.mean) < 1.96 * one.standard_error for one in given])
    assert 0.90 <= held <= 0.98


def test_a_series_of_a_few_correlation_times_has_no_error():
    """3 ps of a temperature whose fluctuations live for 0.5 ps: an error of these was half of the true one."""
    phi = np.exp(-0.01 / 0.5)
    found = [average(each) for each in ar1(400, 300, phi, seed=7)]
    assert np.mean([one.standard_error is None for one in found]) > 0.97
    for one in found:
        assert one.standard_error is None or one.n_independent >= N_INDEPENDENT_NEEDED
        assert bool(one.reason) == (one.standard_error is None)
    refused = next(one for one in found if one.standard_error is None)
    assert refused.reason == f"too short for an error: {refused.n_independent:.1f} independent samples, 20 needed"


def test_series_without_information_have_no_error():
    assert statistical_inefficiency(np.full(10, 3.0)) == 1
    assert statistical_inefficiency(np.array([3.0])) == 1
    assert average(np.array([3.0]))[:2] == (3, None)
    constant = average(np.full(100, 3.0))
    assert constant[:2] == (3, None)
    assert constant.reason == "no error: all values are the same"


def test_drift_of_a_line_is_exact_and_noise_seldom_drifts():
    np.testing.assert_allclose(drift(np.linspace(3, 7, 50)), (4, 0), atol=1e-12)
    series = ar1(300, 2000, 0.9, seed=5)
    found = np.array([drift(each) for each in series])
    assert found[:, 0].std() == pytest.approx(found[:, 1].mean(), rel=0.15)
    assert np.mean(np.abs(found[:, 0]) > 3 * found[:, 1]) < 0.02
    found = np.array([drift(each + np.linspace(0, 2, 2000)) for each in series])
    assert np.mean(found[:, 0] > 3 * found[:, 1]) > 0.98
