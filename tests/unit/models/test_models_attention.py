"""Sums of attention against plain loops over edges, and their derivatives."""

import numpy as np
import pytest
import torch

from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models.attention import attention_scores, attention_sum
from gpip.models.messages import edge_sides, gather, sides_of, total

N_HEADS, N_FEATURES = 2, 6


@pytest.fixture
def graph(water_frames):
    return graph_from_frames(water_frames[:2], 2.5, torch.float64)


@pytest.fixture
def tensors(graph):
    generator = torch.Generator().manual_seed(0)
    n_pairs = len(graph.pairs.centre)
    shapes = {"q": (graph.n_atoms, N_FEATURES), "k": (graph.n_atoms, N_FEATURES), "w": (n_pairs, N_FEATURES)}
    shapes |= {"a": (n_pairs, 2, N_HEADS)}
    return {name: torch.randn(*shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}


def test_scores_and_sums_edge_by_edge(graph, tensors):
    q, k, w, a = (tensors[name] for name in "qkwa")
    sides = sides_of(graph)
    scores = attention_scores(q, k, w, N_HEADS, sides)
    summed, expected = attention_sum(a, w, k, sides), torch.zeros_like(q)
    for pair, (i, j) in enumerate(zip(graph.pairs.centre, graph.pairs.neighbour, strict=True)):
        for direction, (end, other) in enumerate(((i, j), (j, i))):
            product = (q[end] * k[other] * w[pair]).view(N_HEADS, -1)
            torch.testing.assert_close(scores[pair, direction], product.sum(1))
            expected[end] += (a[pair, direction][:, None] * (w[pair] * k[other]).view(N_HEADS, -1)).flatten()
    torch.testing.assert_close(summed, expected)


def test_derivatives_of_attention(tensors):
    """In a cell so small that atoms see images of themselves."""
    cell = np.diag([2.4, 3.0, 3.0])
    positions = np.array([[0.0, 0.0, 0.0], [0.9, 0.3, 0.0], [-0.3, 0.9, 0.2]])
    few = graph_from_frames([Frame(np.array([8, 1, 1]), positions, cell, np.ones(3, bool))], 2.5, torch.float64)
    sides, n_pairs = sides_of(few), len(few.pairs.centre)
    assert (few.pairs.centre == few.pairs.neighbour).any()
    given = [tensors["q"][:3], tensors["k"][:3], tensors["w"][:n_pairs], tensors["a"][:n_pairs]]
    given = [tensor.clone().requires_grad_(True) for tensor in given]

    def both(q, k, w, a):
        return attention_scores(q, k, w, N_HEADS, sides), attention_sum(a, w, k, sides)

    assert torch.autograd.gradcheck(both, given)
    assert torch.autograd.gradgradcheck(both, given)


def test_ends_of_directed_edges(graph):
    sides, generator = edge_sides(graph), torch.Generator().manual_seed(1)
    values = torch.randn(graph.n_edges, 3, generator=generator, dtype=torch.float64)
    for side, end in zip(sides, graph.edge_index, strict=True):
        expected = torch.zeros(graph.n_atoms, 3, dtype=torch.float64).index_add(0, end, values)
        torch.testing.assert_close(total(values, side), expected)
        torch.testing.assert_close(gather(expected, side), expected[end])
