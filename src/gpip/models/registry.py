"""Backbones by the name that config.yaml gives in `model`."""

import importlib

import torch

from gpip.config.backbones import BackboneSettings
from gpip.core.errors import unknown_name
from gpip.models.interface import Backbone
from gpip.models.potential import Potential

BACKBONES = {
    "schnet": "gpip.models.backbones.schnet:SchNet",
    "painn": "gpip.models.backbones.painn:PaiNN",
    "gemnet": "gpip.models.backbones.gemnet:GemNetT",
    "spherenet": "gpip.models.backbones.spherenet:SphereNet",
    "egnn": "gpip.models.backbones.egnn:EGNN",
    "et": "gpip.models.backbones.et:EquivariantTransformer",
    "se3_transformer": "gpip.models.backbones.se3_transformer:SE3Transformer",
}
"""A new backbone is one module, its settings in `gpip.config.backbones`, and one line here."""


def make_backbone(settings: BackboneSettings, seed: int = 0) -> Backbone:
    """A backbone with fresh weights; the same seed gives the same weights."""
    if settings.model not in BACKBONES:
        raise unknown_name("backbone model", settings.model, BACKBONES)
    module, _, name = BACKBONES[settings.model].partition(":")
    backbone = getattr(importlib.import_module(module), name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return backbone(**settings.model_dump(exclude={"model", "preset", "repulsion"}))


def make_potential(settings: BackboneSettings, seed: int = 0) -> Potential:
    """A potential with fresh weights; the same seed gives the same weights."""
    backbone = make_backbone(settings, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        return Potential(backbone, settings.repulsion)
