"""One configuration of atoms, as data sets give it and networks take it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """A configuration in eV, angstrom and K, with labels where it has them."""

    species: np.ndarray
    """Atomic numbers, [n_atoms]."""
    positions: np.ndarray
    """[n_atoms, 3], angstrom, not necessarily inside the cell."""
    cell: np.ndarray
    """[3, 3], angstrom, rows are lattice vectors; zero without a box."""
    pbc: np.ndarray
    """[3], bool."""
    energy: float | None = None
    """eV, of the whole frame."""
    forces: np.ndarray | None = None
    """[n_atoms, 3], eV/angstrom."""
    temperature_kelvin: float = float("nan")
    system: str = ""
    masses_amu: np.ndarray | None = None
    """[n_atoms], where some atoms are isotopes; None: standard atomic weights."""

    @property
    def n_atoms(self) -> int:
        return len(self.species)
