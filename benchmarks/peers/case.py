"""What is timed of every implementation."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import ase
import numpy as np
import torch
from ase import units
from ase.calculators.calculator import Calculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from torch import Tensor, nn
from water import Box, edges_of

CUTOFF_ANGSTROM = 5.0
FORCE_WEIGHT = 100.0


def tensors(boxes: list[Box]) -> dict[str, Tensor]:
    """Species, positions, cells, boxes of atoms and edges of a batch."""
    edges = edges_of(boxes, CUTOFF_ANGSTROM)
    n_atoms = [len(box.species) for box in boxes]
    return {
        "species": torch.from_numpy(np.concatenate([box.species for box in boxes])),
        "positions": torch.from_numpy(np.concatenate([box.positions for box in boxes])).float(),
        "cells": torch.from_numpy(np.stack([box.cell for box in boxes])).float(),
        "batch": torch.from_numpy(np.repeat(np.arange(len(boxes)), n_atoms)),
        "centre": torch.from_numpy(edges.centre),
        "neighbour": torch.from_numpy(edges.neighbour),
        "offset": torch.from_numpy(edges.offset).float(),
    }


class Case(ABC):
    """One network of one implementation, on some boxes of water, in single precision."""

    module: nn.Module

    def __init__(self, network: str, boxes: list[Box]) -> None:
        """Build the network with random weights and the inputs of the boxes as one batch.

        Args:
            network: A key of NETWORKS.
        """
        self.network = network
        self.place(boxes)

    def place(self, boxes: list[Box]) -> None:
        """Take other boxes as the batch, with the neighbours of their atoms."""
        self.boxes, self.given = boxes, tensors(boxes)
        self.n_atoms = len(self.given["species"])

    @abstractmethod
    def predict(self) -> tuple[Tensor, Tensor]:
        """Energies [n_boxes] and forces [n_atoms, 3]; in training mode both can be differentiated."""

    def calculator(self) -> Calculator | None:
        """The package's own calculator of ASE, with its own neighbour list; None where it has none."""
        return None

    def training_step(self) -> Callable[[], object]:
        """Forward, forces, loss, backward, optimiser step; neighbours are given where the package allows it."""
        self.module.train()
        parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=1e-4)

        def step() -> None:
            optimizer.zero_grad()
            energy, forces = self.predict()
            loss = energy.square().mean() + FORCE_WEIGHT * forces.square().sum(1).mean()
            loss.backward(inputs=parameters)
            optimizer.step()

        return step

    def force_call(self) -> Callable[[], object]:
        """Energy and forces, neighbours given where the package allows it."""
        self.module.eval()
        return lambda: self.predict()[1].detach()

    def md_step(self) -> Callable[[], object] | None:
        """A step of constant-energy dynamics by ASE, with the package's calculator; None where it has none."""
        calculator = self.calculator()
        if calculator is None:
            return None
        box = self.boxes[0]
        atoms = ase.Atoms(box.species, box.positions, cell=box.cell, pbc=True, calculator=calculator)
        MaxwellBoltzmannDistribution(atoms, temperature_K=1)
        # Forces of random weights mean nothing: short steps, so that atoms go nowhere.
        dynamics = VelocityVerlet(atoms, 1e-3 * units.fs)
        return lambda: dynamics.run(1)
