"""The report: one page that needs no other file, with every table and figure beside it."""

import shutil
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from gpip.core.files import read_json, write_text
from gpip.core.provenance import provenance
from gpip.report import figures, md_figures
from gpip.report.comparison import FORCES, comparisons, findings, gain_table
from gpip.report.inputs import Run, RunFiles, group_by, read_csv, run_errors
from gpip.report.names import metric_name, metric_order
from gpip.report.render import picture, render
from gpip.report.rounding import mean_and_spread, plus_minus
from gpip.report.style import styled
from gpip.report.tables import (
    ERROR_NAMES,
    all_tables,
    package_of,
    pretraining_numbers,
    read_metrics,
    transfer_cells,
    write_tables,
)
from gpip.report.wording import (
    CAPTIONS,
    MANY_SYSTEMS,
    caveats,
    denoise_in_words,
    incidents,
    metric_cell,
    what_was_run,
)

SECTIONS = (
    ("key", "Key numbers"),
    ("caveats", "Caveats"),
    ("systems", "Systems"),
    ("datasets", "Data sets"),
    ("pretraining", "Pre-training"),
    ("labels", "Labels"),
    ("fine-tuning", "Fine-tuning"),
    ("ml-md", "ML-driven MD"),
    ("cost", "Cost"),
    ("provenance", "Provenance"),
)
ALWAYS_SHOWN = ("systems", "datasets", "cost", "provenance")


def build_report(project: Any, inputs: dict[str, Any] | RunFiles, folder: str | Path) -> Path:
    """Write index.html, one CSV per table and one PNG per figure into `folder`; returns the path of the page.

    Args:
        project: the settings, as a mapping or an object with `model_dump`.
        inputs: file paths by stage, see `RunFiles`.

    Raises:
        InputError: a run lacks a key, or a file of a run is missing.
    """
    if hasattr(project, "model_dump"):
        project = project.model_dump(mode="json", exclude_unset=True)
    files, folder = RunFiles.from_json(inputs), Path(folder)
    tables = all_tables(files, project)
    write_tables(tables, folder)
    shutil.rmtree(folder / "figures", ignore_errors=True)
    compared_arms = comparisons(files.fine_tuning, project)
    compared = bool(project.get("experiments") or files.fine_tuning)
    page = render(
        "page.html.jinja",
        title="Pre-trained potentials: report" if compared else "Classical dynamics: report",
        compared=compared,
        sections=[one for one in SECTIONS if compared or one[0] in ALWAYS_SHOWN],
        systems=tables["systems"].to_dict("records") if "systems" in tables else [],
        what_was_run=what_was_run(project, files),
        findings=findings(compared_arms),
        n_intervals=sum(one.ratio is not None and one.ratio.interval is not None for one in compared_arms) // 2,
        gain=gain_table([one for one in compared_arms if one.metric == FORCES]).to_dict("records"),
        errors=error_rows(files.tested),
        other_packages=bool(files.baselines),
        transfers=transfer_rows(files.fine_tuning),
        pretraining=pretraining_rows(files.pretraining),
        caveats=caveats(project, files),
        incidents=incidents(files, tables.get("labels")),
        tables=tables,
        ml_md=[ml_md_grid(name, runs) for (name,), runs in group_by(files.ml_md, "experiment").items()],
        figures=all_figures(files, folder / "figures", project),
        total_seconds=sum(float(seconds) for seconds in tables["cost"]["wall_seconds"]) if "cost" in tables else 0,
        versions=provenance("report", {}, project.get("seed")),
        sources=stage_provenance(files),
        config=yaml.safe_dump(project, sort_keys=False, allow_unicode=True),
    )
    write_text(folder / "index.html", page)
    return folder / "index.html"


def error_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Test errors of each arm: mean and standard deviation over seeds."""
    rows = []
    arms = figures.arms_of(runs)
    backbones = list(dict.fromkeys(run["backbone"] for run in runs))
    groups = group_by(runs, "experiment", "backbone", "n_train", "arm")
    places = {key: (backbones.index(key[1]), key[2], arms.index(key[3])) for key in groups}
    for key in sorted(groups, key=lambda key: (key[0], *places[key])):
        errors = [run_errors(run) for run in groups[key]]
        test = {name: [one["test"][name] for one in errors] for name in ERROR_NAMES}
        start = [one["step_0"]["force_mae_mev_per_angstrom"] for one in errors]
        rows.append(
            dict(zip(("experiment", "backbone", "n_train", "arm"), key, strict=True))
            | {"package": package_of(errors[0]), "n_seeds": len(errors), "n_steps": errors[0]["n_steps"]}
            | {name: plus_minus(*mean_and_spread(values)) for name, values in test.items()}
            | {"step_0": plus_minus(*mean_and_spread(start))}
        )
    return rows


def transfer_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Which weights each arm took over; its first run represents all."""
    rows = []
    for (experiment, backbone, arm), members in group_by(runs, "experiment", "backbone", "arm").items():
        cells = transfer_cells(run_errors(members[0])["transfer"])
        rows.append({"experiment": experiment, "backbone": backbone, "arm": arm} | cells)
    return rows


