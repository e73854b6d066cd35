"""Positions of whole molecules: scaled with the box, and brought back into it."""

import numpy as np
from openmm.app import Topology


def molecule_of_atoms(topology: Topology) -> np.ndarray:
    """Index of the molecule of each atom [n_atoms]: built topologies have one residue for each molecule."""
    return np.array([i for i, residue in enumerate(topology.residues()) for _ in residue.atoms()])


def scale_molecules(positions: np.ndarray, masses: np.ndarray, molecules: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the centres of mass by `factor`, and move each molecule with its own, unturned and undistorted.

    Args:
        positions: [n_atoms, 3], molecules whole.
        masses: [n_atoms].
        molecules: [n_atoms], index of the molecule of each atom, from 0 on.
    """
    return positions + (factor - 1) * _centres(positions, masses, molecules)[molecules]


def wrap_molecules(
    positions: np.ndarray, masses: np.ndarray, molecules: np.ndarray, box_length_angstrom: float
) -> np.ndarray:
    """Shift each molecule by whole box lengths so that its centre of mass is in [0, box length); it stays whole.

    Args:
        positions: [n_atoms, 3], angstrom, molecules whole.
        masses: [n_atoms].
        molecules: [n_atoms], index of the molecule of each atom, from 0 on.
    """
    boxes = np.floor(_centres(positions, masses, molecules) / box_length_angstrom)
    return positions - box_length_angstrom * boxes[molecules]


def _centres(positions: np.ndarray, masses: np.ndarray, molecules: np.ndarray) -> np.ndarray:
    """[n_molecules, 3]."""
    weights = np.bincount(molecules, masses)
    return np.stack([np.bincount(molecules, masses * axis) / weights for axis in positions.T], axis=1)
