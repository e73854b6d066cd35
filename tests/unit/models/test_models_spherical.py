"""Functions of three and four atoms against SciPy and against plain sums."""

import math

import numpy as np
import pytest
import scipy.spatial
import scipy.special
import torch

from gpip.config.backbones import GemNetSettings, SphereNetSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import make_potential
from gpip.models.backbones.gemnet import angular_sums
from gpip.models.backbones.spherenet import SphereNet
from gpip.models.blocks.edge_rows import EdgeRows
from gpip.models.blocks.spherical import (
    SphericalBesselBasis,
    bessel_zeros,
    frames_along,
    polynomial_envelope,
    real_harmonics,
    spherical_bessel,
)

DOUBLE = torch.float64
SETTINGS = {
    "gemnet": GemNetSettings(
        model="gemnet",
        n_layers=2,
        n_features=8,
        **{f"n_{part}_features": 6 for part in ("edge", "triplet", "bilinear", "rbf", "cbf")},
    ),
    "spherenet": SphereNetSettings(
        model="spherenet",
        n_layers=2,
        n_features=8,
        **{f"n_{part}_features": 6 for part in ("triplet", "basis", "output")},
    ),
}


def small_cell(n_atoms=4, cutoff_angstrom=4.0, seed=3):
    """A graph in which atoms see several images of each other and of themselves."""
    generator = np.random.default_rng(seed)
    cell = np.diag([3.0, 3.4, 3.8])
    frame = Frame(np.full(n_atoms, 8), generator.uniform(0, 3, (n_atoms, 3)), cell, np.ones(3, bool))
    return graph_from_frames([frame], cutoff_angstrom, DOUBLE)


def directions(n, seed=0):
    vectors = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3)))
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_spherical_bessel_functions_equal_scipy():
    x = torch.linspace(0.5, 40.0, 50)
    for order, values in enumerate(spherical_bessel(x, 7)):
        np.testing.assert_allclose(values, scipy.special.spherical_jn(order, x.double()), rtol=0, atol=1e-9)


def test_zeros_are_the_first_of_each_order():
    zeros = bessel_zeros(7, 6)
    fine = np.linspace(1e-3, float(zeros.max()) + 1.0, 200_000)
    for order in range(7):
        values = scipy.special.spherical_jn(order, fine)
        crossings = fine[1:][np.diff(np.sign(values)) != 0][:6]
        np.testing.assert_allclose(zeros[order], crossings, rtol=0, atol=1e-3)
        np.testing.assert_allclose(scipy.special.spherical_jn(order, zeros[order]), 0, rtol=0, atol=1e-14)


def test_bessel_basis_is_orthonormal_in_a_sphere():
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(100))
    scaled, weights = (nodes + 1) / 2, weights / 2
    values = SphericalBesselBasis(4, 5, 6.0)(6.0 * scaled)
    overlaps = torch.einsum("xln,xlm,x->lnm", values, values, weights * scaled**2)
    torch.testing.assert_close(overlaps, torch.eye(5, dtype=DOUBLE).expand(4, 5, 5), rtol=0, atol=1e-8)


