"""Potentials in files, and weights from one potential to another."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from gpip.config.backbones import MODELS, BackboneSettings
from gpip.core.errors import InputError
from gpip.core.files import replacing
from gpip.models.potential import Potential
from gpip.models.registry import make_potential

SCHEMA = "gpip-potential"
SCHEMA_VERSION = 1


def save_potential(
    path: str | Path, potential: Potential, backbone_settings: BackboneSettings, provenance: dict[str, Any]
) -> None:
    """Write weights, buffers, settings and provenance (JSON-ready)."""
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "backbone": _plain(backbone_settings),
        "state": {name: tensor.detach().cpu() for name, tensor in potential.state_dict().items()},
        "provenance": provenance,
    }
    with replacing(path) as partial:
        torch.save(record, partial)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The checked content of a file by `save_potential`: backbone, state, provenance.

    Raises:
        InputError: no such file, not a checkpoint, damaged, or of a newer version.
    """
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"checkpoint {path}: no such file") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"checkpoint {path} cannot be read; make it again: {reason[:200]}") from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"checkpoint {path} is not a potential written by gpip (schema {SCHEMA!r} expected)")
    if record["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"checkpoint {path}: schema version {record['schema_version']}, this gpip reads {SCHEMA_VERSION}"
        )
    return record


def load_potential(path: str | Path, expected_settings: BackboneSettings | None = None) -> Potential:
    """The potential of a file, in evaluation mode and in the precision it was saved in.

    Raises:
        InputError: the file is unusable, or its backbone is not the expected one.
    """
    record = read_checkpoint(path)
    if expected_settings is not None:
        check_same_backbone(path, record["backbone"], expected_settings)
    try:
        settings = MODELS[record["backbone"]["model"]].model_validate(record["backbone"])
    except (KeyError, ValidationError) as error:
        raise InputError(
            f"checkpoint {path}: its backbone settings are unknown to this gpip: {error}"
        ) from None
    potential = make_potential(settings)
    dtype = next(tensor.dtype for name, tensor in record["state"].items() if name.startswith("backbone."))
    try:
        potential.to(dtype).load_state_dict(record["state"])
    except RuntimeError as error:
        raise InputError(f"checkpoint {path} does not fit its own backbone settings: {error}") from None
    return potential.eval()


def check_same_backbone(path: str | Path, found: Mapping[str, Any], expected: BackboneSettings) -> None:
    """Raise InputError that names each setting in which a checkpoint's backbone is not the expected one."""
    wanted = _plain(expected)
    differing = [
        f"{key} is {found.get(key)!r} in the file, {wanted.get(key)!r} expected"
        for key in [*wanted, *(key for key in found if key not in wanted)]
        if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise InputError(f"checkpoint {path} is of another backbone: {'; '.join(differing)}")


def transfer_weights(
    potential: Potential, source_state: Mapping[str, Tensor], energy_head: Literal["fresh", "carried"]
) -> dict[str, Any]:
    """Copy the backbone, and the energy head when it is carried, from another potential's state.

    Reference energies and energy scale stay those of `potential`.

    Returns:
        JSON-ready record: names of the tensors `loaded`, left `fresh`, and `unused` in the source, and
        how many values those hold (`n_loaded`, `n_fresh`, `n_unused`).

    Raises:
        InputError: a tensor to copy is missing in the source, or has another shape.
    """
    prefixes = ("backbone.", "energy_head.") if energy_head == "carried" else ("backbone.",)
    own = potential.state_dict()
    loaded = [name for name in own if name.startswith(prefixes)]
    for name in loaded:
        if name not in source_state:
            raise InputError(f"weights to transfer: {name} is not in the source")
        if source_state[name].shape != own[name].shape:
            raise InputError(
                f"weights to transfer: {name} has shape {tuple(source_state[name].shape)} in the source, "
                f"{tuple(own[name].shape)} expected: backbones of other sizes"
            )
        own[name].copy_(source_state[name])
    fresh = [name for name in own if name not in loaded]
    unused = [name for name in source_state if name not in loaded]
    return {
        "energy_head": energy_head,
        "loaded": loaded,
        "fresh": fresh,
        "unused": unused,
        "n_loaded": sum(own[name].numel() for name in loaded),
        "n_fresh": sum(own[name].numel() for name in fresh),
        "n_unused": sum(source_state[name].numel() for name in unused),
    }


def _plain(settings: BackboneSettings) -> dict[str, Any]:
    """Settings as a dict of numbers and text. A preset is already in the numbers."""
    return settings.model_dump(mode="json", exclude={"preset"})
