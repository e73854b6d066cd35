"""Does a network of ours learn as much from the same steps as a public implementation of it?

    python benchmarks/peers/learning.py gpip "PaiNN 3 x 128" ethanol.npz
    PEERS/bin/python benchmarks/peers/learning.py schnetpack "PaiNN 3 x 128" ethanol.npz

One implementation a call, in the interpreter that has it, from scratch on 950 molecules of ethanol; error of forces on
1,000 others. Frames of each batch, loss, optimiser, schedule and moving average are the same for all; weights begin as
each package has it. The archive is that of `experiments/md17-ethanol`, in angstrom and kcal/mol.
"""

import argparse
import importlib
import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from ase import units
from case import Case
from compare import NOT_OURS
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from water import Box
from worker import IMPLEMENTATIONS

N_TRAIN, N_VALIDATION, N_TEST = 950, 50, 1000
CELL_ANGSTROM = 60.0
"""So large that a molecule sees no image of another."""
EV_PER_KCAL_MOL = units.kcal / units.mol
ENERGY_WEIGHT, FORCE_WEIGHT, EMA_DECAY, CLIP = 1e-4, 1.0, 0.999, 0.1
WARMUP_STEPS, FINAL_FRACTION = 100, 0.01


class Ethanol:
    """Molecules in an order of their own, energies less their mean over what is learned; eV, angstrom."""

    def __init__(self, archive: Path) -> None:
        given = np.load(archive)
        order = np.random.default_rng(2026).permutation(len(given["energy"]))[: N_TRAIN + N_VALIDATION + N_TEST]
        self.species = given["atomic_numbers"][0].astype(np.int64)
        self.positions = given["positions"][order].astype(float)
        self.positions += CELL_ANGSTROM / 2 - self.positions.mean(1, keepdims=True)
        energies = given["energy"][order, 0] * EV_PER_KCAL_MOL
        self.energies = torch.from_numpy(energies - energies[:N_TRAIN].mean()).float()
        self.forces = torch.from_numpy(given["forces"][order] * EV_PER_KCAL_MOL).float()

    def boxes(self, frames: np.ndarray) -> list[Box]:
        cell = np.eye(3) * CELL_ANGSTROM
        return [Box(self.species, self.positions[frame], cell) for frame in frames]


def learning_rate(step: int, n_steps: int, peak: float) -> float:
    if step < WARMUP_STEPS:
        return peak * (step + 1) / (WARMUP_STEPS + 1)
    done = (step - WARMUP_STEPS) / (n_steps - WARMUP_STEPS)
    return peak * (FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + math.cos(math.pi * done)))


def force_error(case: Case, ethanol: Ethanol, frames: np.ndarray, batch_size: int) -> float:
    """Mean absolute error of force components, meV/angstrom."""
    case.module.eval()
    errors = []
    for batch in frames.reshape(-1, batch_size):
        case.place(ethanol.boxes(batch))
        errors.append((case.predict()[1].detach().view(batch_size, -1, 3) - ethanol.forces[batch]).abs().mean())
    case.module.train()
    return 1000 * float(torch.stack(errors).mean())


def loss(energies: Tensor, forces: Tensor, ethanol: Ethanol, batch: np.ndarray) -> Tensor:
    """GPIP Eq. 7."""
    of_energy = (energies - ethanol.energies[batch]).square().mean()
    of_forces = (forces.view(len(batch), -1, 3) - ethanol.forces[batch]).square().sum(2).mean()
    return ENERGY_WEIGHT * of_energy + FORCE_WEIGHT * of_forces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("implementation", choices=[name for name in IMPLEMENTATIONS if name not in NOT_OURS])
    parser.add_argument("network")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=10, help="a divisor of 50 and of 1,000")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(arguments.seed)
    ethanol, batch_size = Ethanol(arguments.archive.resolve()), arguments.batch_size
    module, _, implementation = IMPLEMENTATIONS[arguments.implementation].partition(":")
    make = getattr(importlib.import_module(module), implementation)
    case: Case = make(arguments.network, ethanol.boxes(np.arange(batch_size)))
    parameters = [parameter for parameter in case.module.parameters() if parameter.requires_grad]
    averages = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.Adam(parameters)
    generator, began, order = np.random.default_rng(arguments.seed), time.process_time(), np.empty(0, np.int64)
    case.module.train()
    for step in range(arguments.steps):
        if len(order) < batch_size:
            order = generator.permutation(N_TRAIN)
        batch, order = order[:batch_size], order[batch_size:]
        case.place(ethanol.boxes(batch))
        optimizer.zero_grad()
        loss(*case.predict(), ethanol, batch).backward(inputs=parameters)
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.param_groups[0]["lr"] = learning_rate(step, arguments.steps, arguments.learning_rate)
        optimizer.step()
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(averages, parameters, None)
        if step % 500 == 499:
            print(f"step {step + 1}, {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
    seconds = time.process_time() - began
    with torch.no_grad():
        for parameter, averaged in zip(parameters, averages, strict=True):
            parameter.copy_(averaged)
    parts = np.split(np.arange(N_TRAIN + N_VALIDATION + N_TEST), [N_TRAIN, N_TRAIN + N_VALIDATION])
    parts[0] = parts[0][: 20 * batch_size]
    found = {}
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        found[name] = round(force_error(case, ethanol, part, batch_size), 2)
    shown = {name: value for name, value in vars(arguments).items() if name != "archive"}
    n_parameters = sum(parameter.numel() for parameter in parameters)
    print(json.dumps(shown | {"n_parameters": n_parameters, "processor_s": round(seconds)} | found), flush=True)


if __name__ == "__main__":
    main()
