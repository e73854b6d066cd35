"""Radial functions, norms, ends of edges and heads."""

import math

import torch
from scipy.spatial.transform import Rotation

from gpip.graphs import graph_from_frames
from gpip.models.blocks.heads import EnergyHead, VectorReadout
from gpip.models.blocks.messages import edge_sides, gather, total
from gpip.models.blocks.norms import smooth_norm
from gpip.models.blocks.radial import BesselBasis, GaussianBasis, cosine_cutoff

DOUBLE = torch.float64


def test_cosine_cutoff():
    given = cosine_cutoff(torch.tensor([0.0, 2.5, 5.0, 7.0], dtype=DOUBLE), 5.0)
    torch.testing.assert_close(given, torch.tensor([1.0, 0.5, 0.0, 0.0], dtype=DOUBLE), rtol=0, atol=1e-15)


def test_gaussians_peak_at_their_centres():
    values = GaussianBasis(6, 5.0).double()(torch.arange(6, dtype=DOUBLE))
    torch.testing.assert_close(values.diagonal(), torch.ones(6, dtype=DOUBLE))
    torch.testing.assert_close(values[1, 0], torch.tensor(math.exp(-0.5), dtype=DOUBLE))


def test_bessel_functions_vanish_at_the_cutoff():
    values = BesselBasis(4, 5.0).double()(torch.tensor([2.5, 5.0], dtype=DOUBLE))
    torch.testing.assert_close(values[0], torch.tensor([1.0, 0, -1, 0], dtype=DOUBLE) / 2.5, rtol=0, atol=1e-6)
    torch.testing.assert_close(values[1], torch.zeros(4, dtype=DOUBLE), rtol=0, atol=1e-6)


def test_norm_is_smooth_at_zero():
    vectors = torch.zeros(2, 3, 4, requires_grad=True)
    norm = smooth_norm(vectors)
    assert (norm < 1e-10).all()
    (slope,) = torch.autograd.grad(norm.sum(), vectors, create_graph=True)
    assert (slope == 0).all()
    slope.sum().backward()
    assert torch.isfinite(vectors.grad).all()
    vectors = torch.randn(2, 3, 4, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(smooth_norm(vectors), vectors.norm(dim=1), rtol=0, atol=2e-4)


def test_ends_of_directed_edges(water_frames):
    graph = graph_from_frames(water_frames[:2], 2.5, DOUBLE)
    values = torch.randn(graph.n_edges, 3, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    for side, end in zip(edge_sides(graph), graph.edge_index, strict=True):
        expected = torch.zeros(graph.n_atoms, 3, dtype=DOUBLE).index_add(0, end, values)
        torch.testing.assert_close(total(values, side), expected)
        torch.testing.assert_close(gather(expected, side), expected[end])


def test_energy_head_gives_one_number_per_atom():
    assert EnergyHead(8)(torch.zeros(5, 8)).shape == (5,)


def test_vector_readout_turns_with_its_input():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        readout = VectorReadout(8).double()
        scalars, vectors = torch.randn(5, 8, dtype=DOUBLE), torch.randn(5, 3, 8, dtype=DOUBLE)
    rotation = torch.from_numpy(Rotation.from_euler("xyz", [0.3, 1.0, -0.4]).as_matrix())
    given = readout(scalars, torch.einsum("axf,xy->ayf", vectors, rotation))
    torch.testing.assert_close(given, readout(scalars, vectors) @ rotation)
    assert given.shape == (5, 3)
    assert (readout(scalars, torch.zeros_like(vectors)) == 0).all()
