"""Stability: exact times of known failures, and censoring."""

import numpy as np
import pytest

from gpip.metrics.rdf import count_pairs
from gpip.metrics.stability import bond_stability, bulk_stability, window_deviations

CELL = 13 * np.eye(3)
SPECIES = np.full(60, 18)


def gas(n_frames, seed):
    return np.random.default_rng(seed).random((n_frames, 60, 3)) @ CELL


def collapsed(n_frames, seed):
    return gas(n_frames, seed) * 0.5


@pytest.fixture(scope="module")
def g_reference():
    return count_pairs(SPECIES, gas(500, 99), CELL, 6.0, 50).g()


def test_deviation_of_a_window_is_the_integral(g_reference):
    counts = count_pairs(SPECIES, gas(20, 0), CELL, 6.0, 50)
    deviations = window_deviations(counts, g_reference, 5)
    assert deviations.shape == (16, 1)
    expected = np.trapezoid(np.repeat(np.abs(counts.select(slice(3, 8)).g() - g_reference), 2), dx=0.12 / 2)
    assert deviations[3, 0] == pytest.approx(expected, rel=0.05)


def test_time_is_the_start_of_the_first_unstable_window(g_reference):
    counts = count_pairs(SPECIES, np.concatenate([gas(30, 1), collapsed(30, 2)]), CELL, 6.0, 50)
    deviations = window_deviations(counts, g_reference, 10)
    first_bad = int(np.flatnonzero(deviations[:, 0] > 3.0)[0])
    assert 21 <= first_bad <= 30
    stability = bulk_stability(counts, g_reference, 0.1, 6.0)
    assert stability.time_ps == pytest.approx(0.1 * first_bad)
    assert stability.n_stable == first_bad
    assert not stability.censored
    assert "Ar-Ar is off by" in stability.reason


def test_a_run_that_holds_is_censored_at_its_length(g_reference):
    counts = count_pairs(SPECIES, gas(40, 3), CELL, 6.0, 50)
    assert bulk_stability(counts, g_reference, 0.1, 4.0) == (4.0, True, "stable to the end", 40)
    stopped = bulk_stability(counts, g_reference, 0.1, 4.05, "force above 100 eV/Å")
    assert stopped == (4.05, False, "force above 100 eV/Å", 40)


def test_a_run_shorter_than_the_window_is_one_window(g_reference):
    counts = count_pairs(SPECIES, gas(4, 4), CELL, 6.0, 50)
    assert bulk_stability(counts, g_reference, 0.1, 0.4).censored


def test_a_stretched_bond_ends_a_molecule():
    positions = np.zeros((50, 3, 3))
    positions[:, 1, 0] = 1.0
    positions[:, 2, 0] = 2.0 + 0.02 * np.arange(50)
    bonds, lengths = np.array([[0, 1], [1, 2]]), np.array([1.0, 1.0])
    stability = bond_stability(positions, np.zeros((3, 3)), bonds, lengths, 0.1, 5.0)
    assert stability.time_ps == pytest.approx(2.6)
    assert stability.reason == "bond of atoms 1 and 2 is off by 0.52 Å"
    held = bond_stability(positions[:20], np.zeros((3, 3)), bonds, lengths, 0.1, 2.0)
    assert held.censored
    assert held.time_ps == 2.0
