"""g(r): ideal gas, lattice, molecules, and mdtraj as an independent program."""

import mdtraj
import numpy as np
import pytest

from gpip.core.errors import InputError
from gpip.metrics.molecules import find_molecules, minimum_image, smallest_width
from gpip.metrics.rdf import (
    count_pairs,
    jackknife,
    radial_distribution,
    rdf_error_integral,
    rdf_error_mean,
    total,
)

SKEWED = np.array([[13.0, 0.0, 0.0], [3.0, 13.5, 0.0], [-2.0, 1.5, 14.0]])


def gas(n_frames: int, n_atoms: int, cell: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n_frames, n_atoms, 3)) @ cell


@pytest.mark.parametrize("cell", [12.4 * np.eye(3), SKEWED], ids=["cubic", "skewed"])
def test_an_ideal_gas_has_g_of_one(cell):
    species = np.array([8] * 20 + [1] * 40)
    radii, g = radial_distribution(species, gas(200, 60, cell), cell, 6.0, 12)
    pairs = {"O-O": 20 * 19 / 2, "H-O": 20 * 40, "H-H": 40 * 39 / 2}
    assert set(g) == set(pairs)
    np.testing.assert_allclose(radii, np.arange(0.25, 6, 0.5))
    for pair, n in pairs.items():
        expected = n * 200 * 4 * np.pi * radii**2 * 0.5 / np.linalg.det(cell)
        assert np.abs((g[pair] - 1) * np.sqrt(expected)).max() < 4, pair


def test_a_lattice_has_its_exact_numbers_of_neighbours():
    spacing, n = 3.03, 5
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3) * spacing
    counts = count_pairs(np.full(n**3, 18), grid[None] + 100.0, spacing * n * np.eye(3), 6.2, 62)
    neighbours = 2 * counts.counts.sum(axis=(0, 1, 2)) / n**3
    found = {round(float(counts.edges[index]), 1): count for index, count in enumerate(neighbours) if count}
    # 6 at a, 12 at √2 a, 8 at √3 a, 6 at 2 a.
    assert found == pytest.approx({3.0: 6, 4.2: 12, 5.2: 8, 6.0: 6})
    assert counts.g()[0] @ counts.shell_volumes * (n**3 - 1) / (spacing * n) ** 3 == pytest.approx(32)


def test_agrees_with_mdtraj_also_when_the_box_changes():
    generator = np.random.default_rng(1)
    scales = generator.uniform(0.98, 1.05, 30)
    cells = scales[:, None, None] * 12.8 * np.eye(3)
    positions = generator.random((30, 30, 3)) @ cells
    species = np.array([8] * 10 + [1] * 20)
    topology = mdtraj.Topology()
    residue = topology.add_residue("X", topology.add_chain())
    for z in species:
        topology.add_atom("A", mdtraj.element.Element.getByAtomicNumber(int(z)), residue)
    trajectory = mdtraj.Trajectory(positions / 10, topology)
    trajectory.unitcell_vectors = cells / 10
    mine = radial_distribution(species, positions, cells, 6.0, 60)[1]
    for pair, (first, second) in {"O-O": ("O", "O"), "H-O": ("O", "H")}.items():
        pairs = topology.select_pairs(f"element {first}", f"element {second}")
        theirs = mdtraj.compute_rdf(trajectory, pairs, r_range=(0, 0.6), n_bins=60)[1]
        np.testing.assert_allclose(mine[pair], theirs, atol=0.02 * theirs.max())
        assert np.abs(mine[pair] - theirs).mean() < 1e-3


def test_intermolecular_leaves_out_the_bonds_only():
    cell = 15 * np.eye(3)
    centres = gas(300, 12, cell, seed=3)
    bond = np.array([0.0, 0.99, 0.0])
    positions = np.stack([centres, centres + bond], axis=2).reshape(300, 24, 3)
    species, molecule = np.tile([8, 1], 12), np.repeat(np.arange(12), 2)
    counts = count_pairs(species, positions, cell, 6.0, 100, molecule)
    pair = counts.pairs.index("H-O")
    at_bond = int(0.99 / 0.06)
    assert counts.counts[:, pair, 1].sum() == counts.counts[:, pair, 1, at_bond].sum() == 300 * 12
    assert counts.g("all")[pair, at_bond] > 20 > counts.g("intermolecular")[pair, at_bond]
    assert counts.g("intermolecular")[pair, 50:].mean() == pytest.approx(1, abs=0.03)
    with pytest.raises(InputError, match="needs `molecule`"):
        radial_distribution(species, positions, cell, exclude_same_molecule=True)


def test_molecules_are_found_across_the_boundary():
    cell = 10 * np.eye(3)
    water = np.array([[0.1, 0.1, 0.1], [0.1, 0.1, -0.85], [1.0, 0.1, 0.4]])
    positions = np.concatenate([water, water + 5]) % 10
    np.testing.assert_array_equal(find_molecules(np.array([8, 1, 1] * 2), positions, cell), [0, 0, 0, 1, 1, 1])


def test_minimum_image_of_a_skewed_cell_is_the_nearest_within_half_the_width():
    generator = np.random.default_rng(5)
    directions = generator.normal(size=(300, 3))
    shortest = directions / np.linalg.norm(directions, axis=1)[:, None] * smallest_width(SKEWED) * 0.499
    moved = shortest + generator.integers(-3, 4, (300, 3)) @ SKEWED
    np.testing.assert_allclose(minimum_image(moved, SKEWED), shortest, atol=1e-10)


def test_chunks_add_up_and_do_not_change_g():
    cell = 13 * np.eye(3)
    positions = gas(23, 30, cell)
    species = np.array([8] * 10 + [1] * 20)
    whole = count_pairs(species, positions, cell, frames_per_chunk=23)
    chunks = count_pairs(species, positions, cell, frames_per_chunk=5)
    assert len(chunks) == 5
    np.testing.assert_allclose(chunks.g(), whole.g())
    np.testing.assert_allclose(total(*chunks.blocks(3)).g(), whole.g())


def test_errors_of_known_curves():
    g, reference = np.array([[1.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 2.0]])
    assert rdf_error_mean(g, reference) == pytest.approx([1.0])
    assert rdf_error_integral(g, reference, 6.0) == pytest.approx([6.0])


def test_jackknife_predicts_the_spread_of_independent_runs():
    cell, species = 13 * np.eye(3), np.full(20, 18)
    runs = [count_pairs(species, gas(40, 20, cell, seed), cell, 6.0, 6) for seed in range(60)]
    spread = np.std([run.g()[0] for run in runs], axis=0, ddof=1)
    predicted = np.mean([jackknife(run.blocks(8), lambda part: part.g()[0]) for run in runs], axis=0)
    np.testing.assert_allclose(predicted[1:], spread[1:], rtol=0.35)


def test_a_radius_beyond_half_the_box_and_a_missing_box_are_refused():
    with pytest.raises(InputError, match="above half the box, 5"):
        count_pairs(np.array([8, 8]), np.zeros((1, 2, 3)), 11 * np.eye(3), 6.0)
    with pytest.raises(InputError, match="no box"):
        count_pairs(np.array([8, 8]), np.zeros((1, 2, 3)), np.zeros((3, 3)), 6.0)
