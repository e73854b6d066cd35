"""Losses of energies and forces against numbers by hand."""

import numpy as np
import pytest
import torch

from gpip.config.backbones import SchNetSettings
from gpip.graphs.batching import graph_from_frames
from gpip.models import make_potential
from gpip.training.losses import energy_loss, force_loss
from gpip.training.supervised import EnergyForceObjective, losses_of, predict


def test_force_loss_is_the_mean_square_norm_over_the_atoms_of_each_graph(water_frames):
    graph = graph_from_frames(water_frames[:2], 3.0)
    reference = torch.zeros(graph.n_atoms, 3)
    predicted = torch.zeros(graph.n_atoms, 3)
    predicted[0] = torch.tensor([1.0, 2.0, 2.0])  # |F|² = 9 on one of 24 atoms of one of two graphs
    assert force_loss(predicted, reference, graph.atoms_per_graph).item() == pytest.approx(9 / 24 / 2)
    absolute = force_loss(predicted, reference, graph.atoms_per_graph, "absolute")
    assert absolute.item() == pytest.approx(3 / 24 / 2, abs=1e-5)


def test_graphs_count_alike_whatever_their_size():
    reference, predicted = torch.zeros(5, 3), torch.zeros(5, 3)
    predicted[0, 0], predicted[1:, 1] = 3.0, -1.0
    sizes = torch.tensor([1, 4])
    assert force_loss(predicted, reference, sizes).item() == pytest.approx((9 + 1) / 2)
    assert force_loss(predicted, reference, sizes, "absolute").item() == pytest.approx((3 + 1) / 2)


def test_exact_forces_have_a_finite_slope():
    predicted = torch.zeros(2, 3, requires_grad=True)
    force_loss(predicted, torch.zeros(2, 3), torch.tensor([2]), "absolute").backward()
    assert not predicted.grad.any()


def test_energy_loss_keeps_small_differences_of_large_energies():
    predicted = torch.tensor([-30000.001, -29999.0], dtype=torch.float64)
    reference = torch.tensor([-30000.0, -29999.0], dtype=torch.float64)
    np.testing.assert_allclose(energy_loss(predicted, reference).item(), 0.5e-6, rtol=1e-4)
    np.testing.assert_allclose(energy_loss(predicted, reference, "absolute").item(), 0.5e-3, rtol=1e-4)


@pytest.mark.parametrize("kind", ["squared", "absolute"])
def test_validation_has_the_losses_of_training(water_frames, kind):
    potential = make_potential(
        SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6, cutoff_angstrom=3.0)
    )
    trained = EnergyForceObjective(potential, water_frames, 1.0, 100.0, "test", kind)
    expected = {name: loss.item() for name, loss in trained.losses(np.arange(len(water_frames)), 0).items()}
    predicted = predict(potential, water_frames)
    assert losses_of(water_frames, *predicted, kind, "test") == pytest.approx(expected, rel=1e-5)
