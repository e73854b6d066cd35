"""SchNet against the independent implementation in PyTorch Geometric."""

import numpy as np
import pytest
import torch

from gpip.config.backbones import SchNetSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import forces_from_energy, make_potential
from gpip.models.backbones import schnet as schnet_module
from gpip.models.backbones.schnet import ShiftedSoftplus

SETTINGS = SchNetSettings(model="schnet", n_layers=3, n_features=16, n_radial=12, cutoff_angstrom=5.0)
SPECIES = np.array([6, 8, 1, 1, 7, 1])


def test_shifted_softplus():
    x = torch.tensor([-50.0, 0.0, 1.0, 50.0], dtype=torch.float64)
    expected = torch.log(0.5 * torch.exp(x) + 0.5)
    torch.testing.assert_close(ShiftedSoftplus()(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("times", "tolerance"), [(1, 1e-5), (8, 1e-7)])
def test_energies_and_forces_of_pytorch_geometric(times, tolerance, monkeypatch):
    """With finer splines of the filters they come closer."""
    monkeypatch.setattr(schnet_module, "BINS_PER_GAUSSIAN", schnet_module.BINS_PER_GAUSSIAN * times)
    schnet = pytest.importorskip("torch_geometric.nn.models.schnet", reason="torch-geometric is not installed")
    positions = np.random.default_rng(0).uniform(-2, 2, (len(SPECIES), 3))
    graph = graph_from_frames(
        [Frame(SPECIES, positions, np.zeros((3, 3)), np.zeros(3, bool))],
        SETTINGS.cutoff_angstrom,
        torch.float64,
    )
    potential = make_potential(SETTINGS, seed=1).double()
    backbone = potential.backbone

    def edges(pos, _batch):
        centre, neighbour = graph.edge_index
        return torch.stack([neighbour, centre]), (pos[neighbour] - pos[centre]).norm(dim=1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other = schnet.SchNet(
            hidden_channels=16,
            num_filters=16,
            num_interactions=3,
            num_gaussians=12,
            cutoff=SETTINGS.cutoff_angstrom,
            interaction_graph=edges,
        ).double()
    with torch.no_grad():
        other.embedding.weight[:95] = backbone.embedding.weight
        for theirs, ours in zip(other.interactions, backbone.interactions, strict=True):
            theirs.mlp.load_state_dict(ours.filter.network.state_dict())
            theirs.conv.lin1.load_state_dict(ours.before.state_dict())
            theirs.conv.lin2.load_state_dict(ours.after[0].state_dict())
            theirs.lin.load_state_dict(ours.after[2].state_dict())

    def theirs_energy(pos):
        return other(torch.from_numpy(SPECIES), pos)

    def ours_energy(pos):
        scalars = backbone(graph.replace(positions=pos)).scalars
        # Their read-out on our features.
        return other.lin2(other.act(other.lin1(scalars))).sum(0, keepdim=True)

    results = []
    for energy_of in (theirs_energy, ours_energy):
        leaf = torch.from_numpy(positions).requires_grad_(True)
        energy = energy_of(leaf)
        results.append((energy.detach(), forces_from_energy(energy, leaf, create_graph=False)))
    (their_energy, their_forces), (our_energy, our_forces) = results
    assert their_forces.abs().max() > 1e-3
    for ours, theirs in ((our_energy, their_energy), (our_forces, their_forces)):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * theirs.abs().max().item())
