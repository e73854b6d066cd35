"""The pretext tasks: what may be seen, what is asked for, and that it can be answered."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gpip.config.backbones import EGNNSettings, PaiNNSettings, SchNetSettings
from gpip.config.optimization import Optimization
from gpip.config.pretraining import ContrastTask, DenoiseTask, MaskTask, Recipe
from gpip.core.frame import Frame
from gpip.graphs.batching import graph_from_frames
from gpip.models.interface import Features
from gpip.models.registry import make_potential
from gpip.pretraining.contrast import Contrast, Net3D, graph_readout, info_nce
from gpip.pretraining.masking import Decoder, mask_species, scaled_cosine_error
from gpip.pretraining.objective import PretextObjective, add_noise, denoising_loss

STEPS = Optimization(n_steps=10)
NO_BOX = np.zeros(3, bool)
SMALL = {
    "schnet": SchNetSettings(model="schnet", n_layers=2, n_features=8, n_radial=6, cutoff_angstrom=3.0),
    "painn": PaiNNSettings(model="painn", n_layers=2, n_features=8, n_radial=6, cutoff_angstrom=3.0),
    "egnn": EGNNSettings(model="egnn", n_layers=2, n_features=8, cutoff_angstrom=3.0),
}
GPIP = Recipe(mask=MaskTask(), denoise=DenoiseTask(), contrast=ContrastTask(cutoff_angstrom=3.0), optimization=STEPS)


def objective(frames, recipe=GPIP, backbone="schnet"):
    torch.manual_seed(0)
    return PretextObjective(make_potential(SMALL[backbone]), recipe, frames, [1, 8], seed=3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_mask_hides_the_wanted_fraction_and_leaves_the_rest():
    species = torch.tensor([8, 1, 1] * 400)
    task = MaskTask(rate=0.15, random_element_fraction=0.1)
    before = species.clone()
    hidden, masked = mask_species(species, torch.tensor([1, 8]), task, seeded())
    assert torch.equal(species, before), "the batch itself must not be masked: later tasks read it"
    assert len(masked) == len(set(masked.tolist())) == 180
    visible = torch.ones(1200, dtype=bool)
    visible[masked] = False
    assert torch.equal(hidden[visible], species[visible])
    swapped = (hidden[masked] != 0).float().mean().item()
    assert 0.03 < swapped < 0.2
    assert set(hidden[masked].tolist()) <= {0, 1, 8}


def test_masks_are_seeded_and_cover_every_atom():
    species = torch.tensor([8, 1, 1] * 8)
    draws = [mask_species(species, torch.tensor([1, 8]), MaskTask(), seeded(s))[1] for s in range(100)]
    assert torch.equal(draws[0], mask_species(species, torch.tensor([1, 8]), MaskTask(), seeded(0))[1])
    assert set(torch.cat(draws).tolist()) == set(range(24))


@pytest.mark.parametrize("backbone", SMALL)
def test_nothing_of_a_masked_element_reaches_encoder_decoder_or_noise(water_frames, backbone):
    """Two configurations that differ only in the hidden elements give the same codes, restoration and noise."""
    made = objective(water_frames, backbone=backbone)
    graph = graph_from_frames(water_frames[:2], 3.0)
    hidden, masked = mask_species(graph.species, torch.tensor([1, 8]), MaskTask(rate=0.3), seeded())
    other = graph.species.clone()
    other[masked] = torch.where(other[masked] == 8, 1, 8)
    outputs = []
    for true_species in (graph.species, other):
        seen = graph.replace(species=true_species).replace(species=hidden)
        seen = seen.replace(positions=seen.positions.clone().requires_grad_(True))
        features = made.module.potential.features(seen)
        restored = made.module.decoder(features.scalars, masked, seen)
        outputs.append((features.scalars, restored, made.predict_noise(features, seen)))
    for first, second in zip(*outputs, strict=True):
        torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_losses_ask_for_the_true_elements_after_masking(water_frames):
    """In place masking would turn the targets into the mask token's."""
    made = objective(water_frames)
    graph = graph_from_frames(water_frames[:2], 3.0)
    species = graph.species.clone()
    asked = []
    made._mask_target = lambda wanted: asked.append(wanted) or nn.functional.one_hot(wanted, 8 + 1)[:, :8].float()
    made.losses_on(graph, torch.zeros(graph.n_atoms, 3), water_frames[:2], seeded())
    assert torch.equal(graph.species, species)
    assert set(asked[0].tolist()) <= {1, 8}


