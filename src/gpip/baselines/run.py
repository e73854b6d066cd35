"""One baseline: labels and a split in; the package's own model, its errors and predictions out."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from gpip.baselines import mace, nequip
from gpip.baselines.commands import Commands
from gpip.baselines.exchange import read_predicted, write_labelled
from gpip.baselines.training import ENERGY_MAE, FORCE_MAE, Check, Task
from gpip.config.baselines import BaselineSettings
from gpip.core.files import replacing, write_json
from gpip.core.frame import Frame
from gpip.core.provenance import provenance
from gpip.core.reference_energies import Anchors, check_anchors, fit_reference_energies, read_anchors, symbols_of
from gpip.datasets.reader import Dataset
from gpip.datasets.splits import PARTS, read_split
from gpip.metrics.predictions import errors_of_test, frame_errors, write_predictions

ADAPTERS = {"mace": (mace, mace.train_mace), "nequip": (nequip, nequip.train_nequip)}


@dataclass(frozen=True)
class Outputs:
    """Files that a baseline writes."""

    model: Path
    history: Path
    errors: Path
    predictions: Path


def train_baseline(
    name: str,
    labels: Path,
    split: Path,
    settings: BaselineSettings,
    n_epochs: int,
    batch_size: int,
    energy_weight: float,
    force_weight: float,
    seed: int,
    n_threads: int,
    device: str,
    log: Path,
    outputs: Outputs,
    isolated_atoms: Path | None = None,
) -> None:
    """Train on the split's training frames, keep the best weights by its validation frames, test on its test frames.

    Args:
        name: of the baseline in config.yaml.
        energy_weight, force_weight: of the loss as fine-tuning has it (GPIP Eq. 7), for frames of the mean size.
        device: `cpu` or `cuda`.
        isolated_atoms: file of energies of isolated atoms; None: the package's own fit.
        log: the file that the output of this process goes to.

    Raises:
        InputError: a command of the package is missing or failed, or the labels do not belong to the isolated atoms.
    """
    adapter, train = ADAPTERS[settings.package]
    commands = Commands(name, adapter.DISTRIBUTION, settings.command_folder, n_threads, log)
    for command in adapter.COMMANDS:
        commands.find(command)
    dataset, parts = Dataset(labels), read_split(split)._asdict()
    frames = {part: dataset.frames(parts[part]) for part in PARTS}
    work = outputs.model.with_name(f"{outputs.model.name}.work").absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    species = np.unique(np.concatenate([frame.species for part in PARTS for frame in frames[part]]))
    n_atoms = float(np.mean([frame.n_atoms for frame in frames["train"]]))
    task = Task(
        folder=work,
        elements=[chemical_symbols[z] for z in species],
        n_train=len(frames["train"]),
        n_validation=len(frames["validation"]),
        n_epochs=n_epochs,
        batch_size=batch_size,
        energy_weight=energy_weight * n_atoms**2,
        force_weight=force_weight * 3,
        seed=seed,
        device=device,
        reference_energies=anchored_references(read_anchors(isolated_atoms), frames["train"]),
    )
    for part in PARTS:
        write_labelled(task.file(part), frames[part])
    trained = train(settings, task, commands)
    predicted = {part: read_predicted(path, frames[part], *trained.keys) for part, path in trained.predicted.items()}
    settings_used = {
        "baseline": settings.used(),
        "n_epochs": n_epochs,
        "batch_size": batch_size,
        "energy_weight": energy_weight,
        "force_weight": force_weight,
        "input": trained.given,
    }
    origin = provenance("baselines", settings_used, seed, [path for path in (labels, split, isolated_atoms) if path])
    versions = trained.facts.get("packages", {})
    origin["packages"] |= versions
    known = {"best_step": trained.best_step, "n_parameters": trained.facts.get("n_parameters")}
    write_predictions(outputs.predictions, frames["test"], *predicted["test"], parts["test"], origin)
    write_history(outputs.history, trained.checks)
    with replacing(outputs.model) as partial:
        shutil.copyfile(trained.model, partial)
    write_json(
        outputs.errors,
        {
            **errors_of_test(frames["test"], *predicted["test"]),
            "validation": frame_errors(frames["validation"], *predicted["validation"]),
            "step_0": trained.checks[0].errors,
            "n_steps": trained.checks[-1].step,
            "frames_seen": trained.checks[-1].frames_seen,
            "n_train": task.n_train,
            "package": f"{adapter.DISTRIBUTION} {versions.get(adapter.DISTRIBUTION, '')}".strip(),
            **{name: value for name, value in known.items() if value is not None},
            "provenance": origin,
        },
    )
    shutil.rmtree(work)


def write_history(path: Path, checks: list[Check]) -> None:
    """Errors on the validation frames against steps, in the columns that a fine-tuning has, too."""
    rows: list[dict[str, Any]] = [
        {"step": check.step, "frames_seen": check.frames_seen}
        | {name: check.errors[name] for name in (ENERGY_MAE, FORCE_MAE)}
        for check in checks
    ]
    with replacing(path) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)


def anchored_references(anchors: Anchors, frames: Sequence[Frame]) -> dict[str, float]:
    """Reference energies of the elements in the training frames by symbol, eV; empty without isolated atoms."""
    if not anchors.energies_ev:
        return {}
    species, energies = [frame.species for frame in frames], np.array([frame.energy for frame in frames])
    check_anchors(species, energies, anchors, "labels of the training frames")
    fitted = fit_reference_energies(species, energies, anchors.array)
    present = np.unique(np.concatenate(species))
    return {symbol: float(fitted[z]) for symbol, z in zip(symbols_of(present), present, strict=True)}
