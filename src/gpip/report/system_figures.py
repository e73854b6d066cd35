"""Figures of one system: density, annealing, radial distributions, shape of a molecule."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from gpip.report.names import pair_name
from gpip.report.style import COLOURS, panels
from gpip.report.targets import Target

TARGET = {"color": COLOURS[0], "linestyle": (0, (5, 2)), "linewidth": 1.2}
COLUMNS = 3


def density_trace(table: pd.DataFrame, mean: float, error: float | None, target: Target | None) -> Figure:
    """Density over the production at constant pressure, its mean with two standard errors if known, and the target."""
    figure, axes = panels(1, 1, height=2.4)
    figure.set_figwidth(7.0)
    axis = axes[0, 0]
    axis.plot(table["time_ps"], table["density_g_per_cm3"], color=COLOURS[1], linewidth=0.8, alpha=0.75, label="box")
    label = "mean, too short for an error" if error is None else "mean ± 2 standard errors"
    if error is not None:
        axis.axhspan(mean - 2 * error, mean + 2 * error, color="black", alpha=0.12, linewidth=0)
    axis.axhline(mean, color="black", linewidth=1.2, label=label)
    if target:
        axis.axhline(target.density_g_per_cm3, **TARGET, label=f"measured, {target.temperature_kelvin:g} K")
    axis.set(xlabel="time (ps)", ylabel="density (g/cm³)")
    axis.margins(x=0.01)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def annealing_trace(table: pd.DataFrame) -> Figure:
    """Temperature with that of the thermostat, and potential energy, while the system cools."""
    figure, axes = panels(1, 2, height=2.5, share_y="none")
    figure.set_figwidth(8.0)
    temperature, energy = axes[0]
    temperature.plot(table["time_ps"], table["temperature_kelvin"], color=COLOURS[1], linewidth=0.8, label="system")
    temperature.plot(table["time_ps"], table["target_kelvin"], color="black", linewidth=1.0, label="thermostat")
    temperature.set(xlabel="time (ps)", ylabel="temperature (K)")
    temperature.legend()
    energy.plot(table["time_ps"], table["potential_energy_ev"], color=COLOURS[1], linewidth=0.8)
    energy.set(xlabel="time (ps)", ylabel="potential energy (eV)")
    return figure


def radial_distributions(rdf: pd.DataFrame, coordination: pd.DataFrame) -> Figure:
    """g(r) with two standard errors and n(r) of every pair at one temperature, a panel a pair.

    Args:
        rdf: rows of `rdf.csv` at one temperature.
        coordination: rows of `coordination.csv` at the same temperature.
    """
    pairs = list(dict.fromkeys(rdf["pair"]))
    n_columns = 2 if len(pairs) == 4 else min(COLUMNS, len(pairs))
    n_rows = -(-len(pairs) // n_columns)
    figure, axes = panels(n_rows, n_columns, height=2.4, share_x="none", share_y="none")
    figure.set_figwidth(min(9.6, 3.2 * n_columns + 0.6))
    for index, (axis, pair) in enumerate(zip(axes.flat, pairs, strict=False)):
        rows = rdf[rdf["pair"] == pair]
        shell = coordination[coordination["pair"] == pair].iloc[0]
        second = _panel(axis, rows, shell)
        if index % n_columns == 0:
            axis.set_ylabel("g(r)")
        if index % n_columns == n_columns - 1 or index == len(pairs) - 1:
            second.set_ylabel("n(r)", color=COLOURS[0])
    for axis in list(axes.flat)[len(pairs) :]:
        axis.set_visible(False)
    return figure


def _panel(axis, rows: pd.DataFrame, shell: pd.Series):
    r, g = rows["r_angstrom"].to_numpy(), rows["g"].to_numpy()
    error = rows["g_standard_error"].to_numpy(float)
    second = axis.twinx()
    second.spines["right"].set_visible(True)
    second.spines["right"].set_color(COLOURS[0])
    second.tick_params(axis="y", colors=COLOURS[0])
    axis.fill_between(r, np.maximum(g - 2 * error, 0), g + 2 * error, color=COLOURS[1], alpha=0.25, linewidth=0)
    axis.plot(r, g, color=COLOURS[1], linewidth=1.2)
    axis.axhline(1, color="black", linewidth=0.5, linestyle=(0, (2, 3)))
    running = rows["running_coordination"].to_numpy()
    second.plot(r, running, color=COLOURS[0], linewidth=1.1, linestyle=(0, (5, 1.5)))
    n, end = shell["coordination_number"], shell["first_minimum_angstrom"]
    n_top = running[-1]
    if pd.notna(n):
        axis.axvline(end, color="black", linewidth=0.7, linestyle=(0, (1, 1.5)))
        # The first shell is what matters: what lies far out may leave the panel at the top.
        n_top = min(running[-1], max(3 * n, 1))
        second.plot([end], [n], "o", color=COLOURS[0], markersize=3.5)
        words = f"n = {n:.2f} within {end:.2f} Å"
    else:
        words = "no first shell"
    axis.set_title(f"{pair_name(rows['pair'].iloc[0])}\n{words}", fontsize=8.5)
    top = np.nanmax(np.where(r > 1.2, g, 0)) if len(g) else 1
    axis.set(xlabel="r (Å)", ylim=(0, max(1.5, 1.08 * top)), xlim=(max(0.0, _start(r, g) - 0.6), r[-1]))
    second.set_ylim(0, 1.08 * max(n_top, 1e-3))
    return second


def gyration_traces(table: pd.DataFrame) -> Figure:
    """Radius of gyration of a molecule against time, and how often each value occurs, a colour a temperature."""
    figure, axes = panels(1, 2, height=3.0, share_x="none", share_y="row")
    figure.set_figwidth(8.0)
    groups = list(table.groupby("temperature_kelvin"))
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(groups)))
    values = table["radius_of_gyration_angstrom"]
    n_bins = int(np.clip(np.sqrt(len(values) / len(groups)), 8, 40))
    edges = np.linspace(values.min() - 1e-6, values.max() + 1e-6, n_bins + 1)
    for (temperature, rows), colour in zip(groups, colours, strict=True):
        radius = rows["radius_of_gyration_angstrom"]
        axes[0, 0].plot(rows["time_ps"], radius, color=colour, linewidth=0.8, label=f"{temperature:g} K")
        share = np.histogram(radius, edges)[0] / len(radius)
        axes[0, 1].plot(share, (edges[1:] + edges[:-1]) / 2, color=colour, linewidth=1.2)
    axes[0, 0].set(xlabel="time (ps)", ylabel="radius of gyration (Å)")
    axes[0, 1].set(xlabel="share of the frames", xlim=(0, None))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", handlelength=1.2, title="thermostat")
    return figure


def _start(r: np.ndarray, g: np.ndarray) -> float:
    """Where neighbours begin."""
    there = np.flatnonzero(g > 0.02)
    return float(r[there[0]]) if len(there) else 0.0
