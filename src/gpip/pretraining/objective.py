"""The pretext tasks of a recipe as one objective: L_mask + α L_denoise + β L_contrast (GPIP Eq. 3).

One noisy, masked configuration serves all tasks in one pass of the backbone, as in GPIP Fig. 1.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gpip.config.pretraining import Recipe
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.seeds import seed_for
from gpip.graphs.batching import graph_from_frames
from gpip.graphs.graph import Graph
from gpip.models.blocks.heads import VectorReadout
from gpip.models.interface import N_SPECIES, Features
from gpip.models.potential import Potential, forces_from_energy
from gpip.pretraining.contrast import Contrast
from gpip.pretraining.masking import Decoder, mask_species, scaled_cosine_error
from gpip.training.device import device_of


class PretextModel(nn.Module):
    """A potential and what the tasks need beside it. Only the potential is kept after pre-training."""

    def __init__(self, potential: Potential, recipe: Recipe):
        super().__init__()
        backbone = potential.backbone
        self.potential = potential
        if recipe.mask:
            n_targets = N_SPECIES
            if recipe.mask.target == "embedding":
                n_targets = backbone.embedding.embedding_dim
            self.decoder = Decoder(backbone.n_features, n_targets, backbone.cutoff_angstrom)
        if recipe.denoise and noise_readout(potential, recipe) == "vectors":
            self.noise_head = VectorReadout(backbone.n_features)
        if recipe.contrast:
            self.contrast = Contrast(recipe.contrast, backbone.n_features)


def noise_readout(potential: Potential, recipe: Recipe) -> str:
    """ "gradient", "vectors" or "coordinates", with `paper` resolved to what Wang et al. name for the backbone."""
    wanted = recipe.denoise.readout
    return potential.backbone.noise_readout if wanted == "paper" else wanted


class PretextObjective:
    """Losses of a recipe's tasks on frames of an unlabelled data set."""

    def __init__(
        self,
        potential: Potential,
        recipe: Recipe,
        frames: Sequence[Frame],
        elements: Sequence[int],
        seed: int,
    ):
        self.recipe, self.frames, self.seed = recipe, frames, seed
        self.elements = torch.tensor(sorted(elements))
        self.module = PretextModel(potential, recipe)
        self.weights = {
            name: task.weight for name in ("mask", "denoise", "contrast") if (task := getattr(recipe, name)) is not None
        }

    def losses(self, frames: np.ndarray, step: int) -> dict[str, Tensor]:
        clean_frames = [self.frames[int(index)] for index in frames]
        generator = torch.Generator().manual_seed(seed_for(self.seed, "pretext", step))
        noisy_frames, noise = add_noise(clean_frames, self.sigma_angstrom, generator)
        graph = graph_from_frames(noisy_frames, self.module.potential.backbone.cutoff_angstrom)
        return self.losses_on(graph, noise, clean_frames, generator)

    @property
    def sigma_angstrom(self) -> float:
        """Of the noise that all tasks share."""
        if self.recipe.denoise:
            return self.recipe.denoise.sigma_angstrom
        return self.recipe.mask.noise_angstrom if self.recipe.mask else 0.0

    def losses_on(
        self, graph: Graph, noise: Tensor, clean_frames: Sequence[Frame], generator: torch.Generator
    ) -> dict[str, Tensor]:
        recipe, model = self.recipe, self.module
        model.train()
        device = device_of(model)
        # Masks are drawn on the CPU, whatever the device, so that a seed means the same everywhere.
        hidden, masked = graph.species, None
        if recipe.mask:
            hidden, masked = mask_species(graph.species, self.elements, recipe.mask, generator)
            masked = masked.to(device)
        graph, noise, hidden = graph.to(device), noise.to(device), hidden.to(device)
        positions = graph.positions.detach().requires_grad_(recipe.denoise is not None)
        seen = graph.replace(positions=positions, species=hidden)
        features = model.potential.features(seen)
        losses = {}
        if recipe.mask:
            restored = model.decoder(features.scalars, masked, seen)
            target = self._mask_target(graph.species[masked])
            losses["mask"] = scaled_cosine_error(restored, target, recipe.mask.exponent)
        if recipe.denoise:
            error = self.predict_noise(features, seen) - self._noise_target(noise)
            losses["denoise"] = denoising_loss(error, recipe.denoise.normalisation, seen.n_graphs)
        if recipe.contrast:
            clean = graph_from_frames(clean_frames, recipe.contrast.cutoff_angstrom).to(device)
            losses["contrast"] = model.contrast(features.scalars, seen, clean)
        return losses

    def predict_noise(self, features: Features, graph: Graph) -> Tensor:
        """ε̂ [n_atoms, 3], in the units of the target, from features of a graph whose positions ask for gradients."""
        readout = noise_readout(self.module.potential, self.recipe)
        if readout == "coordinates":
            return self._noise_of_displacement(features.displacement)
        if readout == "vectors":
            if features.vectors is None:
                raise InputError("denoise.readout vectors: this backbone has no vector features; use readout gradient")
            return self.module.noise_head(features.scalars, features.vectors)
        energy = self.module.potential.energy_from_features(features, graph)
        return forces_from_energy(energy, graph.positions, create_graph=True)

    def _noise_of_displacement(self, displacement: Tensor | None) -> Tensor:
        if displacement is None:
            raise InputError("denoise.readout coordinates: this backbone moves no atoms; use readout gradient")
        return displacement / self._unit_angstrom

    def _mask_target(self, species: Tensor) -> Tensor:
        if self.recipe.mask.target == "element":
            return nn.functional.one_hot(species, N_SPECIES).float()
        # Detached: a target that follows the prediction would let every embedding become the same.
        return self.module.potential.backbone.embedding.weight.detach()[species]

    def _noise_target(self, noise: Tensor) -> Tensor:
        sign = -1 if self.recipe.denoise.target == "restoring" else 1
        return sign * noise / self._unit_angstrom

    @property
    def _unit_angstrom(self) -> float:
        """Of the noise and its prediction."""
        task = self.recipe.denoise
        return task.sigma_angstrom if task.unit == "sigma" else 1.0


def denoising_loss(error: Tensor, normalisation: str, n_graphs: int) -> Tensor:
    """Sum of the squared errors of the noise, [n_atoms, 3] of all graphs of a batch, averaged as `normalisation` says.

    `configuration` is GPIP Eq. 5 and Wang et al. Eq. 7 as printed, `batch` the code of both papers.
    """
    n_averaged = {"component": error.numel(), "atom": len(error), "configuration": n_graphs, "batch": 1}
    return (error**2).sum() / n_averaged[normalisation]


def add_noise(frames: Sequence[Frame], sigma_angstrom: float, generator: torch.Generator) -> tuple[list[Frame], Tensor]:
    """Frames with Gaussian noise on every coordinate, and that noise, [n_atoms, 3] in Å."""
    sizes = [frame.n_atoms for frame in frames]
    noise = torch.randn((sum(sizes), 3), generator=generator) * sigma_angstrom
    noisy = [
        replace(frame, positions=frame.positions + part.numpy(), energy=None, forces=None)
        for frame, part in zip(frames, torch.split(noise, sizes), strict=True)
    ]
    return noisy, noise