def ml_md_grid(experiment: str, runs: list[Run]) -> dict[str, Any]:
    """Metrics in rows, runs in columns; a note that all cells of a row share is marked at its name."""
    entries = [read_metrics(run) for run in runs]
    names = sorted(dict.fromkeys(name for one in entries for name in one), key=metric_order)
    numbers: dict[str, int] = {}
    rows = []
    for name in names:
        cells = [metric_cell(one.get(name)) for one in entries]
        marks = [numbers.setdefault(cell["note"], len(numbers) + 1) if cell["note"] else "" for cell in cells]
        shared = len(set(marks)) == 1
        for cell, mark in zip(cells, marks, strict=True):
            cell["mark"] = "" if shared else str(mark)
        unit = next(one[name]["unit"] for one in entries if name in one)
        rows.append(
            {
                "name": metric_name(name),
                "mark": str(marks[0]) if shared else "",
                "unit": "" if unit == "1" else unit,
                "cells": cells,
            }
        )
    several_seeds = len({run["seed"] for run in runs}) > 1
    return {
        "experiment": experiment,
        "runs": runs,
        "several_seeds": several_seeds,
        "rows": rows,
        "notes": [{"number": number, "text": text} for text, number in numbers.items()],
    }


def pretraining_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Losses of each task of a pre-training: mean and standard deviation over seeds."""
    rows = []
    for key, seeds in group_by(runs, "set", "backbone", "recipe").items():
        numbers = [pretraining_numbers(run) for run in seeds]
        for task, first in numbers[0].items():
            row = dict(zip(("set", "backbone", "recipe"), key, strict=True)) | {"task": task, "n_seeds": len(seeds)}
            row |= {name: first[name] for name in ("n_steps", "frames_seen")}
            for name in ("loss_start", "loss_end", "gradient_norm_end"):
                values = [one[task][name] for one in numbers]
                row[name] = "–" if None in values else plus_minus(*mean_and_spread(values))
            rows.append(row)
    return rows


def all_figures(files: RunFiles, folder: Path, project: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every figure by section: caption, and the picture as a data URI."""
    made: dict[str, list[dict[str, Any]]] = {
        section: [] for section in ("classical", "pretraining", "fine_tuning", "ml_md")
    }

    def add(section: str, kind: str, subject: str, figure: Figure, **words: Any) -> None:
        name = f"{kind}_{subject}" if subject else kind
        made[section].append(picture(figure, folder, name, CAPTIONS[kind].format(subject=subject, **words)))

    with styled():
        classical = group_by(files.classical, "system")
        for (system,), runs in classical.items() if len(classical) <= MANY_SYSTEMS else ():
            add("classical", "classical", system, md_figures.classical_traces(runs))
        if files.pretraining:
            words = denoise_in_words(project)
            add("pretraining", "pretraining_losses", "", figures.pretraining_losses(files.pretraining), denoise=words)
        for (experiment,), runs in group_by(files.tested, "experiment").items():
            sizes = sorted({run["n_train"] for run in runs})
            add("fine_tuning", "learning_curves", experiment, figures.learning_curves(runs), n_train=sizes[-1])
            if len(sizes) > 1:
                add("fine_tuning", "data_efficiency", experiment, figures.data_efficiency(runs))
            add("fine_tuning", "parity", experiment, figures.parity(runs), n_train=sizes[-1])
        for (experiment,), runs in group_by(files.ml_md, "experiment").items():
            reference = read_json(Path(runs[0]["metrics"]) / "metrics.json").get("reference", "the reference")
            add("ml_md", "ml_md_traces", experiment, md_figures.ml_md_traces(runs))
            measured = [run for run in runs if len(read_csv(Path(run["metrics"]) / "rdf.csv"))]
            if measured:
                add("ml_md", "rdf", experiment, md_figures.rdf_overlay(measured), reference=reference)
                add("ml_md", "msd", experiment, md_figures.msd_curves(measured), reference=reference)
    return made


def stage_provenance(files: RunFiles) -> list[dict[str, Any]]:
    """One line for each ML-driven run's metrics: stage version, package versions and input digests."""
    lines = []
    for run in files.ml_md:
        record = read_json(Path(run["metrics"]) / "metrics.json").get("provenance")
        if record:
            lines.append({"folder": str(run["metrics"]), "record": record})
    return lines
