"""Distances in one configuration with its periodic images: closest contact, molecules by covalent bonds."""

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from vesin import NeighborList

BOND_TOLERANCE = 1.25
"""Two atoms are bonded when closer than this times the sum of their covalent radii (Cordero et al. 2008)."""


def _pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff_angstrom: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair of atoms, or of an atom and an image, within the cutoff: indices i, j and the distance."""
    finder = NeighborList(cutoff=cutoff_angstrom, full_list=False, n_threads=1)
    return finder.compute(
        np.ascontiguousarray(positions, dtype=np.float64),
        np.ascontiguousarray(cell, dtype=np.float64),
        np.asarray(pbc, dtype=bool),
        quantities="ijd",
    )


def closest_contact(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> float:
    """Shortest distance of two atoms, or of an atom and an image, in angstrom; infinite when there is none.

    Args:
        positions: [n_atoms, 3], angstrom.
        cell: [3, 3], angstrom, rows are lattice vectors.
        pbc: [3], bool.
    """
    largest = np.ptp(positions, axis=0).sum() + np.abs(cell).sum()
    cutoff = 1.5
    while True:
        _, _, distances = _pairs(positions, cell, pbc, cutoff)
        if len(distances):
            return float(distances.min())
        if cutoff > largest:
            return float("inf")
        cutoff *= 2


def bonded_molecules(species: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Index of the molecule of each atom, [n_atoms]: connected components of the covalent bonds.

    Args:
        species: atomic numbers, [n_atoms].
        positions: [n_atoms, 3], angstrom.
        cell: [3, 3], angstrom, rows are lattice vectors.
        pbc: [3], bool.
    """
    radii = covalent_radii[species]
    i, j, distance = _pairs(positions, cell, pbc, 2 * BOND_TOLERANCE * radii.max())
    bonded = distance < BOND_TOLERANCE * (radii[i] + radii[j])
    i, j = i[bonded].astype(np.int64), j[bonded].astype(np.int64)
    bonds = coo_array((np.ones(len(i)), (i, j)), shape=(len(species), len(species)))
    return connected_components(bonds, directed=False)[1].astype(np.int32)
