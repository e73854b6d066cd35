"""The files of one small system, as the workflow would leave them."""

import json

import numpy as np
import pandas as pd
from synthetic_run import solution, write_log, write_trajectory

from gpip.metrics.system import measure_system

NPT = {"temperature_kelvin": 298.15, "pressure_bar": 1.01325, "equilibration_ps": 50.0, "production_ps": 200.0}
SAMPLING = {"timestep_fs": 1.0, "equilibration_ps": 5.0, "production_ps": 10.0, "sample_every_ps": 0.1}
SETTINGS = {"npt": NPT, "sampling": SAMPLING, "constraints": "none"}
ANNEALING = {"start_kelvin": 1000.0, "end_kelvin": 300.0, "duration_ps": 10.0}


def density_record(mean, reasons=()):
    """Like density.json."""
    return {
        "density_g_per_cm3": mean,
        "density_standard_error_g_per_cm3": 0.004,
        "standard_error_reason": "",
        "converged": not reasons,
        "reasons": list(reasons),
        "box_length_angstrom": 26.0,
    }


def write_system(root, name, contents, positions, length, density=None, annealed=False, kelvin=(300.0, 600.0)):
    """Write a system below `root`; returns the inputs of its page."""
    folder = root / "systems" / name
    folder.mkdir(parents=True)
    n_atoms = positions.shape[1]
    manifest = {
        "n_atoms": n_atoms,
        "n_molecules": sum(contents.values()),
        "molecules": contents,
        "force_field": "opls-aa",
        "ion_charge_scale": 0.8,
        "cutoff_angstrom": 12.0 if length else None,
        "box_length_angstrom": length,
        "closest_contact_angstrom": 2.1,
    }
    if length:
        manifest |= {"density_g_per_cm3": 0.5, "mol_per_litre": dict.fromkeys(contents, 0.5)}
    if any(one.endswith(("+", "-")) for one in contents):
        manifest["mol_per_kg_solvent"] = {one: 0.7 for one in contents if one.endswith(("+", "-"))}
    point = {"energy_before_ev": {"total": None}, "energy_after_ev": {"total": -12.3456}}
    files = {
        "manifest": _json(folder / "manifest.json", manifest),
        "minimisation": _json(folder / "minimisation.json", point | {"largest_force_after_ev_per_angstrom": 0.05}),
        "density": _json(folder / "density.json", density) if density else None,
        "density_table": None,
        "annealing_table": None,
        **{one: str(folder / f"{one}.csv") for one in ("rdf", "coordination", "gyration")},
        "summary": str(folder / "summary.json"),
        "runs": [],
    }
    generator = np.random.default_rng(0)
    if density:
        table = pd.DataFrame({"time_ps": np.arange(1, 101) * 2.0})
        table["density_g_per_cm3"] = density["density_g_per_cm3"] + generator.normal(0, 0.01, 100)
        table.to_csv(folder / "density.csv", index=False)
        files["density_table"] = str(folder / "density.csv")
    if annealed:
        target = np.linspace(1000, 300, 50)
        table = {"time_ps": np.arange(50) / 5, "target_kelvin": target, "temperature_kelvin": target + 9}
        pd.DataFrame(table | {"potential_energy_ev": target / 50}).to_csv(folder / "annealing.csv", index=False)
        files["annealing_table"] = str(folder / "annealing.csv")
    for one in kelvin:
        run = root / "classical_md" / name / f"{one:g}K"
        path = write_trajectory(run / "trajectory.h5", contents, positions, length)
        log = write_log(run / "log.csv", one)
        files["runs"].append({"temperature_kelvin": one, "trajectory": str(path), "log": str(log)})
    measure_system(
        name,
        {one: {"count": count} for one, count in contents.items()},
        files["manifest"],
        [(run["temperature_kelvin"], run["trajectory"], run["log"]) for run in files["runs"]],
        files["density"],
        *(files[one] for one in ("summary", "rdf", "coordination", "gyration")),
        {"stage": "system", "inputs": {"trajectory.h5": "0123456789abcdef"}},
    )
    return files


def electrolyte(root, name="napf6-dme", reasons=()):
    contents, positions, length = solution(12)
    return write_system(root, name, contents, positions, length, density_record(0.97, reasons), annealed=True)


def molecule(root, name="dme-alone"):
    _, positions, _ = solution(12)
    return write_system(root, name, {"DME": 1}, positions[:, -16:], None)


def _json(path, value):
    path.write_text(json.dumps(value))
    return str(path)
