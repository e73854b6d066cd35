"""Splines of the distance against the networks that they tabulate."""

import importlib

import pytest
import torch
from torch import nn

from gpip.config.backbones import BackboneSettings, ETSettings, PaiNNSettings, SchNetSettings, SE3TransformerSettings
from gpip.graphs import graph_from_frames
from gpip.models import make_potential
from gpip.models.backbones.schnet import BINS_PER_GAUSSIAN, ShiftedSoftplus
from gpip.models.blocks.radial import GaussianBasis, cosine_cutoff
from gpip.models.blocks.splines import RadialFilter, SplineBins, TableCache, interpolate

CUTOFF = 5.0
DOUBLE = torch.float64


@pytest.mark.parametrize("n_radial", [20, 50])
@pytest.mark.parametrize(("dtype", "error", "slope_error"), [(DOUBLE, 2e-7, 2e-6), (torch.float32, 4e-7, 1e-5)])
def test_error_of_the_spline(n_radial, dtype, error, slope_error):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(n_radial, 16), ShiftedSoftplus(), nn.Linear(16, 16)).double()
    basis = GaussianBasis(n_radial, CUTOFF).double()
    n_bins = BINS_PER_GAUSSIAN * n_radial
    distance = torch.linspace(0.01, CUTOFF - 1e-6, 3001, dtype=DOUBLE, requires_grad=True)
    expected = network(basis(distance)) * cosine_cutoff(distance, CUTOFF)[:, None]
    (expected_slope,) = torch.autograd.grad(expected.sum(), distance)
    radial_filter = RadialFilter(basis, network, CUTOFF, n_bins).to(dtype)
    given_at = distance.detach().to(dtype).requires_grad_(True)
    given = radial_filter(SplineBins(given_at, CUTOFF, n_bins))
    (slope,) = torch.autograd.grad(given.sum(), given_at)
    assert given.dtype == dtype
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(given.double(), expected, rtol=0, atol=error)
    torch.testing.assert_close(slope.double() / 16, expected_slope / 16, rtol=0, atol=slope_error)


def test_zero_beyond_the_cutoff():
    distance = torch.tensor([5.0, 5.5, 80.0], requires_grad=True)
    values = interpolate(torch.ones(15, 2, dtype=DOUBLE), SplineBins(distance, CUTOFF, 10))
    assert (values == 0).all()
    assert (torch.autograd.grad(values.sum(), distance)[0] == 0).all()


def test_constant_and_straight_line_are_exact():
    distance = torch.tensor([0.1, 2.0, 4.9], dtype=DOUBLE, requires_grad=True)
    nodes = torch.arange(-2, 13, dtype=DOUBLE)[:, None] * 0.5
    line = interpolate(3 * nodes + 1, SplineBins(distance, CUTOFF, 10))
    torch.testing.assert_close(line[:, 0], 3 * distance + 1)
    torch.testing.assert_close(torch.autograd.grad(line.sum(), distance)[0], torch.full((3,), 3.0, dtype=DOUBLE))


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_derivatives(order):
    generator = torch.Generator().manual_seed(0)
    distance = (torch.rand(6, dtype=DOUBLE, generator=generator) * CUTOFF).requires_grad_(True)
    coefficients = torch.randn(15, 2, dtype=DOUBLE, generator=generator, requires_grad=True)

    def of(coefficients, distance):
        return interpolate(coefficients, SplineBins(distance, CUTOFF, 10), order)

    assert torch.autograd.gradcheck(of, (coefficients, distance))
    if order < 2:
        assert torch.autograd.gradgradcheck(of, (coefficients, distance))


def test_tables_are_kept_until_a_weight_changes():
    layer, made, kept = nn.Linear(2, 3), [], TableCache()

    def make():
        made.append(1)
        return (2 * layer.weight,)

    def tables():
        return kept(list(layer.parameters()), make)[0]

    assert tables().requires_grad
    assert tables().requires_grad
    assert len(made) == 2, "made anew for every step of training"
    layer.requires_grad_(False)
    before = tables().clone()
    assert tables() is tables()
    assert len(made) == 3
    layer.weight.fill_(0.5)
    torch.testing.assert_close(tables(), torch.ones(3, 2))
    layer.weight = nn.Parameter(torch.zeros(3, 2), requires_grad=False)
    torch.testing.assert_close(tables(), torch.zeros(3, 2))
    layer.double()
    assert tables().dtype == DOUBLE
    assert len(made) == 6
    assert not torch.equal(before, torch.ones(3, 2))
    with torch.no_grad():
        layer.requires_grad_(True)
        assert not tables().requires_grad


@pytest.mark.parametrize(
    ("settings", "constants"),
    [
        (SchNetSettings(model="schnet"), ["schnet.BINS_PER_GAUSSIAN"]),
        (SchNetSettings(model="schnet", preset="gpip-md17"), ["schnet.BINS_PER_GAUSSIAN"]),
        (PaiNNSettings(model="painn"), ["painn.BINS_PER_WAVE"]),
        (ETSettings(model="et"), ["et.BINS_PER_RADIAL"]),
        (SE3TransformerSettings(model="se3_transformer"), ["se3_transformer.BINS_PER_RADIAL"]),
        (
            SE3TransformerSettings(model="se3_transformer", preset="wang-ani"),
            ["se3_transformer.BINS_PER_RADIAL", "se3_transformer.LEAST_BINS"],
        ),
    ],
    ids=lambda value: f"{value.model} {value.preset or ''}" if isinstance(value, BackboneSettings) else "",
)
def test_finer_splines_change_forces_little(settings, constants, water_frames, monkeypatch):
    """Of the networks as they begin, of the sizes that are used."""
    graph = graph_from_frames(water_frames[:1], settings.cutoff_angstrom, DOUBLE)
    forces = []
    for times in (1, 8):
        for constant in constants if times > 1 else ():
            module, _, name = constant.partition(".")
            module = importlib.import_module(f"gpip.models.backbones.{module}")
            monkeypatch.setattr(module, name, times * getattr(module, name))
        forces.append(make_potential(settings, seed=1).double()(graph)["forces"].detach())
    assert not torch.equal(*forces)
    assert (forces[0] - forces[1]).abs().max() < 1e-5 * forces[1].abs().max()
