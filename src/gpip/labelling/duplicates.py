"""How far apart two configurations of the same atoms are: root mean square distance after the best superposition."""

import numpy as np


def rmsd_angstrom(
    positions: np.ndarray, others: np.ndarray, cell: np.ndarray | None = None, pbc: np.ndarray | None = None
) -> np.ndarray:
    """Root mean square distance of the atoms of one configuration from those of others, [n_others] angstrom.

    A common shift is taken out. Without a box the others are also turned onto it (Kabsch 1976; proper rotations). In a
    box the nearest images are taken, which gives the right value where it is small against half the box.

    Args:
        positions: [n_atoms, 3], angstrom.
        others: [n_others, n_atoms, 3], angstrom, the same atoms in the same order.
        cell: [3, 3], angstrom; None, or zero, without a box.
        pbc: [3]; periodic along each lattice vector.
    """
    positions, others = np.asarray(positions, np.float64), np.asarray(others, np.float64)
    if pbc is None or not np.any(pbc):
        centred = positions - positions.mean(axis=0)
        moved = others - others.mean(axis=1, keepdims=True)
        left, strengths, right = np.linalg.svd(np.einsum("nai,aj->nij", moved, centred))
        strengths[:, -1] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
        squared = (moved**2).sum(axis=(1, 2)) + (centred**2).sum() - 2 * strengths.sum(axis=1)
        return np.sqrt(np.maximum(squared, 0.0) / len(positions))
    whole = np.asarray(pbc, dtype=np.float64)
    inverse = np.linalg.inv(np.asarray(cell, np.float64))
    # The first atom fixes the shift, so that a drift of any length leaves small differences. Then the mean is removed.
    difference = others - positions
    difference = difference - difference[:, :1]
    difference = difference - np.round(difference @ inverse) * whole @ cell
    difference = difference - difference.mean(axis=1, keepdims=True)
    return np.sqrt((difference**2).sum(axis=(1, 2)) / len(positions))
