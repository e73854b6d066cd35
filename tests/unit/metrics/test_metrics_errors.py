"""Energy and force errors of known arrays."""

import numpy as np
import pytest

from gpip.core.errors import InputError
from gpip.metrics.errors import energy_errors, force_errors, force_mae_by_element


def test_energies_are_per_atom_in_mev():
    errors = energy_errors(np.array([1.0, 2.0]), np.array([1.3, 1.9]), 10)
    assert errors == pytest.approx({"energy_mae_mev_per_atom": 20.0, "energy_rmse_mev_per_atom": np.sqrt(500)})


def test_forces_are_over_components():
    reference = np.zeros((2, 3, 3))
    predicted = reference.copy()
    predicted[0, 0, 0] = 0.18
    errors = force_errors(reference, predicted)
    assert errors["force_mae_mev_per_angstrom"] == pytest.approx(10.0)
    assert errors["force_rmse_mev_per_angstrom"] == pytest.approx(180 / np.sqrt(18))
    assert errors["force_max_mev_per_angstrom"] == pytest.approx(180.0)
    by_element = force_mae_by_element(reference, predicted, np.array([8, 1, 1]))
    assert by_element == pytest.approx({"O": 30.0, "H": 0.0})


def test_shapes_must_match():
    with pytest.raises(InputError, match="must match"):
        force_errors(np.zeros((2, 3, 3)), np.zeros((2, 4, 3)))
    with pytest.raises(InputError, match="not empty"):
        energy_errors(np.zeros(0), np.zeros(0), 3)
