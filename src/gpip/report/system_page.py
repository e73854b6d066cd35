"""The page of one system: what it is, how it was prepared, and what its classical runs show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from gpip.core.files import read_json, write_text
from gpip.core.provenance import provenance
from gpip.metrics.trajectory import Trajectory, read_trajectory
from gpip.report import md_figures, system_figures
from gpip.report.box_picture import box_picture
from gpip.report.inputs import read_csv
from gpip.report.names import contents_in_words
from gpip.report.render import picture, render
from gpip.report.style import styled
from gpip.report.system_tables import (
    bond_table,
    composition_table,
    coordination_reasons,
    coordination_table,
    facts,
    gyration_table,
    thermal_reasons,
    thermal_table,
    thermal_warnings,
)
from gpip.report.system_wording import CAPTIONS, density_sentences, protocol
from gpip.report.targets import target_of

Inputs = Mapping[str, Any]


def build_system_page(name: str, settings: Mapping[str, Any], inputs: Inputs, page: str | Path) -> Path:
    """Write the page of a system, and beside it one PNG per figure in `figures/<name>/`.

    Args:
        settings: of the system, every key with its value.
        inputs: paths: `manifest`, `minimisation`, `summary`, `rdf`, `coordination`, `gyration`, `runs` (each with
            `temperature_kelvin`, `trajectory` and `log`), and None or a path for `density`, `density_table` (of
            constant pressure) and `annealing_table`.

    Raises:
        InputError: a file cannot be read.
    """
    page = Path(page)
    manifest, summary = read_json(inputs["manifest"]), read_json(inputs["summary"])
    shown = summary["shown_kelvin"]
    run = next(run for run in inputs["runs"] if run["temperature_kelvin"] == shown)
    frame = read_trajectory(run["trajectory"], last_only=True)
    target = None
    if settings.get("npt"):
        npt = settings["npt"]
        target = target_of(manifest["molecules"], npt["temperature_kelvin"], npt["pressure_bar"])
    tables = {
        "composition": composition_table(summary),
        "thermal": thermal_table(summary),
        "coordination": coordination_table(summary),
        "gyration": gyration_table(summary),
        "bonds": bond_table(summary),
    }
    text = render(
        "system.html.jinja",
        title=name,
        contents=contents_in_words(summary["contents"]),
        facts=facts(manifest, summary, settings),
        protocol=protocol(settings, manifest, read_json(inputs["minimisation"]), summary),
        density=density_sentences(settings, manifest, summary, target),
        tables={name: table for name, table in tables.items() if len(table)},
        coordination_how=summary["coordination_how"],
        coordination_reasons=coordination_reasons(summary),
        measured=summary["sampling"],
        thermal_reasons=thermal_reasons(summary),
        thermal_warnings=thermal_warnings(summary),
        figures=_figures(name, inputs, summary, frame, target, page.parent / "figures" / name),
        versions=provenance("report", {}, None),
        sources=summary["provenance"].get("inputs", {}),
        config=yaml.safe_dump({name: dict(settings)}, sort_keys=False, allow_unicode=True),
    )
    write_text(page, text)
    return page


def _figures(
    name: str, inputs: Inputs, summary: Mapping[str, Any], frame: Trajectory, target: Any, folder: Path
) -> dict[str, Any]:
    """Each figure by its kind; those that do not apply are left out."""
    shown = summary["shown_kelvin"]
    made: dict[str, Any] = {}

    def add(kind: str, figure: Figure, **words: Any) -> None:
        made[kind] = picture(figure, folder, kind, CAPTIONS[kind].format(system=name, shown=f"{shown:g}", **words))

    with styled():
        if inputs.get("density_table"):
            mean, error = summary["density_g_per_cm3"], summary["density_standard_error_g_per_cm3"]
            add("density", system_figures.density_trace(read_csv(inputs["density_table"]), mean, error, target))
        if inputs.get("annealing_table"):
            add("annealing", system_figures.annealing_trace(read_csv(inputs["annealing_table"])))
        add("traces", md_figures.classical_traces(list(inputs["runs"])))
        rdf = pd.read_csv(inputs["rdf"])
        if len(rdf):
            coordination = pd.read_csv(inputs["coordination"])
            rows = (table[table["temperature_kelvin"] == shown] for table in (rdf, coordination))
            add("rdf", system_figures.radial_distributions(*rows))
        gyration = pd.read_csv(inputs["gyration"])
        if len(gyration):
            add("gyration", system_figures.gyration_traces(gyration))
        kind = "box" if frame.lengths is not None else "molecule"
        lengths = frame.lengths[-1] if frame.lengths is not None else None
        charged = [bool(one["charge"]) for one in summary["contents"] for _ in range(one["count"])]
        ions = np.array(charged)[frame.molecule]
        drawn = box_picture(frame.species, frame.molecule, frame.bonds, frame.positions[-1], lengths, ions)
        words = "; ions are larger and stronger in colour" if ions.any() else ""
        add(kind, drawn, time=f"{frame.time_ps[-1]:g}", ions=words)
    return made
