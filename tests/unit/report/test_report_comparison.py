"""What the page says about pre-training: each branch of the sentences, and that null results are called that."""

import re
from dataclasses import replace

import numpy as np
import pytest
from results_tree import PROJECT, fine_tuning, runs_with

from gpip.report.comparison import FORCES, Comparison, baselines_of, comparisons, findings, gain_table, sentence
from gpip.report.inputs import RunFiles
from gpip.report.wording import caveats, denoise_in_words

INITIALISATIONS = PROJECT["experiments"]["water"]["initialisations"]


def compared(ratios, shared=False, theirs=100.0):
    """A comparison of as many seeds as there are ratios."""
    ours = {seed: theirs * ratio for seed, ratio in enumerate(ratios)}
    return Comparison("water", "painn", 24, "gpip", "scratch", FORCES, ours, dict.fromkeys(ours, theirs), shared)


SENTENCES = {
    "one seed": ([0.8], r"is 0\.80 times that of scratch; one seed shows no more than a direction\.$"),
    "two seeds": ([0.8, 0.99], r"is 0\.89 times .* \(0\.80 and 0\.99\); two seeds show no more than a direction\.$"),
    "two that disagree": ([0.9, 1.1], r"two seeds show no more than a direction, and these two disagree about it\.$"),
    "a null result": (
        [0.988, 0.995, 1.002],
        r"no difference shown between gpip and scratch; the ratio of test force errors is 0\.995, "
        r"95 % interval 0\.978 to 1\.013 \(3 seeds\)\.$",
    ),
    "one seed far out": ([0.5, 0.99, 1.0, 1.01], r"no difference shown"),
    "a gain": ([0.88, 0.89, 0.90], r"gpip lowers the test force error by 11\.0 % against scratch, 95 % interval"),
    "a loss": ([1.10, 1.12, 1.14, 1.13], r"gpip raises the test force error by 12\.\d % against scratch"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_each_result_has_its_sentence(name):
    ratios, expected = SENTENCES[name]
    said = sentence(compared(ratios))
    assert re.search(expected, said), said
    assert said.startswith("water, painn, 24 training frames: ")
    if len(ratios) < 3:
        assert "interval" not in said
        assert "lowers" not in said


def test_the_interval_of_a_gain_is_given_in_per_cent_in_ascending_order():
    said = sentence(compared([0.88, 0.89, 0.90]))
    change, low, high = map(float, re.findall(r"([\d.]+)(?= %| to)", said.split("by ")[1].replace("95 %", "")))
    assert 0 < low < change < high < 100


def test_an_end_that_is_not_1_does_not_read_as_1():
    """The interval of these ends at 0.9998: two and three decimals would read 1."""
    half = 4.302653 * 0.005 / np.sqrt(3)
    one = compared(np.exp(-half - 2e-4 + 0.005 * np.array([-1, 0, 1])))
    assert one.ratio.verdict == "lower"
    assert 0.999 < one.ratio.interval[1] < 1
    (row,) = gain_table([one]).to_dict("records")
    assert float(row["ratio_high"]) < 1
    assert " 0.0 to" not in sentence(one)


def test_a_shared_pre_training_run_is_said():
    assert sentence(compared([0.8, 0.81, 0.82], shared=True)).endswith(
        "(3 seeds, one pre-training run for all of them)."
    )
    experiment = {**PROJECT["experiments"]["water"], "seeds": [0, 1, 2], "pretraining_seeds": "shared"}
    shared = " ".join(caveats({"experiments": {"water": experiment}}, RunFiles()))
    assert "all seeds of an arm start from one pre-training run" in shared
    assert "are therefore understated" in shared
    own = " ".join(caveats({"experiments": {"water": experiment | {"pretraining_seeds": "own"}}}, RunFiles()))
    assert "understated" not in own


def test_pairs_are_runs_of_the_same_seed(tmp_path):
    errors = {("scratch", 0): 100.0, ("scratch", 1): 120.0, ("gpip", 1): 126.0, ("gpip", 0): 80.0}
    forces = gain_table([one for one in comparisons(runs_with(tmp_path, errors), PROJECT) if one.metric == FORCES])
    (row,) = forces.to_dict("records")
    assert (row["baseline"], row["initialisation"]) == ("scratch", "gpip")
    assert (row["baseline_mean"], row["baseline_std"]) == ("110", "14")
    assert sorted(row["ratios"].split()) == ["0.800", "1.050"]
    assert float(row["ratio"]) == pytest.approx(np.sqrt(0.8 * 1.05), abs=0.005)
    assert (row["ratio_low"], row["verdict"]) == ("– (two seeds: no interval)", "too few pairs")
    assert (row["n_improving"], row["n_seed_pairs"]) == (1, 2)


def test_what_cannot_be_compared_has_words(tmp_path):
    found = comparisons(runs_with(tmp_path, {("scratch", 0): 100.0, ("gpip", 1): 80.0}), PROJECT)
    assert findings(found) == ["water, schnet, 40 training frames: gpip and scratch have no seed in common."]
    assert set(gain_table(found)["ratio"]) == {"– (no seed in common)"}
    assert "an error is zero" in sentence(compared([0.0, 1.0]))
    assert not gain_table([compared([0.0, 1.0])]).isna().to_numpy().any()


def test_every_training_set_size_has_its_finding(tmp_path):
    runs = [
        fine_tuning(tmp_path, "schnet", arm, n_train, seed)
        for arm in ("scratch", "gpip")
        for n_train in (20, 40)
        for seed in (0, 1)
    ]
    said = findings(comparisons(runs, PROJECT))
    assert [re.search(r"(\d+) training frames", one)[1] for one in said] == ["20", "40"]


def test_sentences_about_nothing_claim_a_gain_in_one_case_of_twenty():
    """Two equal networks whose errors scatter by 5 %, 2,000 times; the standard error of the share is 0.5 %."""
    generator = np.random.default_rng(1)
    claims = 0
    for _ in range(2000):
        ours, theirs = 100 * np.exp(generator.normal(0, 0.05, (2, 4)))
        one = compared([1.0] * 4)
        said = sentence(replace(one, ours=dict(enumerate(ours)), theirs=dict(enumerate(theirs))))
        claims += "lowers" in said or "raises" in said
    assert claims / 2000 == pytest.approx(0.05, abs=0.016)


def test_baselines_are_the_arms_from_scratch():
    arms = list(INITIALISATIONS)
    assert baselines_of("gpip", arms, INITIALISATIONS) == ["scratch", "scratch-long"]
    assert baselines_of("scratch", arms, INITIALISATIONS) == []
    assert baselines_of("gpip", ["scratch", "gpip"], ["scratch", "gpip"]) == ["scratch"]
    other = INITIALISATIONS | {"denoise": {"recipe": "denoise"}}
    assert baselines_of("denoise", list(other), other) == ["scratch"]


def test_the_caption_of_losses_knows_the_normalisation():
    def words(task):
        return denoise_in_words({"pretraining": {"recipes": {"one": {"denoise": task}}}})

    assert "a denoise loss of 1" in words({})
    assert "depends on unit and normalisation" in words({"unit": "angstrom"})
    assert denoise_in_words({"pretraining": {"recipes": {"one": {"mask": {}}}}}) == ""
