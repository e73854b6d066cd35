"""GFN-xTB labels by tblite (Grimme, Bannwarth, Shushkov 2017; Bannwarth, Ehlert, Grimme 2019)."""

from typing import Any

import numpy as np

from gpip.config.engines import TBLiteLabels
from gpip.core.frame import Frame
from gpip.labelling.engines.base import Engine, LabellingFailed

CAREFUL_ITERATIONS = 4
"""Factor of the largest number of iterations in the fallback."""
CAREFUL_DAMPING = 0.2
"""Of the mixing in the fallback; tblite's default is 0.4."""
GUESS_KELVIN = 3000.0
"""Electronic temperature of the calculation that the fallback starts from."""


class TBLite(Engine[TBLiteLabels]):
    """GFN-xTB in this process, on the threads that OMP_NUM_THREADS names."""

    name = "tblite"
    fallback = (
        f"a start from the density at an electronic temperature of {GUESS_KELVIN:g} K, "
        f"mixing damped to {CAREFUL_DAMPING:g}, {CAREFUL_ITERATIONS} times the iterations"
    )

    def compute(self, frame: Frame, charge: int, n_unpaired: int, careful: bool) -> tuple[float, np.ndarray]:
        """See Engine."""
        from ase import Atoms
        from ase.calculators.calculator import CalculatorError
        from tblite.ase import TBLite as Calculator

        settings = self.settings
        atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
        options: dict[str, Any] = {"max_iterations": settings.max_iterations}
        if careful:
            options = {
                "max_iterations": CAREFUL_ITERATIONS * settings.max_iterations,
                "mixer_damping": CAREFUL_DAMPING,
            }
        # A fresh calculator each time. One that is kept starts from the density of the frame before: a tenth
        # faster, but forces then differ by 2e-4 eV/angstrom with the order of the frames.
        atoms.calc = Calculator(
            method=settings.method,
            charge=charge,
            multiplicity=n_unpaired + 1,
            accuracy=settings.accuracy,
            electronic_temperature=settings.electronic_temperature_kelvin,
            verbosity=0,
            **options,
        )
        try:
            if careful:
                # Occupations that are smeared out converge; their density is kept as the start of the next calculation.
                atoms.calc.set(electronic_temperature=max(GUESS_KELVIN, settings.electronic_temperature_kelvin))
                atoms.get_potential_energy()
                atoms.calc.set(electronic_temperature=settings.electronic_temperature_kelvin)
            return atoms.get_potential_energy(), atoms.get_forces()
        except CalculatorError as error:
            raise LabellingFailed(" ".join(str(error).split())) from None
