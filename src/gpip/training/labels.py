"""Labelled frames as tensors, and the per-element reference energies that take the large offsets off."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.models.interface import N_SPECIES


def labels_of(frames: Sequence[Frame], where: str) -> tuple[Tensor, Tensor]:
    """Energies [n_graphs] (float64, eV) and forces [n_atoms, 3] (eV/Å) of labelled frames.

    Raises:
        InputError: a frame has no energy or no forces; a loss that silently sees none would learn nothing.
    """
    for index, frame in enumerate(frames):
        for what in ("energy", "forces"):
            if getattr(frame, what) is None:
                raise InputError(
                    f"{where}: frame {index} of system {frame.system!r} has no {what}; make the data set with labels"
                )
    energies = torch.tensor([frame.energy for frame in frames], dtype=torch.float64)
    forces = torch.from_numpy(np.concatenate([frame.forces for frame in frames]).astype(np.float32))
    return energies, forces


def fit_reference_energies(species: Sequence[np.ndarray], energies: np.ndarray) -> np.ndarray:
    """Energy per element, [95] eV by atomic number: least squares of E = Σ_i e(Z_i), zero for absent elements.

    Where compositions do not determine every element (a single composition, say), the solution of least norm is taken:
    the sum over each frame is right all the same.
    """
    counts = np.stack([np.bincount(atoms, minlength=N_SPECIES) for atoms in species]).astype(float)
    present = counts.any(axis=0)
    fitted = np.zeros(N_SPECIES)
    fitted[present] = np.linalg.lstsq(counts[:, present], np.asarray(energies, dtype=float), rcond=None)[0]
    return fitted
