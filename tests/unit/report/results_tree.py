"""A results folder as a small project would leave it, from damped oscillations and a made-up liquid."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from synthetic_water import LENGTH, SPECIES, water, write_run

from gpip.metrics.errors import energy_errors, force_errors
from gpip.metrics.reference import Reference
from gpip.metrics.run import compute_metrics

PROJECT = {
    "seed": 2026,
    "systems": {
        "water": {
            "species": {"water": 64},
            "force_field": "tip3p",
            "density_g_per_cm3": 0.997,
            "temperatures_kelvin": [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000],
        }
    },
    "pretraining": {
        "sets": {"water": ["water"]},
        "recipes": {"gpip": {"mask": {}, "denoise": {}, "contrast": {}}},
    },
    "backbones": {"schnet": {"model": "schnet"}, "painn": {"model": "painn"}},
    "labels": {"water-xtb": {"source": "tblite", "system": "water", "n_frames": 64}},
    "experiments": {
        "water": {
            "pretraining_set": "water",
            "labels": "water-xtb",
            "backbones": ["schnet", "painn"],
            "initialisations": {
                "scratch": {},
                "gpip": {"recipe": "gpip"},
                "scratch-long": {"equal_compute_to": "gpip"},
            },
            "n_train": [20, 40],
            "seeds": [0, 1],
            "split": {"kind": "random", "n_validation": 8, "n_test": 16},
            "ml_md": {"duration_ps": 2, "n_replicas": 2},
            "metrics": {"reference": {"system": "water", "temperature_kelvin": 300}},
        }
    },
}
SETTINGS = {
    "rdf_max_angstrom": 6.0,
    "rdf_bins": 500,
    "stability_window_ps": 1.0,
    "stability_threshold_angstrom": 3.0,
    "msd_fit_ps": None,
    "diffusing_element": "O",
}
FINAL_MAE = {"schnet": 110.0, "painn": 60.0}
FACTOR = {"scratch": 1.0, "gpip": 0.82, "scratch-long": 0.9}


def write_results(root: Path) -> dict:
    """Write the files below `root` and return the inputs of the report."""
    inputs = {
        "fine_tuning": [
            fine_tuning(root, backbone, arm, n_train, seed)
            for backbone in FINAL_MAE
            for arm in FACTOR
            for n_train in (20, 40)
            for seed in (0, 1)
        ],
        "pretraining": [pretraining(root, backbone, seed) for backbone in FINAL_MAE for seed in (0, 1)],
        "classical": [classical(root, kelvin) for kelvin in range(100, 1001, 100)],
        "labels": [labels(root)],
        "benchmarks": benchmarks(root),
        "systems": [system(root)],
        "datasets": [dataset(root)],
    }
    reference = Reference(
        SPECIES,
        water(100, seed=7, hop=0.06),
        LENGTH * np.eye(3),
        time_step_fs=100.0,
        description="100 frames of the classical run of water at 300 K",
    )
    inputs["ml_md"] = [
        ml_md(root, backbone, arm, reference, number)
        for number, (backbone, arm) in enumerate((b, a) for b in FINAL_MAE for a in ("scratch", "gpip"))
    ]
    return inputs


def fine_tuning(root: Path, backbone: str, arm: str, n_train: int, seed: int) -> dict:
    folder = root / "finetuning" / backbone / arm / str(n_train) / str(seed)
    folder.mkdir(parents=True)
    generator = np.random.default_rng([len(backbone), len(arm), n_train, seed])
    final = FINAL_MAE.get(backbone, 40.0) * FACTOR[arm] * (40 / n_train) ** 0.15 * generator.normal(1, 0.02)
    n_steps = 600 if arm != "scratch-long" else 1000
    steps = np.arange(20, n_steps + 1, 20)
    validation = final * (1 + 12 * FACTOR[arm] * np.exp(-steps / 60) + 0.8 * np.exp(-steps / 250))
    validation = np.where(steps % 100 == 0, validation, np.nan)
    pd.DataFrame(
        {
            "step": steps,
            "frames_seen": steps,
            "learning_rate": 3e-3 * 0.5 * (1 + np.cos(np.pi * steps / n_steps)),
            "loss": 40 * np.exp(-steps / 100) + 1.5,
            "energy_mae_mev_per_atom": validation / 40,
            "force_mae_mev_per_angstrom": validation,
            "gradient_norm": 5.0,
        }
    ).to_csv(folder / "history.csv", index=False)
    reference = generator.normal(0, 0.9, (16, 192, 3))
    predicted = reference + generator.normal(0, final / 1000 * 1.25, reference.shape)
    energy = generator.normal(-2600, 0.4, 16)
    energy_predicted = energy + generator.normal(0, 192 * final / 4e4, 16)
    test = energy_errors(energy, energy_predicted, 192) | force_errors(reference, predicted)
    start = {name: value * (9 if arm != "gpip" else 5) for name, value in test.items()}
    transfer = {"energy_head": "fresh", "n_loaded": 28, "n_fresh": 6, "reference_energies": REFERENCES}
    record = {
        "test": test,
        "validation": test,
        "step_0": start,
        "best_step": n_steps,
        "n_steps": n_steps,
        "n_parameters": 54321,
        "transfer": transfer if arm == "gpip" else transfer | {"n_loaded": 0, "n_fresh": 34},
    }
    (folder / "errors.json").write_text(json.dumps(record))
    with h5py.File(folder / "predictions.h5", "w") as file:
        for name, values in (("reference", reference), ("predicted", predicted)):
            file[f"forces_{name}"] = values
    write_cost(folder, 0.08 * n_steps * (1 + 0.02 * seed))
    key = {"experiment": "water", "backbone": backbone, "arm": arm, "n_train": n_train, "seed": seed}
    before = None
    if arm == "gpip":
        before = root / "pretraining" / backbone / f"seed{seed}"
        before.mkdir(parents=True, exist_ok=True)
        write_cost(before, 32.0 + seed)
    return key | {"folder": str(folder), "pretraining": before and str(before)}


def write_cost(folder: Path, seconds: float) -> None:
    (folder / "cost.json").write_text(json.dumps({"seconds": seconds, "clock": "processor"}))


REFERENCES = {
    "anchors_source": "computed by tblite GFN1-xTB",
    "n_elements": 2,
    "n_determined": 1,
    "summary": "the training compositions (H2O) determine 1 of 2 independent combinations; the rest is anchored",
}


def baseline(root: Path, name: str, package: str, n_train: int, seed: int) -> dict:
    """A network of another package: the files of a fine-tuning from scratch, without a record of transfer."""
    run = fine_tuning(root, name, "scratch", n_train, seed)
    path = Path(run["folder"]) / "errors.json"
    record = json.loads(path.read_text()) | {"package": package}
    del record["transfer"]
    path.write_text(json.dumps(record))
    return run


def ml_md(root: Path, backbone: str, arm: str, reference: Reference, number: int) -> dict:
    folder = root / "ml_md" / backbone / arm
    folder.mkdir(parents=True)
    hop = 0.02 + 0.004 * number
    positions = np.stack([water(200, seed=10 * number + replica, hop=hop) for replica in range(2)], axis=1)
    unstable_from = {1: 120} if (backbone, arm) == ("painn", "scratch") else None
    write_run(folder / "trajectory.h5", positions, unstable_from=unstable_from)
    record = {"stage": "metrics", "stage_version": 1, "inputs": {"trajectory.h5": "0123456789abcdef"}}
    compute_metrics(folder / "trajectory.h5", reference, SETTINGS, folder / "metrics", record)
    key = {"experiment": "water", "backbone": backbone, "arm": arm, "n_train": 40, "seed": 0}
    return key | {"trajectory": str(folder / "trajectory.h5"), "metrics": str(folder / "metrics")}


def pretraining(root: Path, backbone: str, seed: int = 0) -> dict:
    folder = root / "pretraining" / backbone / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    write_cost(folder, 32.0 + seed)
    generator = np.random.default_rng([len(backbone), seed])
    steps = np.arange(20, 1001, 20)

    def fall(start: float, end: float, pace: float) -> np.ndarray:
        return (end + (start - end) * np.exp(-steps / pace)) * generator.lognormal(0, 0.05, len(steps))

    losses = {"mask": fall(1.0, 0.005, 90), "denoise": fall(1.0, 0.66, 200), "contrast": fall(5.2, 3.1, 300)}
    table = {"step": steps, "frames_seen": steps, "learning_rate": 4e-3, "total": sum(losses.values())}
    table |= losses | {"energy": np.nan, "forces": np.nan, "gradient_norm": 1.0}
    table |= {f"gradient_norm_{task}": 1.0 for task in losses}
    pd.DataFrame(table).to_csv(folder / "losses.csv", index=False)
    return {"set": "water", "backbone": backbone, "recipe": "gpip", "seed": seed, "folder": str(folder)}


def classical(root: Path, kelvin: float) -> dict:
    folder = root / "classical_md" / str(kelvin)
    folder.mkdir(parents=True)
    generator = np.random.default_rng(int(kelvin))
    time = 0.1 * np.arange(1, 101)
    beat = np.cos(2 * np.pi * time / 3) * np.exp(-time / 6)
    pd.DataFrame(
        {
            "time_ps": time,
            "potential_energy_ev": -30 + 0.024 * kelvin + 0.3 * beat + generator.normal(0, 0.25, 100),
            "kinetic_energy_ev": 0.0247 * kelvin,
            "temperature_kelvin": kelvin * (1 + 0.05 * beat + generator.normal(0, 0.04, 100)),
        }
    ).to_csv(folder / "log.csv", index=False)
    return {"system": "water", "temperature_kelvin": kelvin, "log": str(folder / "log.csv")}


def system(root: Path) -> dict:
    """Manifest and measurements of the box, as far as the first page shows them."""
    folder = root / "systems" / "water"
    folder.mkdir(parents=True)
    kelvin = list(range(100, 1001, 100))
    manifest = {"n_atoms": 192, "force_field": "tip3p"}
    summary = {
        "contents": [{"name": "water", "count": 64, "smiles": "O", "charge": 0}],
        "periodic": True,
        "density_g_per_cm3": 0.997,
        "density_standard_error_g_per_cm3": None,
        "density_standard_error_reason": "",
        "density_converged": None,
        "temperatures_kelvin": kelvin,
        "sampling": [{"temperature_kelvin": one, "n_frames": 100} for one in kelvin],
    }
    for name, value in (("manifest", manifest), ("summary", summary)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    return {"name": "water"} | {name: str(folder / f"{name}.json") for name in ("manifest", "summary")}


def dataset(root: Path) -> dict:
    path = root / "datasets" / "water.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["systems/water/species"] = SPECIES
        for name in ("positions", "forces"):
            file[f"systems/water/{name}"] = np.zeros((3, len(SPECIES), 3), np.float32)
    return {"name": "water", "file": str(path)}


def labels(root: Path) -> dict:
    folder = root / "labels"
    folder.mkdir(parents=True)
    with h5py.File(folder / "labels.h5", "w") as file:
        file["systems/water/positions"] = np.zeros((62, 192, 3), np.float32)
    reasons = ["largest force 41.2 eV/Å is above 30", "no convergence"]
    pd.DataFrame({"source_frame": [3, 17], "reason": reasons}).to_csv(folder / "rejected.csv", index=False)
    return {"name": "water-xtb", "file": str(folder / "labels.h5"), "rejected": str(folder / "rejected.csv")}


def benchmarks(root: Path) -> list[str]:
    jobs = {"run_classical_md/water/300": 21.3, "run_classical_md/water/400": 22.8, "pretrain/schnet": 61.0,
            "label_frames/0": 33.1, "fine_tune/schnet/gpip": 48.2, "compute_metrics/schnet": 0.2}  # fmt: skip
    paths = []
    for name, seconds in jobs.items():
        path = root / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        memory = "NA" if seconds < 1 else f"{8 * seconds + 300:.2f}"
        header = [
            "s",
            "h:m:s",
            "max_rss",
            "max_vms",
            "max_uss",
            "max_pss",
            "io_in",
            "io_out",
            "mean_load",
            "cpu_time",
        ]
        values = [
            f"{seconds:.4f}",
            "0:00:21",
            memory,
            "1",
            "1",
            "1",
            "0",
            "0",
            "98.2",
            f"{0.98 * seconds:.2f}",
        ]
        path.write_text("\t".join(header) + "\n" + "\t".join(values) + "\n")
        paths.append(str(path))
    return paths


def runs_with(root, force_mae):
    """Fine-tuning runs of one backbone on 40 frames whose test force errors are {(arm, seed): value}."""
    runs = []
    for (arm, seed), value in force_mae.items():
        run = fine_tuning(root, "schnet", arm, 40, seed)
        path = root / "finetuning/schnet" / arm / "40" / str(seed) / "errors.json"
        errors = json.loads(path.read_text())
        errors["test"] |= {"force_mae_mev_per_angstrom": value, "energy_mae_mev_per_atom": 2.0}
        path.write_text(json.dumps(errors))
        runs.append(run)
    return runs