def test_decoder_cannot_read_the_codes_it_has_to_restore(water_frames):
    torch.manual_seed(0)
    graph = graph_from_frames(water_frames[:1], 3.0)
    decoder = Decoder(n_features=8, n_targets=5, cutoff_angstrom=3.0)
    codes = torch.randn(graph.n_atoms, 8, requires_grad=True)
    masked = torch.tensor([0, 4, 9])
    (slope,) = torch.autograd.grad(decoder(codes, masked, graph).square().sum(), codes)
    assert (slope[masked] == 0).all()
    visible = torch.ones(graph.n_atoms, dtype=bool)
    visible[masked] = False
    assert (slope[visible].abs().sum(1) > 0).any(), "without the neighbours the task is impossible"


def test_scaled_cosine_error_by_hand():
    original = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    restored = torch.tensor([[5.0, 0.0], [3.0, 0.0]])  # cosines 1 and 0
    assert scaled_cosine_error(restored, original, 2.0).item() == pytest.approx(0.5, abs=1e-6)


class Oracle(nn.Module):
    """A harmonic well around the clean configuration: its force over σ is the noise that was added."""

    cutoff_angstrom, noise_readout = 3.0, "gradient"

    def __init__(self, clean_positions, cell, scale):
        super().__init__()
        self.clean, self.cell, self.scale = clean_positions, cell, scale
        self.n_features = 8
        self.weight = nn.Parameter(torch.zeros(1))

    @property
    def backbone(self):
        return self

    def features(self, graph):
        return Features(torch.zeros(graph.n_atoms, 8))

    def energy_from_features(self, features, graph):
        moved = graph.positions - self.clean
        moved = moved - torch.round(moved / self.cell) * self.cell  # minimum image
        return self.scale * moved.square().sum().reshape(1) / 2


@pytest.mark.parametrize(("target", "sign"), [("restoring", 1.0), ("paper", -1.0)])
def test_an_oracle_recovers_the_noise_across_the_periodic_boundary(water_frames, target, sign):
    """`restoring` rewards a force back to the clean configuration; the paper's sign rewards the opposite."""
    sigma = 0.2
    unit = "sigma" if target == "restoring" else "angstrom"
    recipe = Recipe(denoise=DenoiseTask(sigma_angstrom=sigma, target=target, unit=unit), optimization=STEPS)
    frame = water_frames[0]
    scale = 1 / sigma if unit == "sigma" else 1.0
    oracle = Oracle(torch.from_numpy(frame.positions), float(frame.cell[0, 0]), sign * scale)
    made = PretextObjective(oracle, recipe, [frame], [1, 8], seed=5)
    assert made.losses(np.array([0]), step=7)["denoise"].item() < 1e-8
    # Predicting nothing costs the variance of the target.
    oracle.scale = 0.0
    expected = 1.0 if unit == "sigma" else sigma**2
    assert made.losses(np.array([0]), step=7)["denoise"].item() == pytest.approx(expected, rel=0.5)


def loss_of_no_prediction(n_atoms, n_configurations, sigma, unit, normalisation, n_draws):
    """Mean loss of a model that predicts no noise, over batches of configurations of random atoms."""
    generator = np.random.default_rng(0)
    frames = [
        Frame(np.full(n_atoms, 8), generator.uniform(0, 9, (n_atoms, 3)).astype(np.float32), np.zeros((3, 3)), NO_BOX)
        for _ in range(n_configurations)
    ]
    task = DenoiseTask(sigma_angstrom=sigma, unit=unit, normalisation=normalisation)
    still = Mover(torch.zeros(n_configurations * n_atoms, 3), 1.0, scale=0.0)
    made = PretextObjective(
        still, Recipe(denoise=task.model_copy(update={"readout": "paper"}), optimization=STEPS), frames, [8], seed=5
    )
    batch = np.arange(n_configurations)
    return np.mean([made.losses(batch, step)["denoise"].item() for step in range(n_draws)])


