"""The networks of gpip."""

from collections.abc import Callable

import numpy as np
import openmm
import torch
from case import CUTOFF_ANGSTROM, Case
from torch import Tensor
from water import Box

NETWORKS = {
    "SchNet 6 x 128": {"model": "schnet", "preset": "gpip-md17"},
    "PaiNN 3 x 128": {"model": "painn", "preset": "painn-paper"},
    "ET 6 x 256": {"model": "et", "preset": "wang-ani"},
    "EGNN 5 x 256": {"model": "egnn", "preset": "wang-ani"},
    "GemNet-T 4 x 128": {"model": "gemnet", "preset": "gpip-water"},
    "SphereNet 4 x 128": {"model": "spherenet", "preset": "gpip-md17"},
    "SE(3)-T 3 x 8": {"model": "se3_transformer", "preset": "wang-ani"},
}
SMALL = {
    "ET 3 x 64": {"model": "et", "n_layers": 3, "n_features": 64, "n_radial": 16},
    "GemNet-T 3 x 64": {
        "model": "gemnet",
        "radial_basis": "gaussian",
        "n_layers": 3,
        "n_features": 64,
        "n_edge_features": 64,
        "n_triplet_features": 32,
        "n_bilinear_features": 32,
        # As the other side, which has no fitted factors here.
        "scale_radial": 1.0,
        "scale_triplets": 1.0,
        "scale_atoms": 1.0,
    },
}
"""Sizes for `learning.py`."""


class Ours(Case):
    """With the workflow's own dynamics: OpenMM, neighbour list with a skin."""

    packages = ("gpip",)

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        from gpip.config.backbones import MODELS
        from gpip.models.registry import make_potential

        settings = (NETWORKS | SMALL)[network] | {"cutoff_angstrom": CUTOFF_ANGSTROM}
        self.module = make_potential(MODELS[settings["model"]].model_validate(settings))

    def place(self, boxes: list[Box]) -> None:
        super().place(boxes)
        from gpip.core.frame import Frame
        from gpip.graphs.batching import graph_from_frames

        self.frames = [Frame(box.species, box.positions, box.cell, np.ones(3, dtype=bool)) for box in boxes]
        self.graph = graph_from_frames(self.frames, CUTOFF_ANGSTROM)

    def predict(self) -> tuple[Tensor, Tensor]:
        # A new batch has its pairs yet to be found.
        result = self.module(self.graph.replace(_pairs=None))
        return result["energy"], result["forces"]

    def md_step(self) -> Callable[[], object]:
        from gpip.config.experiments import MLMD
        from gpip.ml_md.dynamics import ReplicaDynamics
        from gpip.ml_md.force import ReplicaForce

        # Forces of random weights mean nothing: short steps, so that atoms go nowhere.
        settings = MLMD(
            thermostat="nve", temperature_kelvin=1, timestep_fs=1e-3, duration_ps=1, max_force_ev_per_angstrom=1e9
        )
        dynamics = ReplicaDynamics(ReplicaForce(self.module, self.frames[:1], settings, "cpu"), settings, seed=1)
        integrator = dynamics.integrator(1)
        context = openmm.Context(dynamics.system, integrator, openmm.Platform.getPlatformByName("Reference"))
        dynamics.start(context)
        self.kept = context
        return lambda: integrator.step(1)

    def neighbour_step(self) -> Callable[[], object]:
        """What an MD step spends on a neighbour list that is still good."""
        from gpip.graphs.skin import SkinNeighbours

        frame = self.frames[0]
        skin = SkinNeighbours(frame.species, frame.cell[None], frame.pbc, CUTOFF_ANGSTROM, 0.5)
        positions = torch.from_numpy(frame.positions[None])
        return lambda: skin.graph(positions)

    def neighbour_build(self) -> Callable[[], object]:
        """A new neighbour list, with its graph."""
        from gpip.graphs.skin import SkinNeighbours

        frame = self.frames[0]
        positions = torch.from_numpy(frame.positions[None])
        return lambda: SkinNeighbours(frame.species, frame.cell[None], frame.pbc, CUTOFF_ANGSTROM, 0.5).graph(positions)
