"""Figures of dynamics: g(r), MSD, temperature and energy traces."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from gpip.report.figures import arms_of
from gpip.report.inputs import Run, group_by, read_csv
from gpip.report.style import REFERENCE, legend_above, looks, panels

N_BINS_SHOWN = 100


def classical_traces(runs: list[Run]) -> Figure:
    """Temperature and potential energy of the classical runs of one system, a colour per temperature."""
    figure, axes = panels(1, 2, height=3.4, share_y="none")
    ordered = sorted(runs, key=lambda run: run["temperature_kelvin"])
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(ordered)))
    for run, colour in zip(ordered, colours, strict=True):
        log = read_csv(run["log"])
        label = f"{run['temperature_kelvin']:g} K"
        axes[0, 0].plot(log["time_ps"], log["temperature_kelvin"], color=colour, linewidth=0.9)
        axes[0, 0].axhline(run["temperature_kelvin"], color=colour, linewidth=0.5, linestyle=(0, (2, 3)))
        axes[0, 1].plot(log["time_ps"], log["potential_energy_ev"], color=colour, linewidth=0.9, label=label)
    axes[0, 0].set(xlabel="time (ps)", ylabel="temperature (K)")
    axes[0, 1].set(xlabel="time (ps)", ylabel="potential energy (eV)")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    # Top to bottom as the lines lie.
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", handlelength=1.2, title="thermostat")
    return figure


def ml_md_traces(runs: list[Run]) -> Figure:
    """Temperature and total energy, a column per backbone, lines replicas: running means over raw values."""
    by_backbone = group_by(runs, "backbone")
    figure, axes = panels(2, len(by_backbone), height=2.1)
    look = looks(arms_of(runs))
    for column, ((backbone,), members) in enumerate(by_backbone.items()):
        for run in members:
            traces = read_csv(Path(run["metrics"]) / "traces.csv")
            for _, trace in traces.groupby("replica"):
                energy = trace["total_energy_ev"] - trace["total_energy_ev"].iloc[0]
                colour, dashes = look[run["arm"]]
                for axis, values in zip(axes[:, column], (trace["temperature_kelvin"], energy), strict=True):
                    smooth = values.rolling(max(1, len(values) // 20), min_periods=1, center=True).mean()
                    axis.plot(trace["time_ps"], values, color=colour, linewidth=0.5, alpha=0.25)
                    axis.plot(trace["time_ps"], smooth, color=colour, linestyle=dashes, label=run["arm"])
        axes[0, column].set_title(backbone)
        axes[1, column].set_xlabel("time (ps)")
    axes[0, 0].set_ylabel("temperature (K)")
    axes[1, 0].set_ylabel("change of total\nenergy (eV)")
    legend_above(figure, axes.flat)
    return figure


def rdf_overlay(runs: list[Run]) -> Figure:
    """Intermolecular g(r), rows backbones, columns pairs of elements; black is the reference."""
    tables = {id(run): read_csv(Path(run["metrics"]) / "rdf.csv") for run in runs}
    pairs = list(dict.fromkeys(pair for table in tables.values() for pair in table["pair"]))
    by_backbone = group_by(runs, "backbone")
    figure, axes = panels(len(by_backbone), max(1, len(pairs)), height=2.3, share_y="none")
    look = looks(arms_of(runs))
    for row, ((backbone,), members) in zip(axes, by_backbone.items(), strict=True):
        for axis, pair in zip(row, pairs, strict=False):
            for run in members:
                table = tables[id(run)]
                chosen = table[(table["pair"] == pair) & (table["kind"] == "intermolecular")]
                if chosen.empty:
                    continue
                radii, g, g_reference = rebinned(chosen)
                colour, dashes = look[run["arm"]]
                if run is members[0]:
                    axis.plot(radii, g_reference, **REFERENCE, label="reference")
                axis.plot(radii, g, color=colour, linestyle=dashes, label=run["arm"], linewidth=1.2)
            axis.set_title(f"{backbone}, {pair.replace('-', '–')}")
            axis.set(xlim=(1, None), ylim=(0, None))
    for axis in axes[-1]:
        axis.set_xlabel("r (Å)")
    for row in axes:
        row[0].set_ylabel("g(r) between molecules")
    legend_above(figure, axes.flat)
    return figure


def rebinned(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radii, g and reference in wider bins for the eye: means weighted by r², so that counts are kept."""
    columns = [table[name].to_numpy(float) for name in ("r_angstrom", "g", "g_ref")]
    width = max(1, len(table) // N_BINS_SHOWN)
    radii, g, g_reference = (column[: len(column) // width * width].reshape(-1, width) for column in columns)
    weights = radii**2
    return (
        radii.mean(axis=1),
        np.average(g, axis=1, weights=weights),
        np.average(g_reference, axis=1, weights=weights),
    )


def msd_curves(runs: list[Run]) -> Figure:
    """MSD against lag on logarithmic axes, a panel per backbone; bands are standard errors."""
    by_backbone = group_by(runs, "backbone")
    figure, axes = panels(1, len(by_backbone), height=3.0)
    look = looks(arms_of(runs))
    for axis, ((backbone,), members) in zip(axes[0], by_backbone.items(), strict=True):
        shown = 0.0
        for index, run in enumerate(members):
            table = read_csv(Path(run["metrics"]) / "msd.csv")
            table = table[(table["lag_ps"] > 0) & (table["msd_angstrom2"] > 0)]
            spread = pd.to_numeric(table["std"], errors="coerce").fillna(0)
            table = table.assign(low=table["msd_angstrom2"] - spread, high=table["msd_angstrom2"] + spread)
            of_run, of_reference = (table[table["series"] == series] for series in ("run", "reference"))
            shown = max(shown, of_run["lag_ps"].max() if len(of_run) else 0.0)
            colour, dashes = look[run["arm"]]
            if index == 0 and len(of_reference):
                axis.plot(of_reference["lag_ps"], of_reference["msd_angstrom2"], **REFERENCE, label="reference")
            axis.plot(of_run["lag_ps"], of_run["msd_angstrom2"], color=colour, linestyle=dashes, label=run["arm"])
            floor = of_run["msd_angstrom2"] * 0.3
            axis.fill_between(
                of_run["lag_ps"],
                of_run["low"].clip(lower=floor),
                of_run["high"],
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
        axis.set(title=backbone, xlabel="lag (ps)", xscale="log", yscale="log")
        if shown:
            axis.set_xlim(right=shown * 1.1)
    axes[0, 0].set_ylabel("MSD (Å²)")
    legend_above(figure, axes.flat)
    return figure