@pytest.mark.parametrize(
    ("unit", "normalisation", "molecule", "box", "batch_of_molecules"),
    [
        ("sigma", "component", 1, 1, 1),
        ("angstrom", "component", 0.0225, 0.0225, 0.0225),
        ("angstrom", "atom", 0.0675, 0.0675, 0.0675),
        ("angstrom", "configuration", 1.35, 12.96, 1.35),
        ("angstrom", "batch", 1.35, 12.96, 135),
    ],
)
def test_what_a_weight_of_1_is_worth(unit, normalisation, molecule, box, batch_of_molecules):
    """The table in docs/recipes.md: 20 atoms, 192 atoms, 100 x 20 atoms, at 0.15 Å, when nothing is predicted."""
    for n_atoms, n_configurations, expected in ((20, 1, molecule), (192, 1, box), (20, 100, batch_of_molecules)):
        n_draws = 40 if n_configurations == 1 else 4
        measured = loss_of_no_prediction(n_atoms, n_configurations, 0.15, unit, normalisation, n_draws)
        error = np.sqrt(2 / (3 * n_atoms * n_configurations * n_draws))  # relative, of a mean of squared normals
        assert measured == pytest.approx(expected, rel=4 * error)
    lines = (Path(__file__).parents[3] / "docs/recipes.md").read_text(encoding="utf-8").splitlines()
    cells = next(line.split("|") for line in lines if line.startswith(f"| `{unit}` | `{normalisation}`"))
    assert [float(cell.split()[0]) for cell in cells[3:6]] == [molecule, box, batch_of_molecules]


@pytest.mark.parametrize("normalisation", ["component", "atom", "configuration", "batch"])
def test_normalisations_weigh_configurations_of_two_sizes_as_they_say(normalisation):
    """By hand: errors of 1 Å per component on 2 atoms of one configuration and of 2 Å on the one of another."""
    error = torch.tensor([[1.0, 1, 1], [1, 1, 1], [2, 2, 2]])
    total = 6 * 1 + 3 * 4
    expected = {"component": total / 9, "atom": total / 3, "configuration": total / 2, "batch": total}
    assert denoising_loss(error, normalisation, n_graphs=2).item() == pytest.approx(expected[normalisation])


def test_guesses_of_masked_elements_and_of_partners_cost_what_the_page_says(water_frames):
    """The mask loss is 1 for features at right angles; the contrast of N equal codes is the logarithm of N - 1."""
    original, restored = torch.eye(4)[[0, 1, 0]], torch.eye(4)[[2, 3, 3]]
    assert scaled_cosine_error(restored, original, 2.0).item() == pytest.approx(1)
    same = torch.ones(50, 8)
    assert info_nce(same, same, temperature=0.1).item() == pytest.approx(np.log(49), rel=1e-5)


class Mover(Oracle):
    """Moves the atoms themselves: `scale` times the way from the clean configuration to where they are."""

    noise_readout = "coordinates"

    def features(self, graph):
        moved = graph.positions - self.clean
        return Features(None, displacement=self.scale * (moved - torch.round(moved / self.cell) * self.cell))


@pytest.mark.parametrize("unit", ["sigma", "angstrom"])
@pytest.mark.parametrize(("target", "scale"), [("restoring", -1.0), ("paper", 1.0)])
def test_displacements_in_angstrom_are_the_noise(water_frames, target, scale, unit):
    """`restoring` rewards a model that moves the atoms back to where they were, whatever the unit."""
    task = DenoiseTask(sigma_angstrom=0.2, target=target, unit=unit, readout="paper")
    frame = water_frames[0]
    mover = Mover(torch.from_numpy(frame.positions), float(frame.cell[0, 0]), scale)
    made = PretextObjective(mover, Recipe(denoise=task, optimization=STEPS), [frame], [1, 8], seed=5)
    assert made.losses(np.array([0]), step=7)["denoise"].item() < 1e-8


