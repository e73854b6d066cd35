"""What every engine that computes labels offers."""

from typing import Protocol

import numpy as np

from gpip.core.frame import Frame


class LabellingFailed(Exception):
    """The engine gave no usable energy and forces for a frame. The message is the reason that is listed."""


class Labeller(Protocol):
    """Computes the energy and forces of a configuration."""

    def label(self, frame: Frame, charge: int = 0, n_unpaired: int | None = None) -> tuple[float, np.ndarray]:
        """Energy in eV and forces [n_atoms, 3] in eV/angstrom.

        Args:
            frame: the configuration.
            charge: total charge in e.
            n_unpaired: number of unpaired electrons; None is a closed shell.

        Raises:
            LabellingFailed: no usable result for this frame.
            InputError: charge and unpaired electrons do not go with the number of electrons.
        """
        ...
