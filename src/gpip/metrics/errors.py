"""Errors of predicted energies and forces."""

import numpy as np
from ase.data import chemical_symbols

from gpip.core.errors import InputError

EV_TO_MEV = 1000.0


def energy_errors(reference: np.ndarray, predicted: np.ndarray, n_atoms: int | np.ndarray) -> dict[str, float]:
    """Mean absolute and root mean square error of energies [n_frames], eV in, meV per atom out."""
    reference, predicted = _alike("energies", reference, predicted)
    difference = EV_TO_MEV * (predicted - reference) / n_atoms
    return {
        "energy_mae_mev_per_atom": float(np.abs(difference).mean()),
        "energy_rmse_mev_per_atom": float(np.sqrt((difference**2).mean())),
    }


def force_errors(reference: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Mean absolute, root mean square and largest error of all components of forces [..., 3], eV/Å in, meV/Å out.

    The largest shows the rare configuration of which a network knows nothing, and which a mean hides.
    """
    reference, predicted = _alike("forces", reference, predicted)
    difference = EV_TO_MEV * (predicted - reference)
    return {
        "force_mae_mev_per_angstrom": float(np.abs(difference).mean()),
        "force_rmse_mev_per_angstrom": float(np.sqrt((difference**2).mean())),
        "force_max_mev_per_angstrom": float(np.abs(difference).max()),
    }


def force_mae_by_element(reference: np.ndarray, predicted: np.ndarray, species: np.ndarray) -> dict[str, float]:
    """Mean absolute force error of each element, meV/Å; forces [n_frames, n_atoms, 3], species [n_atoms]."""
    reference, predicted = _alike("forces", reference, predicted)
    error = EV_TO_MEV * np.abs(predicted - reference)
    return {chemical_symbols[z]: float(error[..., species == z, :].mean()) for z in np.unique(species)}


def _alike(what: str, reference: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reference, predicted = np.asarray(reference, float), np.asarray(predicted, float)
    if reference.shape != predicted.shape or not reference.size:
        raise InputError(f"{what}: reference {reference.shape} and predicted {predicted.shape} must match, not empty")
    return reference, predicted
