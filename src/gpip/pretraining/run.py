"""One pre-training run: a backbone, a recipe and a data set in, a checkpoint and its losses out."""

from pathlib import Path

import numpy as np
import torch
from ase.data import chemical_symbols

from gpip.config.backbones import BackboneSettings
from gpip.config.pretraining import Recipe
from gpip.core.errors import InputError
from gpip.core.files import digest, write_json
from gpip.core.provenance import provenance
from gpip.core.reference_energies import Anchors, Compositions, Reference, fit_reference_energies, symbols_of
from gpip.core.seeds import seed_for
from gpip.core.versions import STAGE_VERSIONS
from gpip.datasets.reader import Dataset
from gpip.models.checkpoint import save_potential
from gpip.models.potential import Potential
from gpip.models.registry import make_potential
from gpip.pretraining.objective import PretextObjective
from gpip.training.device import training_device
from gpip.training.loop import Plan, train
from gpip.training.neighbours import check_neighbours
from gpip.training.scales import fit_scales
from gpip.training.supervised import EnergyForceObjective

FRAMES_FOR_REFERENCE_ENERGIES = 100


def pretrain(
    dataset_path: Path,
    backbone: BackboneSettings,
    recipe: Recipe,
    seed: int,
    n_threads: int,
    device: str,
    checkpoint: Path,
    losses: Path,
    cost: Path,
) -> None:
    """Pre-train and write the potential to `checkpoint`, the losses of each task to `losses` (CSV).

    What the steps cost goes into `cost` (JSON), and not into the checkpoint: equal runs write equal checkpoints.

    Raises:
        InputError: a task asks for what the backbone or the data set does not have, or an atom has no neighbour.
    """
    torch.set_num_threads(n_threads)
    dataset = Dataset(dataset_path)
    check_neighbours(dataset, *_smallest_cutoff(backbone, recipe))
    potential = make_potential(backbone, seed_for(seed, "weights"))
    fit_scales(potential.backbone, dataset)
    objective = pretraining_objective(potential, recipe, dataset, str(dataset_path), seed)
    settings = {"backbone": backbone.used(), "recipe": recipe.used()}
    n_steps = recipe.optimization.total_steps(len(dataset))
    plan = Plan(
        settings=recipe.optimization,
        n_steps=n_steps,
        n_frames=len(dataset),
        seed=seed,
        history=losses,
        fingerprint={
            **settings,
            "dataset": digest(dataset_path),
            "n_steps": n_steps,
            "seed": seed,
            "version": STAGE_VERSIONS["pretraining"],
        },
    )
    objective.module.to(training_device(device))
    result, spent = train(objective, plan)
    origin = provenance("pretraining", settings | result, seed, [dataset_path])
    elements = [chemical_symbols[z] for z in _elements(dataset)]
    save_potential(checkpoint, potential, backbone, origin | {"elements": elements})
    write_json(cost, spent | {"provenance": origin})
    plan.checkpoint.unlink(missing_ok=True)


def pretraining_objective(
    potential: Potential, recipe: Recipe, dataset: Dataset, where: str, seed: int
) -> PretextObjective | EnergyForceObjective:
    """What a recipe trains `potential` on.

    Raises:
        InputError: a task asks for what the backbone or the data set does not have.
    """
    if recipe.classical:
        return _classical(potential, recipe, dataset, where)
    torch.manual_seed(seed_for(seed, "pretext weights"))
    objective = PretextObjective(potential, recipe, dataset, _elements(dataset), seed)
    _check(potential, recipe)
    return objective


def _elements(dataset: Dataset) -> list[int]:
    """Atomic numbers, ascending."""
    return sorted({int(z) for system in dataset.systems.values() for z in system.species})


def _smallest_cutoff(backbone: BackboneSettings, recipe: Recipe) -> tuple[float, str]:
    """Of the networks that see the data, with the key it is set by."""
    cutoffs = [(backbone.cutoff_angstrom, f"cutoff_angstrom of this {backbone.model} backbone")]
    if recipe.contrast:
        cutoffs.append((recipe.contrast.cutoff_angstrom, "contrast.cutoff_angstrom of the recipe"))
    return min(cutoffs)


def _check(potential: Potential, recipe: Recipe) -> None:
    readout = recipe.denoise.readout if recipe.denoise else "gradient"
    if readout in ("vectors", "coordinates") and potential.backbone.noise_readout != readout:
        lacking = "has no vector features" if readout == "vectors" else "moves no atoms"
        raise InputError(
            f"denoise.readout {readout}: {type(potential.backbone).__name__} {lacking}; use readout gradient or paper"
        )


def _classical(potential: Potential, recipe: Recipe, dataset: Dataset, where: str) -> EnergyForceObjective:
    """Supervised by the classical force field: energies shifted per element, forces as they are."""
    chosen = [dataset[i] for i in frames_for_references(dataset)]
    if any(frame.energy is None for frame in chosen):
        raise InputError(f"{where}: a classical recipe needs energies and forces, which this data set does not hold")
    species = [frame.species for frame in chosen]
    energies = fit_reference_energies(species, np.array([frame.energy for frame in chosen]))
    potential.reference_energies.copy_(torch.from_numpy(energies))
    compositions = Compositions.of(species)
    # A force field has no terms for a lone atom.
    zeros = dict.fromkeys(symbols_of(compositions.elements), 0.0)
    potential.reference = Reference(compositions, Anchors(zeros, "a force field gives them no energy"))
    task = recipe.classical
    return EnergyForceObjective(potential, dataset, task.energy_weight, task.force_weight, where)


def frames_for_references(dataset: Dataset) -> list[int]:
    """Indices of frames that reference energies are fitted to, evenly over each system, so that none is left out."""
    each = -(-FRAMES_FOR_REFERENCE_ENERGIES // len(dataset.systems))
    indices = []
    for name, system in dataset.systems.items():
        first, n_frames = dataset.first_frame(name), system.n_frames
        indices += (first + np.unique(np.linspace(0, n_frames - 1, each).astype(int))).tolist()
    return indices
