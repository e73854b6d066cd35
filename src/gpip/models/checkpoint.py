"""Potentials in files, and weights from one potential to another."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from gpip import __version__
from gpip.config.backbones import MODELS, BackboneSettings
from gpip.core.errors import InputError, nearest
from gpip.core.files import replacing
from gpip.core.reference_energies import Reference
from gpip.models.potential import Potential
from gpip.models.registry import make_potential

SCHEMA = "gpip-potential"
SCHEMA_VERSION = 4
"""Raise it when the layout of the file changes, or when the same settings and weights give other numbers."""


ONLY_IN_1 = {
    "egnn": {"n_radial": 0, "softening_angstrom": 1e-4, "aggregation": "sum"},
    "se3_transformer": {"n_radial": 0},
}


def _from_1(record: dict[str, Any]) -> dict[str, Any]:
    """Two networks had no radial basis, and neither softening nor aggregation of EGNN was a choice."""
    backbone = record.get("backbone")
    if isinstance(backbone, dict):
        record = record | {"backbone": ONLY_IN_1.get(str(backbone.get("model")), {}) | backbone}
    return record


def _from_2(record: dict[str, Any]) -> dict[str, Any]:
    """GemNet's scales were settings alone, the same in each block, and 1 where none was given."""
    backbone = record.get("backbone")
    if not isinstance(backbone, dict) or backbone.get("model") != "gemnet" or not isinstance(record.get("state"), dict):
        return record
    scales = {name: float(backbone.get(name, 1.0)) for name in ("scale_radial", "scale_triplets", "scale_atoms")}
    factors = {}
    for block in range(int(backbone["n_layers"])):
        of_block = f"backbone.interactions.{block}"
        factors[f"{of_block}.triplets.scale_radial.factor"] = scales["scale_radial"]
        factors[f"{of_block}.triplets.scale_sum.factor"] = scales["scale_triplets"]
        factors[f"{of_block}.atoms.scale.factor"] = scales["scale_atoms"]
    for output in range(int(backbone["n_layers"]) + 1):
        factors[f"backbone.outputs.{output}.scale.factor"] = scales["scale_atoms"]
    state = record["state"] | {name: torch.tensor(factor) for name, factor in factors.items()}
    return record | {"backbone": backbone | scales, "state": state}


def _from_3(record: dict[str, Any]) -> dict[str, Any]:
    """The compositions of the training frames and the energies of isolated atoms were not recorded."""
    return record | {"reference": None}


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1, 2: _from_2, 3: _from_3}
"""From each older version, what makes its record one of the next version; a version without entry is refused."""


def save_potential(
    path: str | Path, potential: Potential, backbone_settings: BackboneSettings, provenance: dict[str, Any]
) -> None:
    """Write weights, buffers, settings and provenance (JSON-ready)."""
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "backbone": _plain(backbone_settings),
        "state": {name: tensor.detach().cpu() for name, tensor in potential.state_dict().items()},
        "reference": None if potential.reference is None else potential.reference.to_record(),
        "provenance": provenance,
    }
    with replacing(path) as partial:
        torch.save(record, partial)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The checked content of a file by `save_potential`: backbone, state, reference, provenance.

    A file of an older schema version is brought to this one where that is possible.

    Raises:
        InputError: no such file, not a checkpoint, damaged, of a newer version, or of one too old.
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
    record = _upgraded(path, record)
    for key in ("backbone", "state", "provenance"):
        if not isinstance(record.get(key), dict):
            raise InputError(f"checkpoint {path} is incomplete: no {key!r} in it; make it again")
    if "reference" not in record:
        raise InputError(f"checkpoint {path} is incomplete: no 'reference' in it; make it again")
    return record


def _upgraded(path: str | Path, record: dict[str, Any]) -> dict[str, Any]:
    while (version := record.get("schema_version")) != SCHEMA_VERSION:
        if not isinstance(version, int):
            raise InputError(f"checkpoint {path}: schema version {version!r} is not a number; make it again")
        if version > SCHEMA_VERSION:
            raise InputError(
                f"checkpoint {path}: schema version {version}{_written_by(record)}, but this gpip {__version__} reads "
                f"up to {SCHEMA_VERSION}: install the gpip that wrote it, or a newer one"
            )
        if version not in UPGRADES:
            raise InputError(
                f"checkpoint {path}: schema version {version}{_written_by(record)} is too old: this gpip "
                f"{__version__} reads from {min([SCHEMA_VERSION, *UPGRADES])} on; make it again, or use the gpip that "
                "wrote it"
            )
        record = UPGRADES[version](record) | {"schema_version": version + 1}
    return record


def _written_by(record: Mapping[str, Any]) -> str:
    origin = record.get("provenance")
    return f" (written by gpip {origin['gpip']})" if isinstance(origin, dict) and "gpip" in origin else ""


def load_potential(path: str | Path, expected_settings: BackboneSettings | None = None) -> Potential:
    """The potential of a file, in evaluation mode and in the precision it was saved in.

    Raises:
        InputError: the file is unusable, or its backbone is not the expected one.
    """
    record = read_checkpoint(path)
    if expected_settings is not None:
        check_same_backbone(path, _plain(settings_of(path, record)), expected_settings)
    return potential_of(path, record)


def potential_of(path: str | Path, record: Mapping[str, Any]) -> Potential:
    """The potential of a record by `read_checkpoint`; `path` names it in errors. Raises InputError."""
    potential, state = make_potential(settings_of(path, record)), record["state"]
    dtypes = [tensor.dtype for name, tensor in state.items() if name.startswith("backbone.")]
    own = potential.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in state]
    wrong += [f"{name} is unknown" for name in state if name not in own]
    wrong += [
        f"{name} has shape {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise InputError(
            f"checkpoint {path}{_written_by(record)}: its weights do not fit its backbone settings in this gpip "
            f"{__version__}: {'; '.join(wrong[:3])}{more}; make it again, or use the gpip that wrote it"
        )
    potential.to(next((dtype for dtype in dtypes if dtype.is_floating_point), torch.float32)).load_state_dict(state)
    potential.reference = _reference_of(path, record)
    return potential.eval()


def _reference_of(path: str | Path, record: Mapping[str, Any]) -> Reference | None:
    if record.get("reference") is None:
        return None
    try:
        return Reference.from_record(record["reference"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"checkpoint {path}: its 'reference' is damaged ({error!r}); make it again") from None


def settings_of(path: str | Path, record: Mapping[str, Any]) -> BackboneSettings:
    """Backbone settings of a record; settings added since it was written have their defaults.

    Raises:
        InputError: a model, a setting or a value that this gpip does not know.
    """
    model = record["backbone"].get("model")
    if model not in MODELS:
        guess = nearest(str(model), MODELS)
        raise InputError(
            f"checkpoint {path}{_written_by(record)}: backbone {model!r} is unknown to this gpip {__version__}; "
            f"{f'did you mean {guess!r}? ' if guess else ''}known: {', '.join(sorted(MODELS))}"
        )
    try:
        return MODELS[model].model_validate(record["backbone"])
    except ValidationError as error:
        wrong = "; ".join(": ".join([*map(str, one["loc"]), one["msg"]]) for one in error.errors())
        raise InputError(
            f"checkpoint {path}{_written_by(record)}: backbone settings unknown to this gpip {__version__}: "
            f"{wrong}; install the gpip that wrote it, or make it again"
        ) from None


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
