"""Tables over all runs. No cell is blank: a dash with the reason takes the place of a missing number."""

from pathlib import Path
from typing import Any

import h5py
import pandas as pd

from gpip.core.errors import InputError
from gpip.core.files import read_json, replacing
from gpip.report.comparison import COMPARED, comparisons, gain_table
from gpip.report.inputs import Run, RunFiles, group_by, read_csv, run_cost, run_errors
from gpip.report.names import contents_in_words, metric_order
from gpip.report.rounding import in_brackets, mean_and_spread, no_number, plus_minus, rounded

ERROR_NAMES = (
    "energy_mae_mev_per_atom",
    "energy_rmse_mev_per_atom",
    "force_mae_mev_per_angstrom",
    "force_rmse_mev_per_angstrom",
    "force_max_mev_per_angstrom",
)
NOT_LOSSES = ("step", "frames_seen", "learning_rate")


def all_tables(files: RunFiles, project: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Every table of the report by name; a stage without runs has none."""
    tables = {
        "errors": errors_table(files.tested),
        "gain": gain_table(comparisons(files.fine_tuning, project)),
        "transfers": transfers_table(files.fine_tuning),
        "ml_md": ml_md_table(files.ml_md),
        "pretraining": pretraining_table(files.pretraining),
        "compute": compute_table(files.fine_tuning),
        "labels": labels_table(files.labels),
        "systems": systems_table(files.systems),
        "datasets": datasets_table(files.datasets),
        "cost": cost_table(files.benchmarks),
    }
    return {name: table for name, table in tables.items() if len(table)}


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """One CSV each."""
    for name, table in tables.items():
        assert not table.isna().to_numpy().any(), f"blank cell in {name}"
        with replacing(folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False)


def package_of(errors: dict[str, Any]) -> str:
    """Whose network it is: this program's, or another package's with its version."""
    return errors.get("package", "gpip")


def errors_table(runs: list[Run]) -> pd.DataFrame:
    """Test errors of every network, and its validation error before the first step."""
    rows = []
    for run in runs:
        errors = run_errors(run)
        history = read_csv(Path(run["folder"]) / "history.csv")
        rows.append(
            _key(run)
            | {"package": package_of(errors)}
            | {f"test_{name}": _number(errors["test"].get(name)) for name in ERROR_NAMES}
            | {f"step_0_{name}": _number(errors["step_0"].get(name)) for name in COMPARED}
            | {name: errors.get(name, no_number("not recorded")) for name in ("n_steps", "best_step", "n_parameters")}
            | {"frames_seen": int(history["frames_seen"].iloc[-1])}
        )
    return pd.DataFrame(rows)


def transfers_table(runs: list[Run]) -> pd.DataFrame:
    """Which weights each network took over, and its force error before the first step."""
    rows = []
    for run in runs:
        errors = run_errors(run)
        step_0 = _number(errors["step_0"].get(COMPARED[0]))
        rows.append(_key(run) | transfer_cells(errors["transfer"]) | {f"step_0_{COMPARED[0]}": step_0})
    return pd.DataFrame(rows)


def transfer_cells(record: dict[str, Any]) -> dict[str, Any]:
    """What a transfer record says, as cells of a table: counts of weights, and what the energy head is."""
    head = "carried over" if record["energy_head"] == "carried" else "fresh"
    factor = record.get("head_factor")
    reference = record.get("reference_energies")
    return {
        "reference_energies": no_number("not recorded") if reference is None else references_in_words(reference),
        "weights_loaded": record["n_loaded"],
        "weights_fresh": record["n_fresh"],
        "energy_head": head,
        "head_factor": no_number("fresh head") if factor is None else rounded(factor),
        "head_force_correlation": (
            no_number("fresh head") if factor is None else rounded(record["head_force_correlation"])
        ),
    }


def references_in_words(record: dict[str, Any]) -> str:
    """What reference energies rest on, and how many of them the training compositions determine."""
    source = record["anchors_source"]
    kind = "fitted" if source is None else f"isolated atoms ({source})"
    return f"{kind}; {record['n_determined']} of {record['n_elements']} determined"


def read_metrics(run: Run) -> dict[str, dict[str, Any]]:
    """The entries of metrics.json that are measured numbers, or say why there is none."""
    path = Path(run["metrics"]) / "metrics.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: run the metrics that make it")
    return {name: one for name, one in read_json(path).items() if isinstance(one, dict) and "value" in one}


def ml_md_table(runs: list[Run]) -> pd.DataFrame:
    """Every metric of every ML-driven run, one row each."""
    rows = []
    for run in runs:
        entries = read_metrics(run)
        for name in sorted(entries, key=metric_order):
            entry = entries[name]
            value, spread = entry["value"], entry["uncertainty"]
            reason = entry.get("uncertainty_is") or entry.get("note") or "not recorded"
            rows.append(
                _key(run)
                | {
                    "metric": name,
                    "value": no_number(entry["note"]) if value is None else rounded(value, spread),
                    "uncertainty": no_number(reason) if spread is None else rounded(spread, spread),
                    "unit": entry["unit"],
                    "n": entry["n"],
                    "uncertainty_is": reason,
                    "note": entry.get("note") or "–",
                }
            )
    return pd.DataFrame(rows)


def pretraining_table(runs: list[Run]) -> pd.DataFrame:
    """Losses of each task at the start and the end of every pre-training run: means of the first and last tenth."""
    rows = []
    for run in runs:
        for task, numbers in pretraining_numbers(run).items():
            cells = {name: _number(numbers[name]) for name in ("loss_start", "loss_end", "gradient_norm_end")}
            key = {name: run[name] for name in ("set", "backbone", "recipe", "seed")}
            rows.append(
                key | {"n_steps": numbers["n_steps"], "frames_seen": numbers["frames_seen"], "task": task} | cells
            )
    return pd.DataFrame(rows)


def pretraining_numbers(run: Run) -> dict[str, dict[str, Any]]:
    """Of each task: steps, frames seen, loss at start and end, norm of its gradient at the end (None: not recorded)."""
    losses = read_csv(Path(run["folder"]) / "losses.csv")
    tenth = max(1, len(losses) // 10)
    found = {}
    for task in loss_columns(losses):
        norm = losses.get(f"gradient_norm_{task}" if task != "total" else "gradient_norm")
        measured = norm is not None and norm.iloc[-tenth:].notna().any()
        found[task] = {
            "n_steps": int(losses["step"].iloc[-1]) + 1,
            "frames_seen": int(losses["frames_seen"].iloc[-1]),
            "loss_start": float(losses[task].iloc[:tenth].mean()),
            "loss_end": float(losses[task].iloc[-tenth:].mean()),
            "gradient_norm_end": float(norm.iloc[-tenth:].mean()) if measured else None,
        }
    return found


def compute_table(runs: list[Run]) -> pd.DataFrame:
    """What the training steps of one network of each arm cost: pre-training, fine-tuning and both, seconds."""
    rows = []
    for (experiment, backbone, n_train, arm), members in group_by(
        runs, "experiment", "backbone", "n_train", "arm"
    ).items():
        before = [run_cost(run["pretraining"])["seconds"] if run.get("pretraining") else 0.0 for run in members]
        after = [run_cost(run["folder"]) for run in members]
        seconds = [one["seconds"] for one in after]
        parts = {
            "pretraining": before if any(before) else None,
            "fine_tuning": seconds,
            "both": [sum(pair) for pair in zip(before, seconds, strict=True)],
        }
        rows.append(
            {"experiment": experiment, "backbone": backbone, "n_train": n_train, "initialisation": arm}
            | {"n_seeds": len(members), "n_steps": run_errors(members[0])["n_steps"]}
            | {
                f"{name}_seconds": plus_minus(*mean_and_spread(values), digits=3) if values else no_number("none")
                for name, values in parts.items()
            }
            | {"clock": after[0]["clock"]}
        )
    return pd.DataFrame(rows)


def loss_columns(losses: pd.DataFrame) -> list[str]:
    """`total` and the tasks that were on."""
    names = [name for name in losses if name not in NOT_LOSSES and not name.startswith("gradient_norm")]
    return [name for name in names if losses[name].notna().any()]


def labels_table(runs: list[Run]) -> pd.DataFrame:
    """How many frames were labelled and how many left out, and why."""
    rows = []
    for run in runs:
        with h5py.File(run["file"]) as file:
            n_frames = sum(len(group["positions"]) for group in file["systems"].values())
        rejected = read_csv(run["rejected"])
        reasons = rejected["reason"].astype(str).value_counts() if "reason" in rejected else {}
        words = "; ".join(f"{reason} ({n})" for reason, n in reasons.items())
        row = {"labels": run["name"], "n_frames": n_frames, "n_rejected": len(rejected)}
        rows.append(row | {"reasons": words or ("none rejected" if rejected.empty else "see the table of the run")})
    return pd.DataFrame(rows)


def cost_table(benchmarks: list[str]) -> pd.DataFrame:
    """Wall time and memory of each rule, over its jobs, in the order given."""
    measured: dict[str, list[pd.DataFrame]] = {}
    for path in benchmarks:
        measured.setdefault(rule_of(path), []).append(pd.read_csv(path, sep="\t"))
    rows = []
    for rule, parts in measured.items():
        jobs = pd.concat(parts, ignore_index=True)
        seconds = pd.to_numeric(jobs["s"], errors="coerce")
        memory = pd.to_numeric(jobs["max_rss"], errors="coerce") if "max_rss" in jobs else pd.Series(dtype=float)
        too_short = no_number("jobs too short to measure")
        rows.append(
            {
                "rule": rule,
                "n_jobs": len(jobs),
                "wall_seconds": f"{seconds.sum():.1f}",
                "longest_job_seconds": f"{seconds.max():.1f}",
                "max_memory_mb": f"{memory.max():.0f}" if memory.notna().any() else too_short,
            }
        )
    return pd.DataFrame(rows)


def rule_of(path: str | Path) -> str:
    """The rule that a benchmark file is of: what follows `benchmarks` in its path."""
    parts = Path(path).with_suffix("").parts
    return parts[parts.index("benchmarks") + 1] if "benchmarks" in parts[:-1] else parts[-1]


def _key(run: Run) -> dict[str, Any]:
    names = {"experiment": "experiment", "backbone": "backbone", "initialisation": "arm"}
    return {name: run[key] for name, key in names.items()} | {key: run[key] for key in ("n_train", "seed")}


def _number(value: Any) -> str:
    return no_number("not recorded") if value is None or pd.isna(value) else rounded(float(value))


def systems_table(runs: list[Run]) -> pd.DataFrame:
    """What each system is, and the density and frames that were reached."""
    rows = []
    for run in runs:
        manifest, summary = read_json(run["manifest"]), read_json(run["summary"])
        rows.append(
            {
                "system": run["name"],
                "contents": contents_in_words(summary["contents"]),
                "n_atoms": manifest["n_atoms"],
                "force_field": manifest["force_field"],
                "density": density_in_words(summary),
                "density_note": density_note(summary),
                "temperatures": temperatures_in_words(summary["temperatures_kelvin"]),
                "n_frames": sum(one["n_frames"] for one in summary["sampling"]),
            }
        )
    return pd.DataFrame(rows)


def density_in_words(summary: dict[str, Any]) -> str:
    """The density of the box that was sampled, g/cm^3."""
    if not summary["periodic"]:
        return no_number("no box")
    return plus_minus(summary["density_g_per_cm3"], summary["density_standard_error_g_per_cm3"]) + in_brackets(
        summary["density_standard_error_reason"]
    )


def density_note(summary: dict[str, Any]) -> str:
    """Where the density comes from, and whether it may be trusted."""
    if not summary["periodic"]:
        return "one molecule"
    return {None: "as given", True: "constant pressure", False: "constant pressure, not converged"}[
        summary["density_converged"]
    ]


def temperatures_in_words(kelvin: list[float]) -> str:
    """All of a few, else how many, the first and the last."""
    if len(kelvin) <= 3:
        return ", ".join(f"{one:g}" for one in kelvin)
    return f"{len(kelvin)} from {kelvin[0]:g} to {kelvin[-1]:g}"


def datasets_table(runs: list[Run]) -> pd.DataFrame:
    """Frames and sizes of each data set."""
    rows = []
    for run in runs:
        with h5py.File(run["file"]) as file:
            groups = dict(file["systems"].items())
            atoms = [len(group["species"]) for group in groups.values()]
            labelled = all("forces" in group for group in groups.values())
            names = list(groups)
            rows.append(
                {
                    "data set": run["name"],
                    "systems": ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else ""),
                    "frames": sum(len(group["positions"]) for group in groups.values()),
                    "atoms": f"{min(atoms)}" if min(atoms) == max(atoms) else f"{min(atoms)} to {max(atoms)}",
                    "energies and forces": "of the force field" if labelled else "no: bonds are constrained",
                }
            )
    return pd.DataFrame(rows)
