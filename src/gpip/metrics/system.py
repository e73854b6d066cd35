"""What the classical runs of one system show, and the files it is written to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from gpip.core.averages import average
from gpip.core.errors import InputError
from gpip.core.files import read_json, replacing, write_json
from gpip.metrics.conformation import bond_summary, radius_of_gyration
from gpip.metrics.sites import Contents, site_pairs
from gpip.metrics.solution import HOW_FOUND, Distribution, distributions
from gpip.metrics.trajectory import Trajectory, read_trajectory

FRAMES_AT_MOST = 1000
"""Frames of one temperature that distances are counted in; more are thinned evenly."""
SHOWN_KELVIN = 300.0
RDF_COLUMNS = ("temperature_kelvin", "pair", "kind", "r_angstrom", "g", "g_standard_error", "running_coordination")
COORDINATION_COLUMNS = (
    "temperature_kelvin",
    "pair",
    "kind",
    "first_peak_angstrom",
    "first_peak_g",
    "first_minimum_angstrom",
    "coordination_number",
    "coordination_standard_error",
    "reason",
)
GYRATION_COLUMNS = ("temperature_kelvin", "time_ps", "radius_of_gyration_angstrom")
Row = dict[str, Any]


def measure_system(
    name: str,
    species: Mapping[str, Mapping[str, Any]],
    manifest_path: str | Path,
    runs: Sequence[tuple[float, str | Path, str | Path]],
    density_path: str | Path | None,
    summary_path: str | Path,
    rdf_path: str | Path,
    coordination_path: str | Path,
    gyration_path: str | Path,
    provenance: dict[str, Any],
) -> None:
    """Write `summary.json`, `rdf.csv`, `coordination.csv` and `gyration.csv` of one system.

    For a box: radial distributions between molecules and coordination numbers. For a molecule without one: radius of
    gyration and bond lengths. For both: energies, temperatures, density and the composition reached.

    Args:
        species: what is in the box, {name: {count: n, smiles: ...}}, in the order of its atoms.
        runs: temperature, `trajectory.h5` and `log.csv` of each classical run.
        density_path: `density.json`, where the density was found at constant pressure.

    Raises:
        InputError: a trajectory that cannot be read or holds other atoms, an empty log.
    """
    contents = Contents.from_settings(species)
    thermal, sampling, found, molecule_rows, gyration = [], [], [], [], []
    periodic = False
    for temperature, trajectory_path, log_path in sorted(runs):
        trajectory = read_trajectory(trajectory_path, FRAMES_AT_MOST)
        _check_contents(contents, trajectory, trajectory_path)
        thermal.append(thermal_summary(temperature, log_path))
        sampling.append(_sampling(temperature, trajectory))
        if trajectory.lengths is None:
            molecule_rows.append(_molecule_row(temperature, trajectory))
            gyration += _gyration_rows(temperature, trajectory)
        else:
            periodic = True
            pairs = site_pairs(contents)
            measured = distributions(pairs, trajectory.molecule, trajectory.positions, trajectory.lengths)
            found.append((temperature, measured))
    coordination = [row for temperature, measured in found for row in coordination_rows(temperature, measured)]
    temperatures = [float(run[0]) for run in sorted(runs)]
    density = read_json(density_path) if density_path else None
    summary = {
        "system": name,
        "contents": [
            {"name": one.name, "count": count, "smiles": one.smiles, "charge": one.charge}
            for one, count in contents.numbered()
        ],
        "periodic": periodic,
        "temperatures_kelvin": temperatures,
        "shown_kelvin": min(temperatures, key=lambda t: (abs(t - SHOWN_KELVIN), t)),
        "sampling": sampling,
        "thermal": thermal,
        "coordination": coordination,
        "coordination_how": HOW_FOUND if periodic else None,
        "molecule": molecule_rows,
        **reached_composition(read_json(manifest_path), density),
    }
    _write_table(rdf_path, RDF_COLUMNS, [row for t, measured in found for row in rdf_rows(t, measured)])
    _write_table(coordination_path, COORDINATION_COLUMNS, coordination)
    _write_table(gyration_path, GYRATION_COLUMNS, gyration)
    write_json(summary_path, summary | {"provenance": provenance})


def reached_composition(manifest: Mapping[str, Any], density: Mapping[str, Any] | None) -> dict[str, Any]:
    """Density and concentrations of the box that was sampled, which is not the one that was packed after NPT.

    Args:
        manifest: of the packed box.
        density: `density.json`, or None where the box kept its density.

    Returns:
        `density_g_per_cm3`, `density_standard_error_g_per_cm3` (None where the density was set or the run is too short
        for an error, which `density_standard_error_reason` then says), `density_converged`,
        `density_reasons`, and `mol_per_litre` and `mol_per_kg_solvent` as far as the manifest has them.
    """
    packed = manifest.get("density_g_per_cm3")
    reached = density["density_g_per_cm3"] if density else packed
    factor = reached / packed if packed else 1.0
    litre = manifest.get("mol_per_litre")
    return {
        "density_g_per_cm3": reached,
        "density_standard_error_g_per_cm3": density["density_standard_error_g_per_cm3"] if density else None,
        "density_standard_error_reason": density.get("standard_error_reason", "") if density else "",
        "density_converged": density["converged"] if density else None,
        "density_reasons": density["reasons"] if density else [],
        "box_length_angstrom": (density or manifest).get("box_length_angstrom"),
        "mol_per_litre": {one: value * factor for one, value in litre.items()} if litre and packed else None,
        "mol_per_kg_solvent": manifest.get("mol_per_kg_solvent"),
    }


def thermal_summary(temperature_kelvin: float, log_path: str | Path) -> Row:
    """Means of a run's log, with standard errors that count its independent frames.

    Returns:
        Mean potential energy (eV) and temperature (K) with standard errors, or None and the reason where the run is too
        short for an error; the spread of the temperature, and its deviation from the thermostat in standard errors.
    """
    try:
        log = pd.read_csv(log_path)
    except (FileNotFoundError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{log_path}: {error}; run the classical dynamics that makes it") from None
    if log.empty:
        raise InputError(f"{log_path} holds no frames: lengthen sampling.production_ps")
    energy = average(log["potential_energy_ev"].to_numpy(float))
    temperature = average(log["temperature_kelvin"].to_numpy(float))
    off = temperature.mean - temperature_kelvin
    return {
        "temperature_kelvin": float(temperature_kelvin),
        "n_frames": len(log),
        "potential_energy_mean_ev": energy.mean,
        "potential_energy_standard_error_ev": energy.standard_error,
        "potential_energy_reason": energy.reason,
        "temperature_mean_kelvin": temperature.mean,
        "temperature_standard_error_kelvin": temperature.standard_error,
        "temperature_reason": temperature.reason,
        "temperature_standard_deviation_kelvin": float(log["temperature_kelvin"].std(ddof=0)),
        "temperature_deviation_standard_errors": off / temperature.standard_error
        if temperature.standard_error
        else None,
    }


def rdf_rows(temperature_kelvin: float, measured: Sequence[Distribution]) -> list[Row]:
    """Rows of `rdf.csv`: n(r) counts neighbours within r, the middle of the bin, half of its own bin counted in."""
    rows = []
    for one in measured:
        error = one.g_error
        inside = (one.running + np.concatenate([[0], one.running[:-1]])) / 2
        for index, r in enumerate(one.counts.radii):
            spread = None if error is None else error[index]
            row = (temperature_kelvin, one.pair.name, one.pair.kind, r, one.g[index], spread, inside[index])
            rows.append(dict(zip(RDF_COLUMNS, row, strict=True)))
    return rows


def coordination_rows(temperature_kelvin: float, measured: Sequence[Distribution]) -> list[Row]:
    """Rows of `coordination.csv`, one a pair."""
    return [
        dict(zip(COORDINATION_COLUMNS, (temperature_kelvin, one.pair.name, one.pair.kind, *shell), strict=True))
        for one in measured
        for shell in [one.first_shell()]
    ]


def _check_contents(contents: Contents, trajectory: Trajectory, path: str | Path) -> None:
    found = [chemical_symbols[z] for z in trajectory.species]
    if found != contents.elements:
        raise InputError(
            f"{path} holds {len(found)} atoms that are not those of the settings ({len(contents.elements)} atoms of "
            f"{', '.join(one.name for one in contents.species)}): run the classical dynamics again"
        )


def _sampling(temperature_kelvin: float, trajectory: Trajectory) -> Row:
    return {
        "temperature_kelvin": float(temperature_kelvin),
        "n_frames": trajectory.n_frames_in_file,
        "n_frames_measured": trajectory.n_frames,
        "last_ps": float(trajectory.time_ps[-1]),
    }


def _molecule_row(temperature_kelvin: float, trajectory: Trajectory) -> Row:
    gyration = radius_of_gyration(trajectory.species, trajectory.positions)
    mean = average(gyration)
    return {
        "temperature_kelvin": float(temperature_kelvin),
        "radius_of_gyration_mean_angstrom": mean.mean,
        "radius_of_gyration_standard_error_angstrom": mean.standard_error,
        "radius_of_gyration_reason": mean.reason,
        "radius_of_gyration_standard_deviation_angstrom": float(gyration.std()),
        "bonds": bond_summary(trajectory.species, trajectory.positions, trajectory.bonds),
    }


def _gyration_rows(temperature_kelvin: float, trajectory: Trajectory) -> list[Row]:
    gyration = radius_of_gyration(trajectory.species, trajectory.positions)
    return [
        dict(zip(GYRATION_COLUMNS, (temperature_kelvin, time, value), strict=True))
        for time, value in zip(trajectory.time_ps, gyration, strict=True)
    ]


def _write_table(path: str | Path, columns: Sequence[str], rows: list[Row]) -> None:
    with replacing(path) as partial:
        pd.DataFrame(rows, columns=list(columns)).to_csv(partial, index=False, float_format="%.6g")
