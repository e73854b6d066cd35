"""Sums over neighbours against plain loops over pairs, and their derivatives, compiled and not."""

import numpy as np
import pytest
import torch

from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models.blocks import kernels
from gpip.models.blocks.neighbour_sums import NeighbourPairs, bond_sum, neighbour_products, neighbour_sum, table_sums
from gpip.models.blocks.splines import SplineBins, interpolate

DOUBLE = torch.float64
CUTOFF, N_BINS, N_FEATURES, N_HEADS = 2.5, 6, 4, 2
# So small that atoms see images of themselves.
CELL = np.diag([2.4, 3.0, 3.0])
POSITIONS = np.array([[0.0, 0.0, 0.0], [0.9, 0.3, 0.0], [-0.3, 0.9, 0.2]])


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def engine(request, monkeypatch):
    """The loops, or what stands for them where they cannot run, such as on a GPU."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "usable", lambda tensor: False)


@pytest.fixture
def graph():
    graph = graph_from_frames([Frame(np.array([8, 1, 1]), POSITIONS, CELL, np.ones(3, bool))], CUTOFF, DOUBLE)
    assert (graph.pairs.centre == graph.pairs.neighbour).any()
    return graph


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE).requires_grad_(True)


def distances(graph):
    return graph.pair_vectors().norm(dim=1).detach().requires_grad_(True)


def loops(graph, filters, weights, values):
    """The sum of filters [n_pairs, n], weights [n_pairs, 2, n_axes, n_heads], values [n_atoms, n_axes, n]."""
    total = torch.zeros_like(values)
    for pair, (i, j) in enumerate(zip(graph.pairs.centre, graph.pairs.neighbour, strict=True)):
        for way, (end, other) in enumerate(((i, j), (j, i))):
            of_heads = (filters[pair] * values[other]).unflatten(1, (weights.shape[3], -1))
            total[end] += (weights[pair, way][:, :, None] * of_heads).flatten(1)
    return total


@pytest.mark.parametrize(("n_axes", "n_weight_axes"), [(1, 1), (3, 1), (3, 3)])
@pytest.mark.parametrize("order", [0, 1])
def test_sum_pair_by_pair(graph, n_axes, n_weight_axes, order):
    distance, table = distances(graph), random(N_BINS + 5, N_FEATURES, seed=0)
    values, weights = random(3, n_axes, N_FEATURES, seed=1), random(len(distance), 2, n_weight_axes, N_HEADS, seed=2)
    neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, CUTOFF, N_BINS))
    given = neighbour_sum(table, values, neighbour_pairs, weights, order)
    filters = interpolate(table, SplineBins(distance, CUTOFF, N_BINS), order)
    with torch.no_grad():
        torch.testing.assert_close(given, loops(graph, filters, weights, values))
        ones = torch.ones(len(distance), 2, 1, 1, dtype=DOUBLE)
        torch.testing.assert_close(
            neighbour_sum(table, values, neighbour_pairs, None, order), loops(graph, filters, ones, values)
        )


def test_products_are_slopes_of_the_sum(graph):
    """Products with g of the sum, written out twice."""
    distance, table = distances(graph), random(N_BINS + 5, N_FEATURES, seed=0)
    neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, CUTOFF, N_BINS))
    for n_weight_axes in (1, 3):
        left, right = random(3, 3, N_FEATURES, seed=1), random(3, 3, N_FEATURES, seed=3)
        weights = random(len(distance), 2, n_weight_axes, N_HEADS, seed=2)
        products = neighbour_products(table, left, right, neighbour_pairs, n_weight_axes, N_HEADS)
        of_table = table_sums(left, right, neighbour_pairs, weights)
        total = (left * neighbour_sum(table, right, neighbour_pairs, weights)).sum()
        torch.testing.assert_close((products * weights).sum(), total)
        torch.testing.assert_close((of_table * table).sum(), total)


@pytest.mark.parametrize(("n_axes", "n_weight_axes"), [(1, 1), (2, 1), (2, 2)])
def test_derivatives(graph, n_axes, n_weight_axes):
    distance = distances(graph)
    given = [
        random(N_BINS + 5, N_FEATURES, seed=0),
        random(3, n_axes, N_FEATURES, seed=1),
        random(3, n_axes, N_FEATURES, seed=3),
        random(len(distance), 2, n_weight_axes, N_HEADS, seed=2),
        distance,
    ]

    def of(table, left, right, weights, distance):
        neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, CUTOFF, N_BINS))
        return (
            neighbour_sum(table, right, neighbour_pairs, weights),
            neighbour_products(table, left, right, neighbour_pairs, n_weight_axes, N_HEADS),
            table_sums(left, right, neighbour_pairs, weights),
        )

    assert torch.autograd.gradcheck(of, given)
    assert torch.autograd.gradgradcheck(of, given)


def test_bond_sum_and_its_derivatives(graph):
    distance, table = distances(graph), random(N_BINS + 5, N_FEATURES, seed=0)
    values, unit = random(3, N_FEATURES, seed=1), random(len(distance), 3, seed=2)

    def of(table, values, unit, distance):
        return bond_sum(table, values, unit, NeighbourPairs(graph, SplineBins(distance, CUTOFF, N_BINS)))

    weights = torch.stack([unit, -unit], 1)[..., None]
    filters = interpolate(table, SplineBins(distance, CUTOFF, N_BINS))
    with torch.no_grad():
        expected = loops(graph, filters, weights, values[:, None].expand(-1, 3, -1))
        torch.testing.assert_close(of(table, values, unit, distance), expected)
    assert torch.autograd.gradcheck(of, (table, values, unit, distance))
    assert torch.autograd.gradgradcheck(of, (table, values, unit, distance))


def test_any_number_of_threads_gives_the_same(water_frames, engine, monkeypatch):
    graph = graph_from_frames(water_frames[:2], 3.0)
    distance = graph.pair_vectors().norm(dim=1)
    neighbour_pairs = NeighbourPairs(graph, SplineBins(distance, 3.0, 40))
    table, x, g = random(45, 64, seed=0), *(random(graph.n_atoms, 3, 64, seed=seed).float() for seed in (1, 2))
    weights = random(len(distance), 2, 1, 2, seed=3).float()
    monkeypatch.setattr(kernels, "_LEAST_WORK", 0)

    def results():
        return [
            neighbour_sum(table, x, neighbour_pairs, weights),
            neighbour_products(table, g, x, neighbour_pairs, 1, 2),
            table_sums(g, x, neighbour_pairs, weights),
        ]

    before, results_of = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            results_of.append(results())
    finally:
        torch.set_num_threads(before)
    for one, three in zip(*results_of, strict=True):
        torch.testing.assert_close(one, three, rtol=1e-6, atol=1e-6)


def test_beyond_the_cutoff_is_nothing(graph):
    far = torch.full((len(graph.pairs.centre),), CUTOFF + 0.1, dtype=DOUBLE, requires_grad=True)
    table, values = random(N_BINS + 5, N_FEATURES, seed=0), random(3, 1, N_FEATURES, seed=1)
    result = neighbour_sum(table, values, NeighbourPairs(graph, SplineBins(far, CUTOFF, N_BINS)))
    assert (result == 0).all()
    assert (torch.autograd.grad(result.sum(), far)[0] == 0).all()
