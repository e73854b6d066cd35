"""How many steps each network needs to fit 8 boxes of 8 water molecules to below 5 meV/Å.

    OMP_NUM_THREADS=1 python benchmarks/overfit_water.py --models egnn et

A network that cannot learn what it has seen is broken, whatever else it passes. Labels are GFN1-xTB; cells are
smaller than twice the cutoff, so that atoms see several images of others.
"""

import argparse

import numpy as np
import torch

from gpip.config.backbones import MODELS
from gpip.config.labels import TBLiteLabels
from gpip.core.frame import Frame
from gpip.graphs.batching import graph_from_frames
from gpip.labelling.tblite import TBLiteLabeller
from gpip.models.registry import make_potential

WATER = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])
SMALL_GEMNET = {f"n_{part}_features": 32 for part in ("edge", "triplet", "bilinear")}
SETTINGS = {
    "schnet": {"n_features": 64},
    "painn": {"n_features": 32},
    "egnn": {"n_layers": 3, "n_features": 64},
    "et": {"n_layers": 3, "n_features": 64, "n_heads": 4},
    "gemnet": {"n_features": 32, "n_rbf_features": 8, "n_cbf_features": 8} | SMALL_GEMNET,
    "spherenet": {"n_features": 32, "n_triplet_features": 32, "n_output_features": 32},
    "se3_transformer": {"n_channels": 16, "n_degrees": 3, "division": 2},
}
CUTOFF_ANGSTROM, GOAL_MEV_PER_ANGSTROM = 3.5, 5.0


def water_box(seed: int) -> Frame:
    """8 randomly turned, slightly distorted molecules on a lattice."""
    generator = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(2)] * 3), -1).reshape(-1, 3) * 3.1075
    turned = [WATER @ np.linalg.qr(generator.normal(size=(3, 3)))[0] + site for site in sites]
    positions = np.concatenate(turned) + generator.normal(0, 0.03, (24, 3))
    return Frame(np.tile([8, 1, 1], 8), positions, np.eye(3) * 6.215, np.ones(3, dtype=bool))


def steps_to_goal(
    model: str, frames: list[Frame], forces: torch.Tensor, energies: torch.Tensor, learning_rate: float, most: int
) -> None:
    """Train on all frames at once and print how the errors fall."""
    settings = MODELS[model](model=model, cutoff_angstrom=CUTOFF_ANGSTROM, **{"n_layers": 2} | SETTINGS[model])
    potential = make_potential(settings).train()
    optimizer = torch.optim.Adam(potential.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=most)
    graph = graph_from_frames(frames, CUTOFF_ANGSTROM)
    for step in range(1, most + 1):
        optimizer.zero_grad()
        predicted = potential(graph)
        loss = (predicted["forces"] - forces).square().mean()
        loss = loss + 1e-3 * (predicted["energy"] - energies).square().mean()
        loss.backward(inputs=list(potential.parameters()))
        torch.nn.utils.clip_grad_norm_(potential.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        error = 1000 * (predicted["forces"] - forces).abs().mean().item()
        if step % 100 == 0 or error < GOAL_MEV_PER_ANGSTROM:
            print(f"{model:8s} step {step:5d}: force MAE {error:7.2f} meV/Å", flush=True)
        if error < GOAL_MEV_PER_ANGSTROM:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--steps", type=int, default=2000, help="the most steps, over which the learning rate falls")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    frames = [water_box(seed) for seed in range(8)]
    labeller = TBLiteLabeller(TBLiteLabels(source="tblite", system="water", temperature_kelvin=300, n_frames=8))
    labels = [labeller.label(frame) for frame in frames]
    forces = torch.from_numpy(np.concatenate([label[1] for label in labels])).float()
    energies = torch.tensor([label[0] for label in labels])
    print(f"mean force {1000 * forces.abs().mean().item():.0f} meV/Å")
    for model in arguments.models:
        steps_to_goal(model, frames, forces, energies - energies.mean(), arguments.learning_rate, arguments.steps)


if __name__ == "__main__":
    main()
