"""One fine-tuning run: labels, a split and an initialisation in; a potential, its errors and predictions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gpip.config.backbones import BackboneSettings
from gpip.config.experiments import FineTuning, Initialisation
from gpip.core.files import digest, write_json
from gpip.core.frame import Frame
from gpip.core.provenance import provenance
from gpip.core.reference_energies import read_anchors
from gpip.core.versions import STAGE_VERSIONS
from gpip.datasets.reader import Dataset
from gpip.datasets.splits import read_split
from gpip.finetuning.initialise import initial_potential
from gpip.metrics.predictions import errors_of_test, frame_errors, write_predictions
from gpip.models.checkpoint import save_potential
from gpip.models.potential import Potential
from gpip.training.device import training_device
from gpip.training.loop import Plan, Validation, train
from gpip.training.neighbours import check_neighbours
from gpip.training.supervised import EnergyForceObjective, losses_of, predict


@dataclass(frozen=True)
class Outputs:
    """Files that a fine-tuning run writes."""

    checkpoint: Path
    history: Path
    errors: Path
    predictions: Path
    cost: Path
    """Apart from the others, which equal runs write alike."""


def fine_tune(
    labels: Path,
    split: Path,
    pretrained: Path | None,
    backbone: BackboneSettings,
    initialisation: Initialisation,
    settings: FineTuning,
    seed: int,
    n_threads: int,
    device: str,
    outputs: Outputs,
    extra_steps: int = 0,
    isolated_atoms: Path | None = None,
) -> None:
    """Train on the split's training frames, keep the best weights by its validation frames, test on its test frames.

    Args:
        settings: with the one learning rate of this backbone.
        extra_steps: beyond those of the settings, for an arm of equal compute.
        isolated_atoms: file of energies of isolated atoms, on which reference energies are anchored; without it they
            are fitted to the training frames alone.

    Raises:
        InputError: an atom has no neighbour within the network's cutoff, a loss is not finite, or the labels do not
            belong to the isolated atoms.
    """
    torch.set_num_threads(n_threads)
    dataset, parts = Dataset(labels), read_split(split)._asdict()
    used = dataset.subset(sorted(index for part in parts.values() for index in part))
    check_neighbours(used, backbone.cutoff_angstrom, f"cutoff_angstrom of this {backbone.model} backbone")
    frames = {name: dataset.frames(parts[name]) for name in ("train", "validation", "test")}
    n_steps = settings.optimization.total_steps(len(frames["train"])) + extra_steps
    if extra_steps:
        settings = settings.model_copy(update={"optimization": settings.optimization.lasting(n_steps)})
    anchors = read_anchors(isolated_atoms)
    potential, record = initial_potential(backbone, initialisation, pretrained, frames["train"], seed, anchors)
    potential.to(training_device(device))
    step_0 = errors_on(potential, frames["validation"])
    _print_start(record, step_0)
    objective = EnergyForceObjective(
        potential, frames["train"], settings.energy_weight, settings.force_weight, str(labels), settings.loss
    )
    inputs = [path for path in (labels, split, pretrained, isolated_atoms) if path]
    settings_used = {
        "backbone": backbone.used(),
        "initialisation": initialisation.used(),
        "fine_tuning": settings.used(),
    }
    plan = Plan(
        settings=settings.optimization,
        n_steps=n_steps,
        n_frames=len(frames["train"]),
        seed=seed,
        history=outputs.history,
        fingerprint=settings_used
        | {
            "n_steps": n_steps,
            "seed": seed,
            "inputs": [digest(path) for path in inputs],
            "version": STAGE_VERSIONS["finetuning"],
        },
    )
    result, spent = train(objective, plan, _validation(potential, frames["validation"], settings, str(labels)))
    energies, forces = predict(potential, frames["test"])
    origin = provenance("finetuning", settings_used | result, seed, inputs)
    write_predictions(outputs.predictions, frames["test"], energies, forces, parts["test"], origin)
    write_json(
        outputs.errors,
        {
            **errors_of_test(frames["test"], energies, forces),
            "validation": errors_on(potential, frames["validation"]),
            "step_0": step_0,
            **result,
            "n_train": len(frames["train"]),
            "n_parameters": potential.n_parameters,
            "transfer": record,
            "provenance": origin,
        },
    )
    save_potential(outputs.checkpoint, potential, backbone, origin | {"transfer": record})
    write_json(outputs.cost, spent | {"provenance": origin})
    plan.checkpoint.unlink(missing_ok=True)


def errors_on(potential: Potential, frames: Sequence[Frame]) -> dict[str, float]:
    return frame_errors(frames, *predict(potential, frames))


def _validation(potential: Potential, frames: Sequence[Frame], settings: FineTuning, where: str) -> Validation:
    """Score: the loss of the validation frames."""
    columns = ["energy_mae_mev_per_atom", "force_mae_mev_per_angstrom"]

    def score() -> tuple[float, dict[str, float]]:
        predicted = predict(potential, frames)
        losses = losses_of(frames, *predicted, settings.loss, where)
        errors = frame_errors(frames, *predicted)
        total = settings.energy_weight * losses["energy"] + settings.force_weight * losses["forces"]
        return total, {name: errors[name] for name in columns}

    return Validation(score, columns, settings.validate_every_steps)


def correction_of(reference: dict[str, Any], symbol: str) -> str:
    """The energy of an isolated atom and its correction, in words."""
    return f"{reference['anchors_ev'][symbol]:.4f} {reference['correction_ev'][symbol]:+.4f}"


def _print_start(record: dict[str, Any], step_0: dict[str, float]) -> None:
    print(f"loaded {len(record['loaded'])} tensors, fresh {len(record['fresh'])}: {', '.join(record['fresh'])}")
    if "head_factor" in record:
        print(
            f"energy head carried over times {record['head_factor']:.4g}; "
            f"correlation of its forces with the labels {record['head_force_correlation']:.3f}"
        )
    reference = record["reference_energies"]
    for symbol, energy in zip(reference["elements"], record["reference_energies_ev"].values(), strict=True):
        correction = f" (isolated atom {correction_of(reference, symbol)})" if reference["anchors_source"] else ""
        print(f"reference energy of {symbol}: {energy:.4f} eV{correction}")
    print(f"reference energies: {reference['summary']}")
    print(
        f"before the first step, validation force MAE {step_0['force_mae_mev_per_angstrom']:.1f} meV/Å",
        flush=True,
    )
