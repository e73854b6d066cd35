"""GFN-xTB labels by tblite (Grimme, Bannwarth, Shushkov 2017; Bannwarth, Ehlert, Grimme 2019)."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError
from tblite.ase import TBLite

from gpip.config.labels import TBLiteLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.labelling.engine import LabellingFailed


class TBLiteLabeller:
    """Neutral closed-shell GFN-xTB in this process, on the threads that OMP_NUM_THREADS names."""

    def __init__(self, settings: TBLiteLabels) -> None:
        self._settings = settings

    def label(self, frame: Frame) -> tuple[float, np.ndarray]:
        """Energy in eV and forces [n_atoms, 3] in eV/angstrom.

        Raises:
            LabellingFailed: the SCF did not converge, or tblite refused the geometry.
            InputError: partly periodic, or an odd number of electrons; tblite would accept both silently.
        """
        if frame.pbc.any() and not frame.pbc.all():
            raise InputError(f"tblite: periodic along {frame.pbc.tolist()}; only all directions or none are right")
        if int(frame.species.sum(dtype=int)) % 2:
            raise InputError("tblite: an odd number of electrons in a neutral closed shell; check the composition")
        atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
        # A fresh calculator each time. One that is kept starts from the density of the frame before: a tenth
        # faster, but forces then differ by 2e-4 eV/angstrom with the order of the frames.
        atoms.calc = TBLite(
            method=self._settings.method,
            charge=0,
            accuracy=self._settings.accuracy,
            max_iterations=self._settings.max_iterations,
            electronic_temperature=self._settings.electronic_temperature_kelvin,
            verbosity=0,
        )
        try:
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        except CalculatorError as error:
            raise LabellingFailed(" ".join(str(error).split())) from None
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise LabellingFailed("energy or forces are not finite")
        return float(energy), forces
