"""How many fine-tuning steps cost as much as a pre-training run: both kinds of step timed in turn in one process.

A pre-training step passes through the backbone once, with three tasks and second derivatives; it costs another amount
than a step of fine-tuning, which depends on network, recipe and batch. Timed in turn, both meet the same processor and
the same load, so that their ratio varies less than either. It is multiplied by the numbers of atoms that both see,
which are exact. The result is stored once and read by the fine-tuning runs, so that a resumed run has the same steps.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpip.config.backbones import BackboneSettings
from gpip.config.experiments import FineTuning
from gpip.config.pretraining import Recipe
from gpip.core.files import write_json
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.datasets.reader import Dataset
from gpip.datasets.splits import read_split
from gpip.models.registry import make_potential
from gpip.pretraining.run import pretraining_objective
from gpip.training.batches import BatchOrder
from gpip.training.clock import Clock
from gpip.training.device import training_device
from gpip.training.loop import Objective, clip, gradients, make_optimizer
from gpip.training.scales import fit_scales
from gpip.training.supervised import EnergyForceObjective

TIMED_STEPS = 10
"""Of each kind, at batches spread over the whole training; as many before them are not timed."""


def measure_step_costs(
    dataset_path: Path,
    labels: Path,
    split: Path,
    backbone: BackboneSettings,
    recipe: Recipe,
    settings: FineTuning,
    seed: int,
    n_threads: int,
    device: str,
    output: Path,
) -> None:
    """Time steps of pre-training and of fine-tuning and write how many of the latter cost the former's whole run.

    Writes `extra_steps`; `seconds_per_atom` of both and their `cost_ratio`, of the `clock` of
    `gpip.training.clock`; `atoms_seen` in pre-training and `atoms_per_step` in fine-tuning.

    Raises:
        InputError: a task asks for what the backbone or the data set does not have.
    """
    torch.set_num_threads(n_threads)
    target = training_device(device)
    dataset, train_frames = Dataset(dataset_path), Dataset(labels).frames(read_split(split).train)
    pretraining = make_potential(backbone, seed_for(seed, "weights"))
    fit_scales(pretraining.backbone, dataset)
    tuning = make_potential(backbone, seed_for(seed, "weights"))
    fit_scales(tuning.backbone, train_frames)
    supervised = EnergyForceObjective(
        tuning, train_frames, settings.energy_weight, settings.force_weight, str(labels), settings.loss
    )
    both = [
        _Steps(
            pretraining_objective(pretraining, recipe, dataset, str(dataset_path), seed),
            recipe.optimization,
            sizes_of(dataset),
            seed,
            target,
        ),
        _Steps(supervised, settings.optimization, [frame.n_atoms for frame in train_frames], seed, target),
    ]
    for timed in (False, True):  # compilation and the first search for neighbours of labelled frames are not counted
        for number in range(TIMED_STEPS):
            for steps in both:
                steps.run(number, timed)
    before, after = (steps.seconds_per_atom for steps in both)
    atoms_seen = recipe.optimization.frames_seen(len(dataset)) * both[0].mean_atoms
    atoms_per_step = len(train_frames) / both[1].order.steps_per_epoch * both[1].mean_atoms
    used = {"backbone": backbone.used(), "recipe": recipe.used(), "fine_tuning": settings.used()}
    record: dict[str, Any] = {
        "extra_steps": extra_steps(atoms_seen, before, atoms_per_step, after),
        "cost_ratio": before / after,
        "seconds_per_atom": {"pretraining": before, "fine_tuning": after},
        "clock": both[0].clock.name,
        "atoms_seen": atoms_seen,
        "atoms_per_step": atoms_per_step,
        "provenance": provenance("step_costs", used, seed, [dataset_path, labels, split]),
    }
    write_json(output, record)
    print(
        f"an atom costs {record['cost_ratio']:.2f} times as much in a step of pre-training as in one of fine-tuning; "
        f"the whole pre-training costs as much as {record['extra_steps']} steps of fine-tuning",
        flush=True,
    )


def sizes_of(dataset: Dataset) -> list[int]:
    """Atoms of every frame of a whole file, in the order of the frames."""
    return [len(system.species) for system in dataset.systems.values() for _ in range(system.n_frames)]


def extra_steps(
    atoms_seen: float, seconds_per_atom: float, atoms_per_step: float, seconds_per_atom_of_step: float
) -> int:
    """Steps that cost as much as seeing so many atoms at so many seconds each; at least one."""
    return max(1, round(atoms_seen * seconds_per_atom / (atoms_per_step * seconds_per_atom_of_step)))


class _Steps:
    """Steps of one kind of training, which leave the weights as they are."""

    def __init__(self, objective: Objective, settings: Any, sizes: list[int], seed: int, device: torch.device):
        self.objective, self.settings, self.sizes = objective, settings, np.array(sizes)
        objective.module.to(device)
        self.parameters = [p for p in objective.module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.0
        self.order = BatchOrder(len(sizes), settings.batch_size, seed)
        last = min(settings.total_steps(len(sizes)), self.order.steps_per_epoch) - 1
        self.steps = np.linspace(0, last, TIMED_STEPS).astype(int)
        self.clock, self.seconds, self.atoms = Clock(device), 0.0, 0

    def run(self, number: int, timed: bool) -> None:
        step = int(self.steps[number])
        started = self.clock.seconds()
        batch = self.order(step)
        gradients(self.objective, self.optimizer, self.parameters, self.objective.losses(batch, step))
        clip(self.parameters, self.settings)
        self.optimizer.step()
        if timed:
            self.seconds += self.clock.seconds() - started
            self.atoms += int(self.sizes[batch].sum())

    @property
    def seconds_per_atom(self) -> float:
        return self.seconds / self.atoms

    @property
    def mean_atoms(self) -> float:
        """Of a frame."""
        return float(self.sizes.mean())
