"""Published hyper-parameters of pre-training, as presets of a recipe. docs/recipes.md says where each comes from.

What the papers do not say is left at the defaults of this program.
"""

from collections.abc import Mapping
from typing import Any

_AS_PRINTED = {"target": "paper", "unit": "angstrom", "normalisation": "configuration", "readout": "paper"}
_ALL_PAIRS_ANGSTROM = 20.0
"""Wider than any of these molecules, so that the 3D net sees all pairs."""


def _gpip(
    beta: float,
    mask_rate: float,
    batch_size: int,
    n_epochs: int,
    learning_rate: float,
    contrast: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Cui et al., section 4.2; the width of the noise and the temperature of the contrast are of their code."""
    return {
        "mask": {"weight": 1.0, "rate": mask_rate, "target": "embedding"},
        "denoise": {"weight": 1.0, "sigma_angstrom": 0.15} | _AS_PRINTED,
        "contrast": {"weight": beta, "temperature": 0.1, "level": "atom"} | (contrast or {}),
        "optimization": {
            "n_epochs": n_epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "optimizer": "adam",
            "weight_decay": 0.01,
            "warmup_steps": 0,
            "schedule": "cosine",
            "gradient_clip": None,
        },
    }


RECIPE_PRESETS: dict[str, dict[str, Any]] = {
    "gpip-md17": _gpip(1.0, 0.15, 100, 3, 1e-3, {"cutoff_angstrom": _ALL_PAIRS_ANGSTROM}),
    "gpip-iso17": _gpip(0.5, 0.15, 100, 4, 5e-5, {"cutoff_angstrom": _ALL_PAIRS_ANGSTROM}),
    "gpip-water": _gpip(0.1, 0.15, 100, 3, 4e-3),
    "gpip-electrolyte": _gpip(0.1, 0.05, 3, 3, 4e-3),
    # Wang et al., sections 3.2 and 3.6; length of the warm-up and final learning rate are of their code.
    "wang-ani": {
        "denoise": {"weight": 1.0, "sigma_angstrom": 0.2} | _AS_PRINTED,
        "optimization": {
            "n_epochs": 5,
            "batch_size": 256,
            "learning_rate": 2e-4,
            "optimizer": "adamw",
            "weight_decay": 0.0,
            "warmup_epochs": 0.7,
            "schedule": "cosine",
            "final_learning_rate_fraction": 5e-4,
            "gradient_clip": None,
        },
    },
}
"""By name: `gpip-*` of Cui et al. for each of their data sets, `wang-ani` of Wang et al."""

REPLACES = {"n_epochs": "n_steps", "warmup_epochs": "warmup_steps", "warmup_steps": "warmup_epochs"}
"""A key of an optimisation that a preset gives, and the one that takes its place when it is given."""


def over_preset(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given laid over a preset, key by key in each task and in the optimisation."""
    result = dict(preset)
    for name, value in given.items():
        base = preset.get(name)
        if isinstance(base, Mapping) and isinstance(value, Mapping):
            kept = {key: one for key, one in base.items() if value.get(REPLACES.get(key, "")) is None}
            value = kept | dict(value)
        result[name] = value
    return result
