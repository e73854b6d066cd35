"""Tables of the report: exact means and ratios, and no blank cell."""

import pandas as pd
import pytest
from results_tree import benchmarks, fine_tuning, labels, pretraining, runs_with

from gpip.core.errors import InputError
from gpip.report.inputs import RunFiles
from gpip.report.rounding import plus_minus, rounded
from gpip.report.tables import (
    compute_table,
    cost_table,
    errors_table,
    labels_table,
    pretraining_table,
    rule_of,
    transfer_cells,
)


def test_errors_keep_what_the_run_recorded(tmp_path):
    table = errors_table(runs_with(tmp_path, {("gpip", 0): 81.2345}))
    assert table["test_force_mae_mev_per_angstrom"][0] == "81.23"
    assert (table["n_steps"][0], table["frames_seen"][0], table["initialisation"][0]) == (600, 600, "gpip")


def test_pretraining_leaves_out_tasks_that_were_off(tmp_path):
    table = pretraining_table([pretraining(tmp_path, "schnet")])
    assert list(table["task"]) == ["total", "mask", "denoise", "contrast"]
    assert (table["loss_end"].astype(float) < table["loss_start"].astype(float)).all()


def test_labels_count_frames_and_reasons(tmp_path):
    run = labels(tmp_path)
    row = labels_table([run]).iloc[0]
    assert (row["n_frames"], row["n_rejected"]) == (62, 2)
    assert "no convergence (1)" in row["reasons"]
    pd.DataFrame({"source_frame": [], "reason": []}).to_csv(run["rejected"], index=False)
    assert labels_table([run]).iloc[0]["reasons"] == "none rejected"


def test_the_cost_of_an_arm_has_its_pre_training_on_top(tmp_path):
    runs = [fine_tuning(tmp_path, "schnet", arm, 40, seed) for arm in ("scratch", "gpip") for seed in (0, 1)]
    table = compute_table(runs).set_index("initialisation")
    # 600 steps of 0.08 s, 2 % more for the second seed; 32 and 33 s of pre-training.
    assert table.loc["scratch", "pretraining_seconds"] == "– (none)"
    assert table.loc["scratch", "both_seconds"] == table.loc["gpip", "fine_tuning_seconds"] == "48.5 ± 0.7"
    assert table.loc["gpip", "pretraining_seconds"] == "32.5 ± 0.7"
    assert table.loc["gpip", "both_seconds"] == "81.0 ± 1.4"
    assert set(table["clock"]) == {"processor"}
    (tmp_path / "finetuning/schnet/gpip/40/0/cost.json").unlink()
    with pytest.raises(InputError, match=r"cost\.json is missing: run the training"):
        compute_table(runs)


def test_cost_adds_up_the_jobs_of_a_rule(tmp_path):
    table = cost_table(benchmarks(tmp_path)).set_index("rule")
    assert table.loc["run_classical_md", "n_jobs"] == 2
    assert table.loc["run_classical_md", "wall_seconds"] == "44.1"
    assert table.loc["run_classical_md", "max_memory_mb"] == "482"
    assert table.loc["compute_metrics", "max_memory_mb"] == "– (jobs too short to measure)"
    assert rule_of("results/benchmarks/pretrain.tsv") == "pretrain"
    assert rule_of("pretrain.tsv") == "pretrain"


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (123.456, 4.56, "123 ± 5"),
        (0.81234, 0.0123, "0.812 ± 0.012"),
        (0.0996, 0.0996, "0.10 ± 0.10"),
        (1234.5, 160.0, "1230 ± 160"),
        (0.5, 0.0296, "0.50 ± 0.03"),
        (2.0, None, "2.000"),
        (2.0, 0.0, "2.000"),
        (0.0, 0.0, "0"),
    ],
)
def test_numbers_are_rounded_to_their_uncertainty(value, uncertainty, text):
    assert plus_minus(value, uncertainty) == text


def test_numbers_without_uncertainty_keep_four_digits():
    assert [rounded(value) for value in (107.9123, 0.0051234, 1.5e-7)] == ["107.9", "0.005123", "1.5e-07"]


def test_transfers_say_what_was_loaded_and_what_the_head_is():
    scratch = {"energy_head": "fresh", "n_loaded": 0, "n_fresh": 10}
    carried = {"energy_head": "carried", "n_loaded": 10, "n_fresh": 0}
    carried |= {"head_factor": 0.123456, "head_force_correlation": 0.48}
    assert transfer_cells(scratch)["head_factor"].startswith("–")
    assert transfer_cells(carried)["head_factor"] == "0.1235"
    assert transfer_cells(carried)["energy_head"] == "carried over"
    assert transfer_cells(scratch)["reference_energies"].startswith("–")
    anchored = {"anchors_source": "computed by tblite GFN1-xTB", "n_determined": 1, "n_elements": 2}
    cell = transfer_cells(scratch | {"reference_energies": anchored})["reference_energies"]
    assert cell == "isolated atoms (computed by tblite GFN1-xTB); 1 of 2 determined"
    fitted = {"anchors_source": None, "n_determined": 2, "n_elements": 2}
    assert transfer_cells(scratch | {"reference_energies": fitted})["reference_energies"] == "fitted; 2 of 2 determined"


def test_wrong_inputs_are_named(tmp_path):
    with pytest.raises(InputError, match="did you mean 'ml_md'"):
        RunFiles.from_json({"mlmd": []})
    with pytest.raises(InputError, match=r"pretraining run .* lacks recipe, seed, folder"):
        RunFiles.from_json({"pretraining": [{"set": "water", "backbone": "schnet"}]})
    run = fine_tuning(tmp_path, "schnet", "gpip", 40, 0)
    (tmp_path / "finetuning/schnet/gpip/40/0/errors.json").unlink()
    with pytest.raises(InputError, match=r"errors\.json is missing"):
        errors_table([run])
    with pytest.raises(InputError, match=r"losses\.csv"):
        pretraining_table([{"set": "s", "backbone": "b", "recipe": "r", "seed": 0, "folder": str(tmp_path)}])