def test_real_harmonics_equal_scipy():
    unit = directions(30)
    polar, azimuth = torch.arccos(unit[:, 2]).numpy(), torch.atan2(unit[:, 1], unit[:, 0]).numpy()
    for degree, values in enumerate(real_harmonics(unit, 7)):
        expected = [scipy.special.sph_harm_y(degree, 0, polar, azimuth).real]
        for m in range(1, degree + 1):
            complex_valued = math.sqrt(2.0) * scipy.special.sph_harm_y(degree, m, polar, azimuth)
            expected += [complex_valued.real, complex_valued.imag]
        np.testing.assert_allclose(values.T, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("exponent", [5, 6])
def test_envelope_ends_with_two_derivatives(exponent):
    def curvature(x):
        return torch.func.vmap(torch.func.grad(torch.func.grad(lambda x: polynomial_envelope(x, exponent))))(x)

    x = torch.tensor([0.0, 0.5, 1 - 1e-9, 1.0, 1.5], dtype=DOUBLE)
    values = polynomial_envelope(x, exponent)
    assert values[0] == 1
    assert 0 < values[1] < 1
    torch.testing.assert_close(values[2:], torch.zeros(3, dtype=DOUBLE), rtol=0, atol=1e-12)
    torch.testing.assert_close(curvature(x)[2:], torch.zeros(3, dtype=DOUBLE), rtol=0, atol=1e-5)


def test_frames_are_right_handed():
    third = torch.cat([directions(20), torch.eye(3, dtype=DOUBLE), -torch.eye(3, dtype=DOUBLE)])
    frames = torch.stack([*frames_along(third), third], 1)
    torch.testing.assert_close(frames @ frames.transpose(1, 2), torch.eye(3, dtype=DOUBLE).expand(26, 3, 3))
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(26, dtype=DOUBLE))


def test_sums_over_triplets_equal_the_sum_one_by_one():
    graph, generator = small_cell(), torch.Generator().manual_seed(0)
    edge_rows, vectors = EdgeRows(graph), graph.edge_vectors()
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    x = torch.randn(graph.n_edges, 3, generator=generator, dtype=DOUBLE)
    given = angular_sums(x, real_harmonics(edge_rows.rows(unit), 5), edge_rows)
    expected = torch.zeros_like(given)
    for edge, centre in enumerate(graph.edge_index[0].tolist()):
        for other in torch.nonzero(graph.edge_index[0] == centre).squeeze(1).tolist():
            if other != edge:
                cosine = (unit[edge] @ unit[other]).clamp(-1, 1).item()
                for degree in range(5):
                    factor = float(scipy.special.sph_harm_y(degree, 0, math.acos(cosine), 0.0).real)
                    expected[edge, degree] += factor * x[other]
    torch.testing.assert_close(given, expected)


def test_slots_hold_each_edge_once():
    graph = small_cell()
    edge_rows, number = EdgeRows(graph), torch.arange(1.0, graph.n_edges + 1)
    rows = edge_rows.rows(number)
    assert rows.shape == (graph.n_atoms, int(torch.bincount(graph.edge_index[0]).max()))
    assert sorted(rows[rows > 0].tolist()) == number.tolist()
    assert torch.equal(edge_rows.edges(rows), number)
    n_edges = torch.bincount(graph.edge_index[0])
    assert edge_rows.others().sum() == (n_edges * (n_edges - 1)).sum()


