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
    """GFN-xTB in this process, on the threads that OMP_NUM_THREADS names.

    GFN-xTB is not spin-polarised: unpaired electrons only change the occupation of orbitals.
    """

    def __init__(self, settings: TBLiteLabels) -> None:
        self._settings = settings

    def label(self, frame: Frame, charge: int = 0, n_unpaired: int | None = None) -> tuple[float, np.ndarray]:
        """Energy in eV and forces [n_atoms, 3] in eV/angstrom.

        Args:
            frame: the configuration.
            charge: total charge in e.
            n_unpaired: number of unpaired electrons; None is a closed shell.

        Raises:
            LabellingFailed: the SCF did not converge, or tblite refused the geometry.
            InputError: partly periodic, or a number of electrons that does not go with charge and unpaired electrons;
                tblite would accept both silently.
        """
        if frame.pbc.any() and not frame.pbc.all():
            raise InputError(f"tblite: periodic along {frame.pbc.tolist()}; only all directions or none are right")
        n_electrons = int(frame.species.sum(dtype=int)) - charge
        if (n_electrons - (n_unpaired or 0)) % 2:
            given = "in a closed shell" if n_unpaired is None else f"with {n_unpaired} of them unpaired"
            odd = "an odd number" if n_electrons % 2 else "an even number"
            raise InputError(
                f"tblite: {odd} of electrons {given} at charge {charge:+d}; check the composition, the charge and the "
                "number of unpaired electrons"
            )
        atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
        # A fresh calculator each time. One that is kept starts from the density of the frame before: a tenth
        # faster, but forces then differ by 2e-4 eV/angstrom with the order of the frames.
        atoms.calc = TBLite(
            method=self._settings.method,
            charge=charge,
            multiplicity=(n_unpaired or 0) + 1,
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
