"""What every backbone must obey. A new one subscribes by one line in SETTINGS."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from gpip.config.backbones import (
    MODELS,
    EGNNSettings,
    ETSettings,
    GemNetSettings,
    PaiNNSettings,
    SchNetSettings,
    SE3TransformerSettings,
    SphereNetSettings,
)
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import load_potential, make_potential, save_potential
from gpip.models.registry import BACKBONES

CUTOFF = 4.0
SIZE = {"n_layers": 2, "n_features": 8, "cutoff_angstrom": CUTOFF}
SMALL_GEMNET = {f"n_{part}_features": 6 for part in ("edge", "triplet", "bilinear", "rbf", "cbf")}
SMALL_SPHERENET = {f"n_{part}_features": 6 for part in ("triplet", "basis", "output")}
SETTINGS = {
    "schnet": SchNetSettings(model="schnet", n_radial=8, **SIZE),
    "painn": PaiNNSettings(model="painn", n_radial=8, **SIZE),
    "gemnet": GemNetSettings(model="gemnet", n_radial=8, n_spherical=4, **SIZE, **SMALL_GEMNET),
    "spherenet": SphereNetSettings(model="spherenet", n_radial=8, **SIZE, **SMALL_SPHERENET),
    "egnn": EGNNSettings(model="egnn", n_radial=8, **SIZE),
    "et": ETSettings(model="et", n_radial=8, n_heads=2, **SIZE),
    "se3_transformer": SE3TransformerSettings(model="se3_transformer", n_channels=4, division=2, n_radial=8, **SIZE),
}
SMALL_SE3 = {"n_channels": 4, "division": 2}
VARIANTS = {
    "painn with repulsion": SETTINGS["painn"].model_copy(update={"repulsion": "zbl"}),
    "gemnet with repulsion": SETTINGS["gemnet"].model_copy(update={"repulsion": "zbl"}),
    "egnn paper": EGNNSettings(model="egnn", preset="wang-ani", **SIZE),
    "se3_transformer paper": SE3TransformerSettings(model="se3_transformer", preset="wang-ani", **SIZE, **SMALL_SE3),
}
SKEWED = np.array([[6.0, 0, 0], [2.5, 5.0, 0], [-1.0, 1.5, 5.5]])
SMALL = np.diag([3.0, 3.4, 3.8])
DOUBLE = torch.float64


def test_every_registered_backbone_is_here():
    assert set(SETTINGS) == set(BACKBONES) == set(MODELS)


@pytest.fixture(params=SETTINGS | VARIANTS)
def settings(request):
    return (SETTINGS | VARIANTS)[request.param]


@pytest.fixture
def potential(settings):
    potential = make_potential(settings, seed=7).double().eval()
    potential.set_reference_energies({1: -13.6, 6: -1030.0, 8: -2041.3})
    return potential


def molecule(seed=0, n_atoms=7):
    """Atoms about 1.3 Å apart, no box."""
    rng = np.random.default_rng(seed)
    grid = np.array([[x, y, z] for x in range(3) for y in range(3) for z in range(3)], float)
    positions = 1.4 * rng.permutation(grid)[:n_atoms] + rng.normal(0, 0.1, (n_atoms, 3))
    return Frame(rng.choice([1, 6, 8], n_atoms), positions, np.zeros((3, 3)), np.zeros(3, bool))


def crystal(cell=SKEWED, n_atoms=6, seed=0):
    rng = np.random.default_rng(seed)
    fractions = rng.permutation(np.indices((2, 2, 2)).reshape(3, 8).T)[:n_atoms] / 2
    positions = (fractions + rng.uniform(-0.05, 0.05, (n_atoms, 3))) @ cell
    return Frame(rng.choice([1, 6, 8], n_atoms), positions, cell, np.ones(3, bool))


FRAMES = {"molecule": molecule(), "crystal": crystal(), "small cell": crystal(SMALL, 3)}


@pytest.fixture(params=FRAMES)
def frame(request):
    return FRAMES[request.param]


def changed(frame, **changes):
    fields = {name: getattr(frame, name) for name in ("species", "positions", "cell", "pbc")}
    return Frame(**fields | changes)


def evaluate(potential, *frames, stress=False):
    return potential(graph_from_frames(frames, CUTOFF, DOUBLE), compute_stress=stress)


def displacement_loss(potential, graph):
    """What reaches the parameters that move atoms after the last message, where a backbone has such."""
    displacement = potential.features(graph).displacement
    return 0.0 if displacement is None else 1e4 * displacement.square().sum()


def features(potential, frame):
    with torch.no_grad():
        return potential.features(graph_from_frames([frame], CUTOFF, DOUBLE))


def assert_same(given, expected, atol=1e-9):
    torch.testing.assert_close(torch.as_tensor(given), torch.as_tensor(expected), rtol=0, atol=atol)


def test_forces_are_there_to_be_tested(potential, frame):
    assert evaluate(potential, frame)["forces"].abs().max() > 1e-3


def test_rotation_and_reflection(potential, frame):
    for matrix in (Rotation.random(rng=np.random.default_rng(1)).as_matrix(), np.diag([1.0, -1.0, 1.0])):
        turned = changed(frame, positions=frame.positions @ matrix, cell=frame.cell @ matrix)
        before, after = evaluate(potential, frame), evaluate(potential, turned)
        assert_same(after["energy"], before["energy"])
        assert_same(after["forces"], before["forces"] @ torch.from_numpy(matrix))
        before, after = features(potential, frame), features(potential, turned)
        assert_same(after.scalars, before.scalars)
        if before.vectors is not None:
            assert before.vectors.abs().max() > 1e-3
            assert_same(after.vectors, torch.einsum("axf,xy->ayf", before.vectors, torch.from_numpy(matrix)))
        if before.displacement is not None:
            assert before.displacement.abs().max() > 1e-6
            assert_same(after.displacement, before.displacement @ torch.from_numpy(matrix))


def test_stress_turns_with_the_cell(potential):
    frame, matrix = crystal(), Rotation.random(rng=np.random.default_rng(2)).as_matrix()
    turned = changed(frame, positions=frame.positions @ matrix, cell=frame.cell @ matrix)
    before, after = (evaluate(potential, each, stress=True)["stress"][0] for each in (frame, turned))
    assert_same(after, torch.from_numpy(matrix.T) @ before @ torch.from_numpy(matrix))
    assert_same(before, before.T)


def test_translation(potential, frame):
    moved = evaluate(potential, changed(frame, positions=frame.positions + np.array([0.3, -7.1, 11.9])))
    still = evaluate(potential, frame)
    assert_same(moved["energy"], still["energy"])
    assert_same(moved["forces"], still["forces"])
    assert_same(still["forces"].sum(0), torch.zeros(3, dtype=DOUBLE))


def test_permutation(potential, frame):
    order = np.random.default_rng(4).permutation(frame.n_atoms)
    other = evaluate(potential, changed(frame, species=frame.species[order], positions=frame.positions[order]))
    before = evaluate(potential, frame)
    assert_same(other["energy"], before["energy"])
    assert_same(other["forces"], before["forces"][order])


@pytest.mark.parametrize("cell", [SKEWED, SMALL], ids=["skewed", "small"])
def test_wrapping(potential, cell):
    frame = crystal(cell)
    images = np.random.default_rng(5).integers(-3, 4, (frame.n_atoms, 3))
    wrapped = evaluate(potential, changed(frame, positions=frame.positions + images @ cell), stress=True)
    before = evaluate(potential, frame, stress=True)
    for key in ("energy", "forces", "stress"):
        assert_same(wrapped[key], before[key])


@pytest.mark.parametrize("cell", [SKEWED, SMALL], ids=["skewed", "small"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_supercell_doubles(potential, cell, axis):
    frame = crystal(cell, 4)
    twice = cell.copy()
    twice[axis] *= 2
    supercell = changed(
        frame,
        species=np.tile(frame.species, 2),
        positions=np.concatenate([frame.positions, frame.positions + cell[axis]]),
        cell=twice,
    )
    one, two = evaluate(potential, frame, stress=True), evaluate(potential, supercell, stress=True)
    assert_same(two["energy"], 2 * one["energy"])
    assert_same(two["forces"], one["forces"].repeat(2, 1))
    assert_same(two["stress"], one["stress"])


def test_forces_are_the_slope_of_the_energy(potential, frame):
    forces, step = evaluate(potential, frame)["forces"], 1e-4
    for atom, axis in ((0, 0), (1, 1), (frame.n_atoms - 1, 2)):
        energies = []
        for sign in (1, -1):
            positions = frame.positions.copy()
            positions[atom, axis] += sign * step
            energies.append(evaluate(potential, changed(frame, positions=positions))["energy"].item())
        assert forces[atom, axis].item() == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("cell", [SKEWED, SMALL], ids=["skewed", "small"])
def test_stress_is_the_slope_of_the_energy_with_strain(potential, cell):
    frame, step = crystal(cell), 1e-4
    stress = evaluate(potential, frame, stress=True)["stress"][0]
    for row, column in ((0, 0), (1, 2), (2, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            strained = changed(frame, positions=frame.positions @ strain, cell=cell @ strain)
            energies.append(evaluate(potential, strained)["energy"].item())
        slope = (energies[0] - energies[1]) / (2 * step) / abs(np.linalg.det(cell))
        assert stress[row, column].item() == pytest.approx(slope, abs=1e-6)


def test_gradients_of_a_force_loss_are_its_slopes_with_the_weights(potential):
    """What training follows: the second derivatives that forces leave in the gradient of a weight."""
    graph = graph_from_frames([molecule(), crystal(SMALL, 3)], CUTOFF, DOUBLE)
    weights = list(potential.train().parameters())
    generator, step = torch.Generator().manual_seed(0), 1e-6
    directions = [torch.randn(weight.shape, generator=generator, dtype=DOUBLE) for weight in weights]
    targets = torch.randn(graph.n_atoms, 3, generator=generator, dtype=DOUBLE) * 0.1

    def loss():
        return (potential(graph)["forces"] - targets).square().sum()

    gradients = torch.autograd.grad(loss(), weights, allow_unused=True, materialize_grads=True)
    losses = []
    for times in (1, -2):
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight.add_(times * step * direction)
        losses.append(loss().item())
    slope = sum((g * d).sum().item() for g, d in zip(gradients, directions, strict=True))
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5)


def test_no_stress_without_a_box(potential):
    with pytest.raises(InputError, match="configuration 1 of the batch"):
        evaluate(potential, crystal(), molecule(), stress=True)


def test_energy_and_forces_are_smooth_at_the_cutoff(potential):
    def pair(distance):
        return Frame(np.array([8, 1]), np.array([[0, 0, 0], [distance, 0, 0]]), np.zeros((3, 3)), np.zeros(3, bool))

    apart = evaluate(potential, pair(CUTOFF + 1))["energy"]
    assert abs(evaluate(potential, pair(CUTOFF - 0.5))["energy"] - apart).item() > 1e-4
    for gap in (1e-3, -1e-3):
        near = evaluate(potential, pair(CUTOFF - gap))
        assert_same(near["energy"], apart, atol=1e-5)
        assert_same(near["forces"], torch.zeros(2, 3, dtype=DOUBLE), atol=5e-3)


def test_isolated_atom(potential):
    alone = Frame(np.array([8]), np.array([[1.0, 2, 3]]), np.zeros((3, 3)), np.zeros(3, bool))
    result = evaluate(potential.train(), alone)
    assert_same(result["forces"], torch.zeros(1, 3, dtype=DOUBLE), atol=0)
    (result["energy"].sum() + result["forces"].square().sum()).backward()
    gradients = [parameter.grad for parameter in potential.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_molecules_far_apart_add(potential):
    one, two = molecule(0), molecule(1, 5)
    both = changed(
        one,
        species=np.concatenate([one.species, two.species]),
        positions=np.concatenate([one.positions, two.positions + 50.0]),
    )
    first, second, together = (evaluate(potential, each) for each in (one, two, both))
    assert_same(together["energy"], first["energy"] + second["energy"])
    assert_same(together["forces"], torch.cat([first["forces"], second["forces"]]))


def test_batch_equals_singles(potential):
    frames = [crystal(), molecule(), crystal(SMALL, 3), molecule(3, 1)]
    together, singles = evaluate(potential, *frames), [evaluate(potential, each) for each in frames]
    for key in ("energy", "forces"):
        assert_same(together[key], torch.cat([each[key] for each in singles]))
    crystals = [crystal(), crystal(SMALL, 3)]
    together = evaluate(potential, *crystals, stress=True)["stress"]
    assert_same(together, torch.cat([evaluate(potential, each, stress=True)["stress"] for each in crystals]))


def test_gradients_of_a_force_loss_reach_every_parameter(potential, frame):
    graph = graph_from_frames([frame], CUTOFF, DOUBLE)
    (potential.train()(graph)["forces"].square().sum() + displacement_loss(potential, graph)).backward()
    # Only what is added to the energy whatever the positions, and rows of absent elements, may be flat.
    flat = [
        name
        for name, parameter in potential.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert flat in ([], ["energy_head.layers.2.bias"])
    rows = potential.backbone.embedding.weight.grad.abs().sum(1).nonzero().squeeze(1).tolist()
    assert rows == sorted(set(frame.species.tolist()))


def test_gradients_of_the_force_loss_are_its_slopes(potential):
    graph = graph_from_frames([molecule(n_atoms=4), crystal(SMALL, 2)], CUTOFF, DOUBLE)
    potential.train()

    def loss():
        result = potential(graph, compute_forces=True)
        force_loss = result["forces"].square().sum() + result["energy"].sum() * 1e-3
        return force_loss + displacement_loss(potential, graph)

    loss().backward()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in potential.named_parameters():
        direction = torch.randn(parameter.shape, generator=generator, dtype=DOUBLE)
        direction /= direction.norm()
        step = 1e-5
        losses = []
        for sign in (1, -2):
            with torch.no_grad():
                parameter += sign * step * direction
            losses.append(loss().item())
        with torch.no_grad():
            parameter += step * direction
        slope = (losses[0] - losses[1]) / (2 * step)
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, abs=1e-5, rel=1e-5), name


def test_masked_species_are_invisible(potential, frame):
    masked = np.array([0, frame.n_atoms - 1])
    other = changed(frame, species=np.where(np.isin(np.arange(frame.n_atoms), masked), 17, frame.species))
    seen = []
    for each in (frame, other):
        graph = graph_from_frames([each], CUTOFF, DOUBLE)
        species = graph.species.clone()
        species[masked] = 0
        seen.append(potential.features(graph.replace(species=species)))
        assert not torch.equal(seen[-1].scalars, potential.features(graph).scalars)
    assert_same(seen[0].scalars, seen[1].scalars, atol=0)
    if seen[0].vectors is not None:
        assert_same(seen[0].vectors, seen[1].vectors, atol=0)


def test_single_precision_is_close_to_double(potential, frame):
    expected = evaluate(potential, frame)
    single = potential.float()(graph_from_frames([frame], CUTOFF))
    assert single["energy"].dtype == DOUBLE
    assert single["forces"].dtype == torch.float32
    assert_same(single["energy"], expected["energy"], atol=1e-4)
    assert_same(single["forces"].double(), expected["forces"], atol=1e-4)


def test_save_and_load(potential, settings, frame, tmp_path):
    potential.energy_scale.fill_(0.25)
    save_potential(tmp_path / "model.ckpt", potential, settings, {"stage": "test"})
    loaded = load_potential(tmp_path / "model.ckpt", settings)
    assert not loaded.training
    for key, expected in evaluate(potential, frame).items():
        assert_same(evaluate(loaded, frame)[key], expected, atol=0)


def test_save_and_load_in_single_precision(settings, frame, tmp_path):
    potential = make_potential(settings, seed=7).eval()
    save_potential(tmp_path / "model.ckpt", potential, settings, {})
    graph = graph_from_frames([frame], CUTOFF)
    loaded = load_potential(tmp_path / "model.ckpt")(graph)
    for key, expected in potential(graph).items():
        assert_same(loaded[key], expected, atol=0)


def test_same_seed_same_weights(settings):
    one, two, other = (make_potential(settings, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
