"""Interval of the mean ratio of paired errors: by hand, against scipy's own test, and calibrated on null data."""

import numpy as np
import pytest
from scipy import stats

from gpip.metrics.paired import paired_ratio


def test_three_pairs_by_hand():
    """Logs -0.1, -0.2, -0.3: mean -0.2, standard error 0.1/√3, t(0.975, 2) = 4.302653."""
    found = paired_ratio(10 * np.exp([-0.1, -0.2, -0.3]), [10, 10, 10])
    half = 4.302653 * 0.1 / np.sqrt(3)
    assert found.mean == pytest.approx(np.exp(-0.2))
    assert found.interval == pytest.approx((np.exp(-0.2 - half), np.exp(-0.2 + half)), rel=1e-6)
    assert found.verdict == "no difference shown"
    assert found.agree


def test_the_interval_is_that_of_a_paired_t_test():
    ours, theirs = np.random.default_rng(0).lognormal(0, 0.1, (2, 7))
    expected = stats.ttest_rel(np.log(ours), np.log(theirs)).confidence_interval(0.95)
    assert np.log(paired_ratio(ours, theirs).interval) == pytest.approx([expected.low, expected.high])


@pytest.mark.parametrize("n_pairs", [1, 2])
def test_fewer_than_three_pairs_have_no_interval(n_pairs):
    found = paired_ratio([50.0] * n_pairs, [100.0] * n_pairs)
    assert found.mean == pytest.approx(0.5)
    assert found.interval is None
    assert found.verdict == "too few pairs"


def test_equal_ratios_have_an_interval_without_width():
    assert paired_ratio([80, 40, 8], [100, 50, 10]).verdict == "lower"
    assert paired_ratio([1, 2, 3], [1, 2, 3]).verdict == "no difference shown"


@pytest.mark.parametrize("n_pairs", [3, 5, 10])
def test_false_positives_on_null_data_are_five_per_cent(n_pairs):
    """4,000 times: the standard error of the share is 0.35 %. Pairs share what their seed decides."""
    generator = np.random.default_rng(n_pairs)
    seeds = generator.normal(0, 0.2, (4000, 1, n_pairs))
    errors = np.exp(seeds + generator.normal(0, 0.05, (4000, 2, n_pairs)))
    verdicts = [paired_ratio(*pair).verdict for pair in errors]
    assert 1 - verdicts.count("no difference shown") / 4000 == pytest.approx(0.05, abs=0.0105)


def test_an_effect_is_found():
    generator = np.random.default_rng(3)
    errors = np.exp(generator.normal(0, 0.02, (500, 2, 5)))
    verdicts = [paired_ratio(0.9 * ours, theirs).verdict for ours, theirs in errors]
    assert verdicts.count("lower") > 0.95 * 500


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [np.nan])])
def test_what_has_no_ratio_is_refused(ours, theirs):
    with pytest.raises(ValueError, match=r"pairs of errors|must be positive"):
        paired_ratio(ours, theirs)
