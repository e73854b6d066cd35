"""How many steps each network needs to fit 8 boxes of 8 water molecules to below 5 meV/Å.

    OMP_NUM_THREADS=1 python benchmarks/overfit_water.py --models egnn et

A network that cannot learn what it has seen is broken, whatever else it passes. Labels are GFN1-xTB; cells are
smaller than twice the cutoff, so that atoms see several images of others. Trained as in fine-tuning (schedule,
clipping, energy scale).
"""

import argparse
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from peers.water import water_box

from gpip.config.backbones import MODELS
from gpip.config.engines import TBLiteLabels
from gpip.config.optimization import Optimization
from gpip.core.frame import Frame
from gpip.graphs.batching import graph_from_frames
from gpip.labelling.engines.tblite import TBLite
from gpip.models.potential import Potential
from gpip.models.registry import make_potential
from gpip.training.scales import fit_scales
from gpip.training.schedule import learning_rate_at

CUTOFF_ANGSTROM, GOAL_MEV_PER_ANGSTROM = 3.5, 5.0
SEED = 0
ENERGY_WEIGHT, CHECK_EVERY = 1e-3, 100


class Recipe(NamedTuple):
    """What a network is trained with."""

    n_steps: int
    learning_rate: float
    settings: dict[str, Any]
    batch_size: int = 2


RECIPES = {
    "schnet": Recipe(10000, 3e-3, {"n_layers": 6, "n_features": 128, "n_radial": 50}, batch_size=8),
    "painn": Recipe(4000, 5e-3, {"n_features": 64}),
    "egnn": Recipe(5000, 5e-3, {"n_features": 64, "attention": True}, batch_size=8),
    "et": Recipe(5000, 3e-3, {"n_features": 128}),
    "se3_transformer": Recipe(2200, 5e-3, {}),
    "gemnet": Recipe(
        3000,
        5e-3,
        {
            "n_layers": 2,
            "n_features": 64,
            "n_edge_features": 64,
            "n_triplet_features": 32,
            "n_bilinear_features": 32,
        },
    ),
    "spherenet": Recipe(
        3000, 5e-3, {"n_layers": 2, "n_features": 64, "n_triplet_features": 32, "n_output_features": 64}
    ),
}


class Labelled(NamedTuple):
    frames: list[Frame]
    forces: torch.Tensor
    """[n_frames, n_atoms, 3], eV/Å."""
    energies: torch.Tensor
    """[n_frames], eV, less their mean."""


def labelled_boxes() -> Labelled:
    boxes = [water_box(seed, n_side=2, noise_angstrom=0.03) for seed in range(8)]
    frames = [Frame(box.species, box.positions, box.cell, np.ones(3, dtype=bool)) for box in boxes]
    labeller = TBLite(TBLiteLabels(source="tblite", system="water", temperature_kelvin=300, n_frames=8))
    labels = [labeller.label(frame) for frame in frames]
    energies = torch.tensor([label[0] for label in labels])
    return Labelled(
        frames, torch.from_numpy(np.stack([label[1] for label in labels])).float(), energies - energies.mean()
    )


def force_error(potential: Potential, known: Labelled) -> float:
    """Mean absolute error of all boxes, meV/Å."""
    predicted = potential.eval()(graph_from_frames(known.frames, CUTOFF_ANGSTROM))["forces"]
    potential.train()
    return 1000 * (predicted - known.forces.flatten(0, 1)).abs().mean().item()


def steps_to_goal(model: str, recipe: Recipe, known: Labelled) -> str:
    """Train, print how the error falls, and return a row of the table."""
    torch.manual_seed(SEED)
    settings = MODELS[model](model=model, cutoff_angstrom=CUTOFF_ANGSTROM, **recipe.settings)
    potential = make_potential(settings)
    fit_scales(potential.backbone, known.frames)
    potential.energy_scale.fill_(known.forces.square().mean().sqrt())
    # All boxes have the same atoms: one number stands for the fitted energies of elements.
    start = potential(graph_from_frames(known.frames, CUTOFF_ANGSTROM))["energy"].detach().mean()
    optimizer = torch.optim.Adam(potential.parameters(), lr=recipe.learning_rate)
    schedule = Optimization(n_steps=recipe.n_steps, learning_rate=recipe.learning_rate)
    generator = np.random.default_rng(SEED)
    waiting: list[int] = []
    step, error, began = 0, force_error(potential, known), time.process_time()
    while step < recipe.n_steps and error > GOAL_MEV_PER_ANGSTROM:
        waiting = waiting or generator.permutation(len(known.frames)).tolist()
        batch, waiting = waiting[: recipe.batch_size], waiting[recipe.batch_size :]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, recipe.n_steps, schedule, len(known.frames))
        predicted = potential(graph_from_frames([known.frames[index] for index in batch], CUTOFF_ANGSTROM))
        loss = (predicted["forces"] - known.forces[batch].flatten(0, 1)).square().mean()
        loss = loss + ENERGY_WEIGHT * (predicted["energy"] - start - known.energies[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward(inputs=list(potential.parameters()))
        torch.nn.utils.clip_grad_norm_(potential.parameters(), schedule.gradient_clip)
        optimizer.step()
        step += 1
        if step % CHECK_EVERY == 0:
            error = force_error(potential, known)
            print(f"{model:15s} step {step:5d}: force MAE {error:7.2f} meV/Å", flush=True)
    seconds = time.process_time() - began
    size, rate = f"{settings.n_layers} × {settings.n_features}", f"{recipe.learning_rate:g} over {recipe.n_steps}"
    return (
        f"| {model} | {size} | {potential.n_parameters:,} | {rate} | {recipe.batch_size} | {step} | {error:.1f} "
        f"| {seconds:.0f} | {1000 * seconds / step:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--learning-rate", type=float, help="in place of the network's own")
    parser.add_argument("--steps", type=int, help="the most steps, over which the learning rate falls")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    known, rows = labelled_boxes(), []
    print(f"mean force {1000 * known.forces.abs().mean().item():.0f} meV/Å")
    for model in arguments.models:
        given = {"learning_rate": arguments.learning_rate, "n_steps": arguments.steps}
        recipe = RECIPES[model]._replace(**{name: value for name, value in given.items() if value is not None})
        rows.append(steps_to_goal(model, recipe, known))
    print("| network | size | weights | learning rate | boxes a step | steps | force MAE, meV/Å | CPU s | ms a step |")
    print("|---|---|---|---|---|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
