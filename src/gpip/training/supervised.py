"""Learning energies and forces: the objective of fine-tuning and of supervised pre-training (GPIP Eq. 7)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gpip.config.optimization import LossKind
from gpip.core.frame import Frame
from gpip.graphs.batching import FrameGraphs, graph_from_frames
from gpip.models.potential import Potential
from gpip.training.device import device_of
from gpip.training.labels import labels_of
from gpip.training.losses import energy_loss, force_loss


class EnergyForceObjective:
    """energy_weight (E - Ê)² + force_weight/n Σ_i |F_i - F̂_i|², mean over the configurations of a batch.

    With `absolute` errors, energy_weight |E - Ê| + force_weight/n Σ_i |F_i - F̂_i|.
    """

    def __init__(
        self,
        potential: Potential,
        frames: Sequence[Frame],
        energy_weight: float,
        force_weight: float,
        where: str,
        kind: LossKind = "squared",
    ):
        self.module, self.where, self.kind = potential, where, kind
        self.graphs = FrameGraphs(frames, potential.cutoff_angstrom)
        self.weights = {"energy": energy_weight, "forces": force_weight}

    def losses(self, frames: np.ndarray, step: int) -> dict[str, Tensor]:
        chosen, graph = self.graphs(frames)
        energies, forces = labels_of(chosen, self.where)
        device = device_of(self.module)
        graph = graph.to(device)
        self.module.train()
        predicted = self.module(graph)
        return {
            "energy": energy_loss(predicted["energy"], energies.to(device), self.kind),
            "forces": force_loss(predicted["forces"], forces.to(device), graph.atoms_per_graph, self.kind),
        }


def predict(potential: Potential, frames: Sequence[Frame], batch_size: int = 8) -> tuple[np.ndarray, list[np.ndarray]]:
    """Energies [n_frames] (eV) and the forces of each frame [n_atoms, 3] (eV/Å)."""
    potential.eval()
    energies, forces = [], []
    for start in range(0, len(frames), batch_size):
        chosen = [frames[index] for index in range(start, min(start + batch_size, len(frames)))]
        graph = graph_from_frames(chosen, potential.cutoff_angstrom).to(device_of(potential))
        predicted = {name: value.detach().cpu() for name, value in potential(graph).items()}
        energies.append(predicted["energy"].numpy())
        sizes = [frame.n_atoms for frame in chosen]
        forces += [part.numpy() for part in torch.split(predicted["forces"], sizes)]
    return np.concatenate(energies), forces


def losses_of(
    frames: Sequence[Frame], energies: np.ndarray, forces: Sequence[np.ndarray], kind: LossKind, where: str
) -> dict[str, float]:
    """The losses that training has, of predictions as `predict` gives them."""
    energies_reference, forces_reference = labels_of(frames, where)
    sizes = torch.tensor([frame.n_atoms for frame in frames])
    predicted = torch.from_numpy(np.concatenate(forces))
    return {
        "energy": float(energy_loss(torch.from_numpy(energies), energies_reference, kind)),
        "forces": float(force_loss(predicted, forces_reference, sizes, kind)),
    }
