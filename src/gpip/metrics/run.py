"""All metrics of one ML-driven run, and the files they are written to."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpip.core.errors import InputError
from gpip.core.files import replacing, write_json
from gpip.metrics.diffusion import WATER_VISCOSITY_300_K_PA_S
from gpip.metrics.dynamics import UNIT, fitted_entries, msd_rows, published_diffusivity, replica_msds
from gpip.metrics.entries import Entry, absent, over_replicas
from gpip.metrics.files import MLMDRun, read_ml_md
from gpip.metrics.molecules import find_bonds
from gpip.metrics.reference import Reference
from gpip.metrics.stability import bond_lengths, bond_stability
from gpip.metrics.structure import (
    intermolecular_rdf_entries,
    measure_structure,
    published_rdf_entries,
    rdf_rows,
    stability_entry,
)

RDF_COLUMNS = ("r_angstrom", "pair", "kind", "g", "g_std", "g_ref")
MSD_COLUMNS = ("lag_ps", "msd_angstrom2", "std", "series")
TRACE_COLUMNS = ("time_ps", "replica", "temperature_kelvin", "potential_energy_ev", "total_energy_ev")
Table = list[tuple]


def ml_md_metrics(
    trajectory: str | Path,
    reference: Reference,
    settings: Any,
    viscosity_pa_s: float | None = WATER_VISCOSITY_300_K_PA_S,
) -> tuple[dict[str, Entry], dict[str, Table]]:
    """Metrics by name, and rows of the tables `rdf`, `msd` and `traces`.

    Args:
        trajectory: file of the run, all replicas.
        settings: with the fields of `metrics` in config.yaml; a mapping or an object.
        viscosity_pa_s: of the finite-size correction; None leaves it out.

    Raises:
        InputError: the file cannot be used, or reference and run are of different elements.
    """
    if isinstance(settings, dict):
        settings = SimpleNamespace(**settings)
    run = read_ml_md(trajectory)
    periodic = bool(np.any(run.cell))
    if periodic != reference.is_periodic:
        raise InputError(f"{trajectory} and its reference ({reference.description}) must both have a box, or neither")
    entries = _run_entries(run)
    measure = _bulk if periodic else _molecule
    more, tables = measure(run, reference, settings, viscosity_pa_s)
    return entries | more, tables | {"traces": _trace_rows(run)}


def compute_metrics(
    trajectory: str | Path,
    reference: Reference,
    settings: Any,
    folder: str | Path,
    provenance: dict[str, Any],
    viscosity_pa_s: float | None = WATER_VISCOSITY_300_K_PA_S,
) -> dict[str, Entry]:
    """Write metrics.json, rdf.csv, msd.csv and traces.csv of one run into `folder`; returns the metrics.

    metrics.json holds the entries by name, and beside them `reference` (in words) and `provenance`.
    """
    entries, tables = ml_md_metrics(trajectory, reference, settings, viscosity_pa_s)
    folder = Path(folder)
    for name, columns in (("rdf", RDF_COLUMNS), ("msd", MSD_COLUMNS), ("traces", TRACE_COLUMNS)):
        with replacing(folder / f"{name}.csv") as partial, open(partial, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(tables[name])
    write_json(folder / "metrics.json", entries | {"reference": reference.description, "provenance": provenance})
    return entries


def _bulk(run: MLMDRun, reference: Reference, settings: Any, viscosity_pa_s: float | None) -> tuple:
    structure = measure_structure(run, reference, settings)
    element = settings.diffusing_element
    replicas = range(run.n_replicas)
    published_frames = [structure.n_stable_frames(replica, published=True) for replica in replicas]
    published_note = ""
    if not any(published_frames):
        published_frames = [run.n_held(replica) for replica in replicas]
        published_note = "; no stable part by the published criterion: over the time before it became unstable"
    published = published_diffusivity(
        replica_msds(run, published_frames, element, published=True), run.step_ps, reference, element
    )
    published["diffusivity_published"]["note"] += published_note
    stable_frames = [structure.n_stable_frames(replica, published=False) for replica in replicas]
    msds = replica_msds(run, stable_frames, element)
    entries = {
        "stability_published": stability_entry(structure.published),
        "stability_intermolecular": stability_entry(structure.intermolecular),
        **published_rdf_entries(structure),
        **intermolecular_rdf_entries(structure),
        **published,
        **fitted_entries(msds, run, reference, settings, viscosity_pa_s),
    }
    return entries, {"rdf": rdf_rows(structure), "msd": msd_rows(msds, run.step_ps, reference, element)}


def _molecule(run: MLMDRun, reference: Reference, settings: Any, viscosity_pa_s: float | None) -> tuple:
    if not np.array_equal(run.species, reference.species):
        raise InputError(f"{run.path}: its atoms are not those of the reference ({reference.description})")
    cell = np.zeros((3, 3))
    bonds = find_bonds(reference.species, np.asarray(reference.positions[0], float), cell)
    lengths = bond_lengths(np.asarray(reference.positions), cell, bonds).mean(axis=0)
    stability = [
        bond_stability(
            run.positions(replica),
            cell,
            bonds,
            lengths,
            run.step_ps,
            run.held_ps(replica),
            run.unstable_reason[replica] if np.isfinite(run.unstable_from_fs[replica]) else "",
        )
        for replica in range(run.n_replicas)
    ]
    entries = {"stability_published": stability_entry(stability)}
    reason = "defined for a liquid in a periodic box; this run is a molecule without one"
    entries["rdf_error_published_mean"] = entries["rdf_error_intermolecular_mean"] = absent("1", reason)
    entries["diffusivity_published"] = entries["diffusivity_fit"] = absent(UNIT, reason)
    return entries, {"rdf": [], "msd": []}


def _run_entries(run: MLMDRun) -> dict[str, Entry]:
    held = [run.n_held(replica) for replica in range(run.n_replicas)]
    broken = [
        f"replica {replica} at {run.held_ps(replica):g} ps: {run.unstable_reason[replica]}"
        for replica in range(run.n_replicas)
        if np.isfinite(run.unstable_from_fs[replica])
    ]
    note = "became unstable: " + "; ".join(broken) if broken else "no replica became unstable"
    times = [run.held_ps(replica) for replica in range(run.n_replicas)]
    temperatures = [run.temperature[:n, replica].mean() for replica, n in enumerate(held) if n]
    target = f"thermostat at {run.target_temperature_kelvin:g} K"
    return {
        "held_time": over_replicas(times, "ps", note) | {"censored": run.n_replicas - len(broken)},
        "temperature": over_replicas(temperatures, "K", target)
        if temperatures
        else absent("K", "every replica became unstable before its first frame"),
    }


def _trace_rows(run: MLMDRun) -> Table:
    rows = []
    for replica in range(run.n_replicas):
        for frame in range(run.n_held(replica)):
            potential = run.potential_energy[frame, replica]
            rows.append(
                (
                    f"{run.time_fs[frame] / 1000:.6g}",
                    replica,
                    f"{run.temperature[frame, replica]:.6g}",
                    f"{potential:.8f}",
                    f"{potential + run.kinetic_energy[frame, replica]:.8f}",
                )
            )
    return rows