def test_noise_has_its_width_and_leaves_the_frames_alone(water_frames):
    before = water_frames[0].positions.copy()
    noisy, noise = add_noise(water_frames * 20, 0.1, seeded())
    np.testing.assert_array_equal(water_frames[0].positions, before)
    assert noise.std().item() == pytest.approx(0.1, rel=0.03)
    np.testing.assert_allclose(noisy[1].positions - water_frames[1].positions, noise[24:48], atol=1e-6)
    assert noisy[0].forces is None


def test_contrast_by_hand():
    ours = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # Cosines: own 1 and 1, other 0 and 0: -log(e^(1/τ) / e^0) = -1/τ.
    assert info_nce(ours, 3 * ours, temperature=0.5).item() == pytest.approx(-2.0, abs=1e-6)


def test_net_3d_sees_distances_and_nothing_else(water_frames):
    torch.manual_seed(0)
    net = Net3D(ContrastTask()).eval()
    graph = graph_from_frames(water_frames[:1], 3.0)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn = torch.from_numpy(rotation).float()
    turned = graph.replace(positions=graph.positions @ turn, cell=graph.cell @ turn)
    renamed = graph.replace(species=torch.full_like(graph.species, 6))
    torch.testing.assert_close(net(turned), net(graph), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net(renamed), net(graph), atol=0, rtol=0)


def test_graph_readout_of_each_graph(water_frames):
    graph = graph_from_frames(water_frames[:2], 3.0)
    values = torch.arange(48.0).unsqueeze(1)
    torch.testing.assert_close(graph_readout(values, graph), torch.tensor([[0.0, 23.0, 11.5], [24.0, 47.0, 35.5]]))


@pytest.mark.parametrize("level", ["atom", "graph"])
def test_contrast_teaches_both_sides(water_frames, level):
    torch.manual_seed(0)
    graph = graph_from_frames(water_frames[:3], 3.0)
    contrast = Contrast(ContrastTask(level=level), n_features=8)
    features = torch.randn(graph.n_atoms, 8, requires_grad=True)
    contrast(features, graph, graph).backward()
    assert features.grad.abs().sum() > 0
    assert all(p.grad is not None for p in contrast.parameters())


@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("readout", ["gradient", "paper"])
def test_every_task_teaches_the_backbone(water_frames, backbone, readout):
    recipe = GPIP.model_copy(update={"denoise": DenoiseTask(readout=readout)})
    made = objective(water_frames, recipe, backbone)
    losses = made.losses(np.array([0, 1]), step=0)
    assert set(losses) == {"mask", "denoise", "contrast"}
    weights = list(made.module.potential.backbone.parameters())
    for name, loss in losses.items():
        slopes = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        assert any(s is not None and s.abs().sum() > 0 for s in slopes), name


def test_losses_depend_on_the_step_alone(water_frames):
    made = objective(water_frames)
    first = made.losses(np.array([0, 1]), step=4)
    made.losses(np.array([2]), step=5)
    again = made.losses(np.array([0, 1]), step=4)
    other = made.losses(np.array([0, 1]), step=6)
    for name, value in first.items():
        assert again[name].item() == value.item()
        assert other[name].item() != value.item()


@pytest.mark.parametrize(("backbone", "readout", "n_steps"), [("painn", "gradient", 120), ("egnn", "paper", 300)])
def test_denoising_is_learned(water_frames, backbone, readout, n_steps):
    """The loss of predicting nothing is 1; a few steps on one configuration go well below it."""
    recipe = Recipe(denoise=DenoiseTask(sigma_angstrom=0.1, readout=readout), optimization=STEPS)
    made = objective(water_frames, recipe, backbone)
    optimizer = torch.optim.Adam(made.module.parameters(), lr=1e-2)
    values = []
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = made.losses(np.array([step % 2]), step)["denoise"]
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert np.mean(values[-20:]) < 0.8
