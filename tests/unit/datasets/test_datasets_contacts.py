"""Closest contact and molecules, exact cases and against ASE's minimum-image distances."""

import numpy as np
import pytest
from ase import Atoms

from gpip.datasets.contacts import atoms_alone, bonded_molecules, closest_contact, nearest_neighbour

PERIODIC, OPEN = np.ones(3, dtype=bool), np.zeros(3, dtype=bool)


@pytest.mark.parametrize(
    ("positions", "length", "pbc", "expected"),
    [
        ([[0, 0, 0], [3, 4, 0]], 100.0, PERIODIC, 5.0),
        ([[0.25, 0, 0], [9.75, 0, 0]], 10.0, PERIODIC, 0.5),
        ([[0.25, 0, 0], [29.75, 0, 0]], 10.0, PERIODIC, 0.5),
        ([[0.25, 0, 0], [9.75, 0, 0]], 10.0, OPEN, 9.5),
        ([[1, 1, 1], [1, 1, 1]], 10.0, PERIODIC, 0.0),
        ([[0, 0, 0]], 4.0, PERIODIC, 4.0),
        ([[0, 0, 0]], 0.0, OPEN, np.inf),
        ([[0, 0, 0], [30, 0, 0]], 0.0, OPEN, 30.0),
    ],
)
def test_closest_contact_of_known_geometries(positions, length: float, pbc: np.ndarray, expected: float) -> None:
    cell = length * np.eye(3)
    assert closest_contact(np.array(positions, dtype=float), cell, pbc) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_closest_contact_agrees_with_ase_in_a_skewed_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = np.array([[6, 0, 0], [2.5, 5, 0], [-1, 2, 7]]) + rng.normal(size=(3, 3)) * 0.2
    positions = rng.uniform(-20, 20, (8, 3))
    distances = Atoms("H8", positions, cell=cell, pbc=True).get_all_distances(mic=True)
    expected = distances[np.triu_indices(8, k=1)].min()
    assert closest_contact(positions, cell, PERIODIC) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cutoff", [1.5, 2.6, 4.0])
def test_atoms_alone_are_those_whose_nearest_is_beyond_the_cutoff(seed: int, cutoff: float) -> None:
    rng = np.random.default_rng(seed)
    cell = np.array([[9, 0, 0], [2.5, 8, 0], [-1, 2, 9]]) + rng.normal(size=(3, 3)) * 0.2
    positions = rng.uniform(-20, 20, (12, 3))
    distances = Atoms("H12", positions, cell=cell, pbc=True).get_all_distances(mic=True) + np.diag(np.full(12, np.inf))
    nearest = distances.min(axis=1)
    np.testing.assert_array_equal(atoms_alone(positions, cell, PERIODIC, cutoff), np.flatnonzero(nearest > cutoff))
    assert nearest_neighbour(positions, cell, PERIODIC, 7) == pytest.approx(nearest[7], rel=1e-10)


def test_an_image_is_a_neighbour_and_one_atom_alone_has_none() -> None:
    one = np.zeros((1, 3))
    assert atoms_alone(one, 4 * np.eye(3), PERIODIC, 4.5).tolist() == []
    assert atoms_alone(one, 5 * np.eye(3), PERIODIC, 4.5).tolist() == [0]
    assert nearest_neighbour(one, 5 * np.eye(3), PERIODIC, 0) == 5
    assert atoms_alone(one, np.zeros((3, 3)), OPEN, 4.5).tolist() == [0]
    assert nearest_neighbour(one, np.zeros((3, 3)), OPEN, 0) == np.inf


def test_molecules_are_found_across_the_box() -> None:
    water = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    positions = np.concatenate([water, water + 5.0, [[3.0, 8.0, 1.0]]]) % 10
    species = np.array([8, 1, 1, 8, 1, 1, 11])
    found = bonded_molecules(species, positions, 10 * np.eye(3), PERIODIC)
    np.testing.assert_array_equal(found, [0, 0, 0, 1, 1, 1, 2])
    apart = bonded_molecules(species, positions, np.zeros((3, 3)), OPEN)
    assert apart[2] != apart[0], "without a box the hydrogen on the other side is not bonded"
