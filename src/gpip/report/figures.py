"""Figures of training: pre-training losses, learning curves, error against training set, parity."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from gpip.report.inputs import Run, group_by, read_csv
from gpip.report.style import legend_above, looks, panels
from gpip.report.tables import loss_columns, run_errors

FORCE_MAE = "force_mae_mev_per_angstrom"
DENSITY = ListedColormap(colormaps["viridis_r"](np.linspace(0.12, 1, 200)))
"""Without the palest yellow, which is lost on white."""


def arms_of(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run["arm"] for run in runs))


def pretraining_losses(runs: list[Run]) -> Figure:
    """A panel per task, a line per backbone and recipe: the running mean over all seeds; single batches are faint."""
    several_sets = len({run["set"] for run in runs}) > 1
    read = {}
    for (backbone, recipe, name), seeds in group_by(runs, "backbone", "recipe", "set").items():
        read[f"{backbone}, {recipe}" + (f", {name}" if several_sets else "")] = [_losses(run) for run in seeds]
    tasks = list(dict.fromkeys(task for losses in read.values() for task in loss_columns(losses[0])))
    n_columns = min(4, len(tasks))
    figure, axes = panels(-(-len(tasks) // n_columns), n_columns, share_x="none", share_y="none")
    look = looks(list(read))
    for axis, task in zip(axes.flat, tasks, strict=False):
        for name, seeds in read.items():
            if task not in loss_columns(seeds[0]):
                continue
            kept = [losses[["step", task]].dropna() for losses in seeds]
            for one in kept:
                axis.plot(one["step"], one[task], color=look[name].color, alpha=0.2, linewidth=0.7)
            mean = pd.concat(kept).groupby("step")[task].mean()
            smooth = mean.rolling(max(1, len(mean) // 20), min_periods=1).mean()
            axis.plot(mean.index, smooth, color=look[name].color, linestyle=look[name].linestyle, label=name)
        axis.set(title=task, xlabel="step")
        _log_if_wide(axis)
    for axis in axes.flat[len(tasks) :]:
        axis.set_visible(False)
    axes[0, 0].set_ylabel("loss")
    legend_above(figure, axes.flat)
    return figure


def learning_curves(runs: list[Run]) -> Figure:
    """Validation force error against steps, largest training set: a panel per backbone, thin lines seeds."""
    largest = max(run["n_train"] for run in runs)
    by_backbone = group_by([run for run in runs if run["n_train"] == largest], "backbone")
    figure, axes = panels(1, len(by_backbone), height=3.0)
    look = looks(arms_of(runs))
    for axis, ((backbone,), members) in zip(axes[0], by_backbone.items(), strict=True):
        for (arm,), seeds in group_by(members, "arm").items():
            curves = [read_csv(Path(run["folder"]) / "history.csv") for run in seeds]
            curves = [curve[["step", FORCE_MAE]].dropna() for curve in curves]
            for curve in curves if len(curves) > 1 else ():
                axis.plot(curve["step"], curve[FORCE_MAE], color=look[arm].color, linewidth=0.6, alpha=0.5)
            steps = sorted(set.intersection(*(set(curve["step"]) for curve in curves)))
            if not steps:
                continue
            mean = np.mean([curve.set_index("step")[FORCE_MAE].loc[steps] for curve in curves], axis=0)
            axis.plot(steps, mean, ".", linestyle=look[arm].linestyle, color=look[arm].color, label=arm)
        axis.set(title=backbone, xlabel="step", yscale="log")
        _plain_log_labels(axis)
    axes[0, 0].set_ylabel("validation force MAE (meV/Å)")
    legend_above(figure, axes.flat)
    return figure


def data_efficiency(runs: list[Run]) -> Figure:
    """Test force error against the number of training frames; points are seeds, lines their mean."""
    by_backbone = group_by(runs, "backbone")
    figure, axes = panels(1, len(by_backbone), height=3.0)
    look = looks(arms_of(runs))
    for axis, ((backbone,), members) in zip(axes[0], by_backbone.items(), strict=True):
        for (arm,), group in group_by(members, "arm").items():
            sizes = sorted({run["n_train"] for run in group})
            errors = [[run_errors(run)["test"][FORCE_MAE] for run in group if run["n_train"] == n] for n in sizes]
            for n, values in zip(sizes, errors, strict=True):
                axis.plot([n] * len(values), values, "o", color=look[arm].color, markersize=3, alpha=0.6)
            means = [np.mean(values) for values in errors]
            axis.plot(sizes, means, color=look[arm].color, linestyle=look[arm].linestyle, label=arm)
        axis.set(title=backbone, xlabel="training frames", xscale="log", yscale="log")
        axis.set_xticks(sorted({run["n_train"] for run in members}))
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        _plain_log_labels(axis)
    axes[0, 0].set_ylabel("test force MAE (meV/Å)")
    legend_above(figure, axes.flat)
    return figure


def parity(runs: list[Run]) -> Figure:
    """Predicted against reference force components of the test frames: a row a backbone, a column an arm.

    Backbones with one arm, as those of other packages, stand side by side.
    """
    largest = max(run["n_train"] for run in runs)
    first: dict[tuple[str, str], Run] = {}
    for run in runs:
        if run["n_train"] == largest:
            first.setdefault((run["backbone"], run["arm"]), run)
    forces = {key: _forces(run) for key, run in first.items()}
    limit = 1.05 * max(np.abs(pair).max() for pair in forces.values())
    rows = parity_rows(list(first))
    figure, axes = panels(len(rows), max(map(len, rows)), height=2.7, share_y="all")
    for axis in axes.flat:
        axis.set_visible(False)
    for number, row in enumerate(rows):
        for axis, key in zip(axes[number], row, strict=False):
            axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", title=", ".join(key), visible=True)
            reference, predicted = forces[key]
            image = axis.hexbin(
                reference,
                predicted,
                gridsize=70,
                extent=(-limit, limit, -limit, limit),
                norm=LogNorm(1),
                cmap=DENSITY,
                linewidths=0.1,
            )
            axis.axline((0, 0), slope=1, color="black", linewidth=0.6, linestyle=(0, (4, 3)))
            mae = 1000 * np.abs(predicted - reference).mean()
            axis.text(0.04, 0.96, f"MAE {mae:.1f} meV/Å", transform=axis.transAxes, va="top", fontsize=8)
            axis.xaxis.set_major_locator(MaxNLocator(4, symmetric=True, prune="both"))
            axis.yaxis.set_major_locator(MaxNLocator(4, symmetric=True, prune="both"))
    for column in axes.T:
        lowest = [axis for axis in column if axis.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
    figure.supxlabel("reference force component (eV/Å)", fontsize=9)
    figure.supylabel("predicted (eV/Å)", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.6, aspect=30, label="force components")
    return figure


def parity_rows(keys: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Pairs of backbone and arm, in rows: one for each backbone with several arms, the others together."""
    by_backbone: dict[str, list[tuple[str, str]]] = {}
    for key in keys:
        by_backbone.setdefault(key[0], []).append(key)
    rows = [row for row in by_backbone.values() if len(row) > 1]
    single = [row[0] for row in by_backbone.values() if len(row) == 1]
    n_columns = max([2, *map(len, rows)])
    return rows + [single[start : start + n_columns] for start in range(0, len(single), n_columns)]


def _losses(run: Run) -> Any:
    return read_csv(Path(run["folder"]) / "losses.csv")


def _forces(run: Run) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(Path(run["folder"]) / "predictions.h5") as file:
        return file["forces_reference"][...].ravel(), file["forces_predicted"][...].ravel()


def _log_if_wide(axis: Any) -> None:
    values = np.concatenate([line.get_ydata() for line in axis.lines]) if axis.lines else np.ones(1)
    if values.min() > 0 and values.max() / values.min() > 8:
        axis.set_yscale("log")


def _plain_log_labels(axis: Any) -> None:
    """Ticks such as 20, 50, 100 in place of powers of ten."""
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(NullFormatter())
