"""Clebsch-Gordan coefficients and what the settings of the SE(3)-Transformer mean."""

import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from gpip.config.backbones import SE3TransformerSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import make_potential
from gpip.models.backbones.se3_transformer import Kernels
from gpip.models.blocks.clebsch_gordan import clebsch_gordan
from gpip.models.blocks.spherical import real_harmonics

TRIPLES = [(a, b, c) for a, b in itertools.product(range(4), repeat=2) for c in range(abs(a - b), a + b + 1)]
SMALL = {"n_layers": 2, "n_features": 8, "n_channels": 4, "division": 2, "cutoff_angstrom": 4.0}


def directions(n, seed=0):
    vectors = torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3)))
    return vectors / vectors.norm(dim=1, keepdim=True)


def test_products_of_harmonics_turn_like_harmonics():
    points = directions(100)
    turn = torch.from_numpy(Rotation.random(rng=np.random.default_rng(1)).as_matrix())
    pairs = zip(real_harmonics(points, 7), real_harmonics(points @ turn.T, 7), strict=True)
    turns = [torch.linalg.lstsq(before, after).solution.T.numpy() for before, after in pairs]
    for a, b, c in TRIPLES:
        given = clebsch_gordan(a, b, c)
        assert np.linalg.norm(given) == pytest.approx(1.0)
        after = np.einsum("mab,ac,bd->mcd", given, turns[a], turns[b])
        np.testing.assert_allclose(after, np.einsum("mn,nab->mab", turns[c], given), atol=1e-12)


def test_known_coefficients():
    """One and one: the dot product and, in the order z, x, y of the harmonics up to their signs, the cross product."""
    np.testing.assert_allclose(np.abs(clebsch_gordan(1, 1, 0)[0]), np.eye(3) / np.sqrt(3), atol=1e-14)
    cross = clebsch_gordan(1, 1, 1)
    np.testing.assert_allclose(cross, -cross.transpose(0, 2, 1), atol=1e-14)
    assert np.count_nonzero(np.abs(cross) > 1e-12) == 6


def test_kernels_keep_the_variance_of_an_entry():
    kernels = Kernels(4, pseudotensors=True).double()
    unit = directions(20000, seed=3)
    for degree_in, values in enumerate(kernels(unit)):
        first = 0
        for degree_out, degrees in enumerate(kernels.degrees[degree_in]):
            for _ in degrees:
                part = values[:, :, first : first + 2 * degree_out + 1]
                assert part.square().sum(1).mean().item() == pytest.approx(1.0, rel=0.03)
                first += 2 * degree_out + 1
        assert first == values.shape[2]


def energy(frame, **settings):
    made = SE3TransformerSettings(model="se3_transformer", **SMALL | settings)
    potential = make_potential(made, seed=1).double().eval()
    return potential(graph_from_frames([frame], 4.0, torch.float64), compute_forces=False)["energy"].item()


def test_pseudotensors_tell_mirror_images_apart():
    positions = np.random.default_rng(2).normal(size=(6, 3)) * 1.3
    made = [Frame([6, 1, 7, 8, 9, 1], each, np.zeros((3, 3)), np.zeros(3, bool)) for each in (positions, -positions)]
    assert energy(made[0]) == pytest.approx(energy(made[1]), abs=1e-10)
    left, right = (energy(frame, pseudotensors=True) for frame in made)
    assert abs(left - right) > 1e-5


@pytest.mark.parametrize(("smooth", "jump"), [(True, False), (False, True)])
def test_the_last_neighbour_leaves_gradually(smooth, jump):
    def pair(distance):
        return Frame([8, 1], np.array([[0, 0, 0], [distance, 0, 0]]), np.zeros((3, 3)), np.zeros(3, bool))

    difference = abs(energy(pair(3.9999), smooth=smooth) - energy(pair(4.0001), smooth=smooth))
    assert (difference > 1e-3) == jump
    assert jump or difference < 1e-6


def test_attention_with_large_scores_is_finite():
    frame = Frame([8, 1, 1], np.array([[0, 0, 0], [0.9, 0, 0], [0, 1.1, 0]]), np.zeros((3, 3)), np.zeros(3, bool))
    potential = make_potential(SE3TransformerSettings(model="se3_transformer", **SMALL), seed=1)
    with torch.no_grad():
        for attention in potential.backbone.attentions:
            for query in attention.query:
                query.mul_(1e4)
    result = potential(graph_from_frames([frame], 4.0))
    assert torch.isfinite(result["energy"]).all()
    assert torch.isfinite(result["forces"]).all()


def test_heads_share_channels_equally():
    with pytest.raises(ValidationError, match="cannot be shared equally by 3 heads"):
        SE3TransformerSettings(model="se3_transformer", n_heads=3)
    for preset in SE3TransformerSettings.presets:
        assert SE3TransformerSettings(model="se3_transformer", preset=preset).n_degrees == 4