def test_smooth_torsion_equals_the_sum_over_quadruplets():
    graph = small_cell()
    backbone = SphereNet(**SETTINGS["spherenet"].model_dump(exclude={"model", "preset", "repulsion"})).double()
    angular = backbone._geometry(graph).angular.unflatten(2, (-1, 3, 6))
    edge_rows, vectors = EdgeRows(graph), graph.edge_vectors()
    distance = vectors.norm(dim=1)
    unit, weight = vectors / distance[:, None], polynomial_envelope(distance / 5.0, 5)
    generator = np.random.default_rng(0)
    for edge in generator.choice(graph.n_edges, 5, replace=False):
        atom, slot = divmod(int(edge_rows.slot[edge]), edge_rows.n_slots)
        beside = [int(e) for e in torch.nonzero(graph.edge_index[0] == atom).squeeze(1) if e != edge]
        across = {e: unit[e] - (unit[e] @ unit[edge]) * unit[edge] for e in beside}
        norm = math.sqrt(1 + sum(weight[e].item() ** 2 for e in beside))
        for k in generator.choice(beside, 5):
            cosine = (unit[k] @ unit[edge]).item()
            expected = []
            for degree in range(3):
                for m in range(degree + 1):
                    if m == 0:
                        expected.append(scipy.special.sph_harm_y(degree, 0, math.acos(cosine), 0).real)
                        continue
                    total = 0.0
                    for q in beside:
                        turn = torch.atan2(
                            torch.linalg.cross(across[q], across[k]) @ unit[edge], across[q] @ across[k]
                        ).item()
                        total += weight[q].item() * across[q].norm().item() ** m * math.cos(m * turn)
                    harmonic = scipy.special.sph_harm_y(degree, m, math.acos(cosine), 0).real
                    expected.append(math.sqrt(2) * harmonic * total / norm)
            given = angular[atom, slot, int(edge_rows.slot[k]) % edge_rows.n_slots]
            angle = [scipy.special.sph_harm_y(degree, 0, math.acos(cosine), 0).real for degree in range(3)]
            np.testing.assert_allclose(given.detach(), np.outer(angle, expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("model", SETTINGS)
def test_atoms_in_line_have_finite_forces_and_second_derivatives(model):
    potential = make_potential(SETTINGS[model], seed=1).double()
    line = np.array([[0, 0, 0], [1.0, 0, 0], [2.1, 0, 0], [3.3, 0, 0], [1.0, 1.1, 0]])
    frame = Frame(np.array([8, 6, 6, 1, 1]), line, np.zeros((3, 3)), np.zeros(3, bool))
    result = potential.train()(graph_from_frames([frame], 5.0, DOUBLE))
    result["forces"].square().sum().backward()
    assert torch.isfinite(result["forces"]).all()
    assert all(
        torch.isfinite(parameter.grad).all() for parameter in potential.parameters() if parameter.grad is not None
    )
    straight = result["forces"].detach()
    bent = line + np.random.default_rng(0).normal(0, 1e-7, line.shape)
    frame = Frame(frame.species, bent, frame.cell, frame.pbc)
    nearly = potential(graph_from_frames([frame], 5.0, DOUBLE))["forces"].detach()
    torch.testing.assert_close(nearly, straight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("model", SETTINGS)
def test_a_neighbour_of_a_neighbour_enters_smoothly(model):
    """The fourth atom crosses the cutoff of the second, where it changes triplets and torsions."""
    potential = make_potential(SETTINGS[model], seed=1).double().eval()

    def forces(distance):
        positions = np.array([[1.0, 0.4, 0.2], [0, 0, 0], [0.3, 1.1, 0], [-0.2, -0.9, 0.5], [-distance, 0, 0.0]])
        frame = Frame(np.array([1, 8, 1, 6, 1]), positions, np.zeros((3, 3)), np.zeros(3, bool))
        return potential(graph_from_frames([frame], 5.0, DOUBLE))["forces"]

    for gap in (1e-2, 1e-4, 1e-6):
        change = (forces(5.0 - gap) - forces(5.0 + gap)).abs().max().item()
        assert change < 0.5 * gap
    assert (forces(4.0) - forces(5.5)).abs().max() > 1e-4


def test_torsion_of_dig_jumps_and_tells_mirror_images_apart():
    settings = SETTINGS["spherenet"].model_copy(update={"torsion": "dig"})
    potential = make_potential(settings, seed=1).double().eval()
    positions = np.array([[1.0, 0.4, 0.2], [0, 0, 0], [0.3, 1.1, 0], [-0.2, -0.9, 0.5], [-3.0, 0.2, 0.0]])

    def energy(positions):
        frame = Frame(np.array([1, 8, 1, 6, 7]), positions, np.zeros((3, 3)), np.zeros(3, bool))
        return potential(graph_from_frames([frame], 5.0, DOUBLE))["energy"].item()

    assert abs(energy(positions) - energy(positions * [1, 1, -1])) > 1e-6
    rotated = positions @ scipy.spatial.transform.Rotation.from_rotvec([0.3, 1.0, -0.4]).as_matrix()
    assert energy(rotated) == pytest.approx(energy(positions), abs=1e-9)
