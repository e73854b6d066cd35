"""One look for all figures: readable, safe for colour-blind readers, apart in grey as well."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow, which is too faint for a line.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
# One fewer than colours, so that a colour that comes again has another pattern.
DASHES = ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1)))
REFERENCE = {"color": "black", "linewidth": 1.0, "linestyle": "solid"}

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
}


class Look(NamedTuple):
    color: str
    linestyle: object


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A colour and a dash pattern for each name, the same in every figure."""
    return {name: Look(COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]) for index, name in enumerate(names)}


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside have this look."""
    with matplotlib.rc_context(SETTINGS):
        yield


def panels(n_rows: int, n_columns: int, height: float = 2.5, share_x: str = "all", share_y: str = "row"):
    """A figure of the page's width and its axes [n_rows][n_columns]."""
    width = min(9.0, max(4.4, 3.2 * n_columns))
    figure = Figure(figsize=(width, height * n_rows + 0.3))
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=share_x, sharey=share_y)
    return figure, axes


def legend_above(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all panels, over them and off the data."""
    handles = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        n_columns = max(1, min(len(handles), int(figure.get_figwidth() / 1.7)))
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=n_columns, handlelength=2.6)
