"""MACE, by the commands of mace-torch."""

import json
from pathlib import Path

import yaml
from ase.data import atomic_numbers

from gpip.baselines.commands import Commands
from gpip.baselines.exchange import ENERGY, FORCES
from gpip.baselines.training import (
    ENERGY_MAE,
    ENERGY_RMSE,
    EVALUATION_BATCH,
    FORCE_MAE,
    FORCE_RMSE,
    PREDICTED,
    Check,
    Task,
    Trained,
    best_step,
)
from gpip.config.baselines import MACESettings
from gpip.config.layers import merged

DISTRIBUTION = "mace-torch"
COMMANDS = TRAIN, EVALUATE = "mace_run_train", "mace_eval_configs"
COLUMNS = {ENERGY_MAE: "mae_e_per_atom", ENERGY_RMSE: "rmse_e_per_atom", FORCE_MAE: "mae_f", FORCE_RMSE: "rmse_f"}
"""Ours, and MACE's in eV/atom and eV/Å."""
FACTS = """
import json, sys
from importlib.metadata import version
import mace, torch
model = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
packages = {name: version(name) for name in ("mace-torch", "e3nn", "torch")}
print(json.dumps({"packages": packages, "n_parameters": sum(p.numel() for p in model.parameters())}))
"""


def train_mace(settings: MACESettings, task: Task, commands: Commands) -> Trained:
    """Train on train.xyz, keep the weights that are best on validation.xyz, predict both other files with them."""
    given = mace_input(settings, task)
    path = task.folder / "mace.yaml"
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    commands.run(task.folder, TRAIN, "--config", path)
    stage_two = task.folder / "mace_stagetwo.model"
    model = stage_two if stage_two.exists() else task.folder / "mace.model"
    predicted = {part: task.folder / f"{part}_predicted.xyz" for part in PREDICTED}
    for part, output in predicted.items():
        commands.run(
            *(task.folder, EVALUATE, "--configs", task.file(part), "--model", model, "--output", output),
            *("--device", task.device, "--default_dtype", settings.dtype, "--batch_size", EVALUATION_BATCH),
        )
    checks = read_checks(next((task.folder / "results").glob("*_train.txt")), task.batch_size)
    return Trained(
        model=model,
        predicted=predicted,
        keys=("MACE_energy", "MACE_forces"),
        checks=checks,
        given=given,
        # The second stage has another loss, and losses of the two do not compare.
        best_step=None if stage_two.exists() else best_step(checks),
        facts=commands.ask(TRAIN, FACTS, model),
    )


def mace_input(settings: MACESettings, task: Task) -> dict[str, object]:
    """Arguments of `mace_run_train`. What is not named here or in `extra` is MACE's own default."""
    ours = {
        "name": "mace",
        "seed": task.seed,
        "device": task.device,
        "default_dtype": settings.dtype,
        "train_file": str(task.file("train")),
        "valid_file": str(task.file("validation")),
        "work_dir": str(task.folder),
        "energy_key": ENERGY,
        "forces_key": FORCES,
        "E0s": e0s(task),
        "r_max": settings.cutoff_angstrom,
        "num_channels": settings.num_channels,
        "max_L": settings.max_L,
        "num_interactions": settings.num_interactions,
        "correlation": settings.correlation,
        "batch_size": task.batch_size,
        "valid_batch_size": min(EVALUATION_BATCH, task.n_validation),
        "max_num_epochs": task.n_epochs,
        "energy_weight": task.energy_weight,
        "forces_weight": task.force_weight,
        "lr": settings.learning_rate,
        "error_table": "PerAtomMAE",
        "plot": False,
    }
    if settings.ema_decay is not None:
        ours |= {"ema": True, "ema_decay": settings.ema_decay}
    return merged(ours, settings.extra)


def e0s(task: Task) -> str:
    """Reference energies by atomic number as MACE reads them; without isolated atoms MACE fits them itself.

    They hold the share of the binding energy: MACE's own shift is zero for `model: MACE`, its default.
    """
    if not task.reference_energies:
        return "average"
    return str({atomic_numbers[symbol]: float(energy) for symbol, energy in task.reference_energies.items()})


def read_checks(path: Path, batch_size: int) -> list[Check]:
    """Errors on the validation frames from MACE's results file: a JSON line for each step and each check."""
    checks, step = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["mode"] == "opt":
            step += 1
        elif row["mode"] == "eval":
            errors = {ours: 1000 * row[theirs] for ours, theirs in COLUMNS.items()}
            checks.append(Check(step, step * batch_size, row["loss"], errors))
    return checks
