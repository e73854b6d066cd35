"""Labelled frames as tensors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gpip.core.errors import InputError
from gpip.core.frame import Frame


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
