"""Milliseconds per training step and per force call of each backbone on a box of 64 water molecules.

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456 OMP_NUM_THREADS=1 \
        python benchmarks/training_step.py

The median of rounds that alternate between the networks, so that a machine's mood meets all of them alike.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from gpip.config.backbones import EGNNSettings, ETSettings, PaiNNSettings, SchNetSettings, SE3TransformerSettings
from gpip.core.frame import Frame
from gpip.graphs.batching import graph_from_frames
from gpip.models.registry import make_potential

NETWORKS = {
    "SchNet 3 x 64": SchNetSettings(model="schnet", n_layers=3, n_features=64, n_radial=25),
    "SchNet 6 x 128": SchNetSettings(model="schnet", preset="gpip-md17"),
    "PaiNN 2 x 32": PaiNNSettings(model="painn", n_layers=2, n_features=32),
    "PaiNN 3 x 128": PaiNNSettings(model="painn", preset="painn-paper"),
    "EGNN 5 x 256": EGNNSettings(model="egnn", preset="wang-ani"),
    "ET 6 x 256": ETSettings(model="et", preset="wang-ani"),
    "SE(3)-T 3 x 8": SE3TransformerSettings(model="se3_transformer", preset="wang-ani"),
}
WATER = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])


def water_box(seed: int) -> Frame:
    """64 randomly turned molecules on a lattice at the density of water."""
    generator = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3) * 3.1075
    turned = [WATER @ np.linalg.qr(generator.normal(size=(3, 3)))[0] + site for site in sites]
    positions = np.concatenate(turned) + generator.normal(0, 0.05, (192, 3))
    return Frame(np.tile([8, 1, 1], 64), positions, np.eye(3) * 12.43, np.ones(3, dtype=bool))


def training_step(potential: torch.nn.Module, batch_size: int) -> Callable[[], None]:
    """Neighbour list, forward, forces, loss, backward and optimiser step, as one call."""
    frames = [water_box(seed) for seed in range(batch_size)]
    optimizer = torch.optim.Adam(potential.parameters(), lr=1e-4)
    parameters = list(potential.parameters())

    def step() -> None:
        potential.train()
        optimizer.zero_grad()
        predicted = potential(graph_from_frames(frames, potential.cutoff_angstrom))
        loss = predicted["energy"].square().mean() + 100 * predicted["forces"].square().mean()
        loss.backward(inputs=parameters)
        optimizer.step()

    return step


def force_call(potential: torch.nn.Module, batch_size: int) -> Callable[[], None]:
    """Energy and forces of a graph that is ready."""
    graph = graph_from_frames([water_box(seed) for seed in range(batch_size)], potential.cutoff_angstrom)
    return lambda: potential.eval()(graph) and None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    calls = {
        (name, what.__name__, size): what(make_potential(settings), size)
        for name, settings in NETWORKS.items()
        for what in (training_step, force_call)
        for size in arguments.batch_sizes
    }
    seconds: dict[tuple[str, str, int], list[float]] = {key: [] for key in calls}
    for _ in range(arguments.rounds + 1):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[key].append(time.perf_counter() - start)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread, median of {arguments.rounds} rounds, ms")
    for (name, what, size), times in seconds.items():
        print(f"{name:16s} {what:14s} batch {size}: {1000 * np.median(times[1:]):7.1f}")


if __name__ == "__main__":
    main()
