"""Shape of a molecule without a box."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase.data import atomic_masses, chemical_symbols


def radius_of_gyration(species: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """sqrt(Σ m |r - r_cm|² / Σ m) of each frame, angstrom, [n_frames]; positions [n_frames, n_atoms, 3], whole."""
    masses = atomic_masses[species]
    weights = masses / masses.sum()
    points = np.asarray(positions, float)
    centres = np.einsum("i,fix->fx", weights, points)
    return np.sqrt(np.einsum("i,fix->f", weights, (points - centres[:, None]) ** 2))


def bond_summary(species: np.ndarray, positions: np.ndarray, bonds: np.ndarray) -> list[dict[str, Any]]:
    """Mean and standard deviation of the bond lengths over all frames, by pair of elements.

    Args:
        positions: [n_frames, n_atoms, 3], angstrom, whole.
        bonds: [n_bonds, 2].
    """
    return [
        {
            "bond": name,
            "n_bonds": len(members),
            "mean_angstrom": float(lengths.mean()),
            "standard_deviation_angstrom": float(lengths.std()),
        }
        for name, members in _by_elements(species, bonds)
        for lengths in [np.linalg.norm(np.diff(positions[:, members], axis=2)[:, :, 0].astype(float), axis=-1)]
    ]


def _by_elements(species: np.ndarray, bonds: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    names = np.array(["-".join(sorted(chemical_symbols[z] for z in species[bond])) for bond in bonds])
    for name in sorted(set(names)):
        yield name, bonds[names == name]
