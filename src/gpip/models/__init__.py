"""Networks: backbones behind one interface, potentials that give energy, forces and stress, their files."""

from gpip.models.checkpoint import load_potential, save_potential, transfer_weights
from gpip.models.interface import Backbone, Features
from gpip.models.potential import Potential, forces_from_energy
from gpip.models.registry import make_backbone, make_potential

__all__ = [
    "Backbone",
    "Features",
    "Potential",
    "forces_from_energy",
    "load_potential",
    "make_backbone",
    "make_potential",
    "save_potential",
    "transfer_weights",
]
