"""Scaling factors of a fresh network."""

import pytest
import torch

from gpip.config.backbones import GemNetSettings, SchNetSettings
from gpip.graphs import graph_from_frames
from gpip.models import make_backbone
from gpip.models.blocks.scales import Scale, variance

SETTINGS = GemNetSettings(model="gemnet", n_layers=2, n_features=16, n_edge_features=16, cutoff_angstrom=4.0)


def fitted(settings, frames):
    torch.manual_seed(1)
    backbone = make_backbone(settings)
    backbone.fit_scales(graph_from_frames(frames, settings.cutoff_angstrom))
    return backbone


def test_fitted_scales_keep_variances_in_every_block(water_frames):
    backbone, ratios = fitted(SETTINGS, water_frames), {}
    for name, module in backbone.named_modules():
        if isinstance(module, Scale):
            module.register_forward_hook(
                lambda _, inputs, output, name=name: ratios.update({name: variance(output) / variance(inputs[1])})
            )
    backbone(graph_from_frames(water_frames, SETTINGS.cutoff_angstrom))
    assert len(ratios) == 2 * 3 + 3
    assert torch.stack(list(ratios.values())).detach() == pytest.approx(1, abs=1e-4)


def test_only_factors_that_are_not_given_are_fitted(water_frames):
    fresh = make_backbone(SETTINGS)
    backbone = fitted(SETTINGS.model_copy(update={"scale_atoms": 0.4}), water_frames)
    factors = {name: float(module.factor) for name, module in backbone.named_modules() if isinstance(module, Scale)}
    given = [factor for name, factor in factors.items() if name.endswith((".atoms.scale", ".scale"))]
    assert given == pytest.approx([0.4] * 5)
    others = {factor for name, factor in factors.items() if "triplets" in name}
    assert len(others) == 4
    assert 1.0 not in others
    assert all(float(module.factor) == 1 for module in fresh.modules() if isinstance(module, Scale))


def test_fitting_changes_no_weight_and_what_cannot_be_fitted_stays(water_frames):
    torch.manual_seed(1)
    before = make_backbone(SETTINGS).state_dict()
    for name, value in fitted(SETTINGS, water_frames).state_dict().items():
        assert name.endswith(".factor") or torch.equal(value, before[name])
    lonely = fitted(SETTINGS.model_copy(update={"cutoff_angstrom": 0.1}), water_frames[:1])
    assert all(float(module.factor) == 1 for module in lonely.modules() if isinstance(module, Scale))


def test_networks_without_scales_stay_as_they_are(water_frames):
    torch.manual_seed(1)
    before = make_backbone(SchNetSettings(model="schnet")).state_dict()
    after = fitted(SchNetSettings(model="schnet"), water_frames).state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
