"""What every engine that computes labels offers. A new one is one module here, its settings, and its registry lines."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import numpy as np

from gpip.config.labels import ComputedLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame

Settings = TypeVar("Settings", bound=ComputedLabels)


class LabellingFailed(Exception):
    """The engine gave no usable energy and forces for a frame. The message is the reason that is listed."""


class Engine(ABC, Generic[Settings]):
    """Computes the energy and the forces of one configuration at a time.

    Engines run in a process of their own (`gpip.labelling.process`), which is stopped when a frame takes too long.
    Modules of engines are imported while the workflow is planned: import the program itself inside the methods.
    """

    name: ClassVar[str]
    """As in `source` of the settings."""
    fallback: ClassVar[str | None] = None
    """What `compute` does differently with `careful=True`, in words; None where the engine has no second way."""
    partly_periodic: ClassVar[bool] = False
    """Whether frames that are periodic along one or two directions are treated correctly."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Raise InputError when the engine cannot run on this machine or with these settings. Quick, before any run."""

    @abstractmethod
    def compute(self, frame: Frame, charge: int, n_unpaired: int, careful: bool) -> tuple[float, np.ndarray]:
        """Energy in eV and forces [n_atoms, 3] in eV/angstrom of a frame that `label` has checked.

        Args:
            frame: the configuration.
            charge: total charge, e.
            n_unpaired: number of unpaired electrons, 2S.
            careful: take the fallback; only asked of engines that have one. The level of theory stays the same.

        Raises:
            LabellingFailed: the engine did not converge or stopped.
        """

    def label(
        self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False
    ) -> tuple[float, np.ndarray]:
        """Energy in eV and forces [n_atoms, 3] in eV/angstrom, both finite; arguments as those of `compute`.

        Raises:
            LabellingFailed: the engine did not converge, or gave something that is no energy or no forces.
            InputError: no frame of this kind can be labelled: periodicity or number of electrons.
        """
        self._check_frame(frame, charge, n_unpaired)
        energy, forces = self.compute(frame, charge, n_unpaired, careful)
        forces = np.asarray(forces, dtype=np.float64)
        if forces.shape != (frame.n_atoms, 3):
            raise LabellingFailed(f"forces have shape {forces.shape}, expected {(frame.n_atoms, 3)}")
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise LabellingFailed("energy or forces are not finite")
        return float(energy), forces

    def _check_frame(self, frame: Frame, charge: int, n_unpaired: int) -> None:
        """Programs tend to accept what is refused here, and to give numbers of another system."""
        where = f"{self.name}: system {frame.system!r}" if frame.system else self.name
        if frame.pbc.any() and not frame.pbc.all() and not self.partly_periodic:
            raise InputError(
                f"{where} is periodic along {frame.pbc.tolist()}; only all directions or none are treated correctly"
            )
        n_electrons = int(frame.species.sum(dtype=int)) - charge
        if n_unpaired > n_electrons or (n_electrons - n_unpaired) % 2:
            odd = "an odd number of electrons" if n_electrons % 2 else "an even number of electrons"
            raise InputError(
                f"{where} has {odd} ({n_electrons} at charge {charge:+d} e), which {n_unpaired} unpaired electrons "
                f"(multiplicity {n_unpaired + 1}) do not fit: correct charge or multiplicity"
            )
