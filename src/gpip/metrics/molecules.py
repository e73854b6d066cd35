"""Bonds and molecules of one configuration, from covalent radii."""

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

BOND_FACTOR = 1.3
"""Two atoms are bonded below this multiple of the sum of their covalent radii (Cordero et al. 2008)."""


def minimum_image(vectors: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The periodic images of vectors [..., 3] nearest to zero, right up to half the smallest width.

    A cell of zeros has no images: the vectors are returned as they are.
    """
    if not np.any(cell):
        return vectors
    fractional = vectors @ np.linalg.inv(cell)
    return (fractional - np.rint(fractional)) @ cell


def smallest_width(cell: np.ndarray) -> float:
    """Smallest distance between opposite faces of a cell [3, 3]."""
    return float(1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())


def find_bonds(species: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Pairs of bonded atoms [n_bonds, 2] of one configuration [n_atoms, 3]."""
    first, second = np.triu_indices(len(species), k=1)
    vectors = minimum_image(positions[second] - positions[first], cell)
    radii = covalent_radii[species]
    bonded = np.linalg.norm(vectors, axis=1) < BOND_FACTOR * (radii[first] + radii[second])
    return np.stack([first[bonded], second[bonded]], axis=1)


def find_molecules(species: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Index of the molecule that each atom belongs to, [n_atoms]."""
    bonds = find_bonds(species, positions, cell)
    graph = coo_matrix((np.ones(len(bonds)), bonds.T), shape=(len(species),) * 2)
    return connected_components(graph, directed=False)[1]
