"""What is inside a checkpoint, as text."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ase.data import atomic_numbers, chemical_symbols

from gpip.config.backbones import BackboneSettings
from gpip.core.reference_energies import Reference, symbols_of
from gpip.models.blocks.scales import Scale
from gpip.models.checkpoint import SCHEMA_VERSION, potential_of, read_checkpoint, settings_of
from gpip.models.potential import Potential

WIDTH = 100


def describe(path: str | Path) -> str:
    """Backbone, size, precision, elements, cutoff, scales and provenance of a checkpoint.

    Raises:
        InputError: the file cannot be used.
    """
    record = read_checkpoint(path)
    settings, potential = settings_of(path, record), potential_of(path, record)
    lines = [f"{path}: potential, schema version {SCHEMA_VERSION}"]
    lines += [f"  {line}" for line in _describe_potential(settings, potential, record["provenance"])]
    lines.append("provenance:")
    lines += [f"  {line}" for line in _describe_provenance(record["provenance"])]
    return "\n".join(lines)


def equal_presets(settings: BackboneSettings) -> list[str]:
    """Names of the presets that give exactly these settings."""
    own = settings.model_dump(exclude={"preset"})
    by_name = {
        name: type(settings).model_validate({"model": own["model"], "preset": name}) for name in settings.presets
    }
    return [name for name, preset in by_name.items() if preset.model_dump(exclude={"preset"}) == own]


def trained_elements(provenance: Mapping[str, Any]) -> list[str] | None:
    """Symbols of the elements in the frames that a checkpoint was trained on; None where it is not recorded."""
    symbols = provenance.get("elements")
    if symbols is None:  # files from before `elements`: fine-tuning has fitted an energy to each
        fitted = provenance.get("transfer", {}).get("reference_energies_ev")
        symbols = None if fitted is None else [chemical_symbols[int(z)] for z in fitted]
    return None if symbols is None else sorted(symbols, key=lambda symbol: atomic_numbers[symbol])


def _describe_potential(
    settings: BackboneSettings, potential: Potential, provenance: Mapping[str, Any]
) -> Iterator[str]:
    yield f"backbone: {settings.model}"
    chosen = settings.model_dump(mode="json", exclude={"cutoff_angstrom", "model", "preset"})
    yield from (f"  {key}: {value}" for key, value in chosen.items() if value is not None)
    for name, module in potential.backbone.named_modules():
        if isinstance(module, Scale) and not module.is_given:
            yield f"  {name}, fitted: {float(module.factor):.3g}"
    presets = equal_presets(settings)
    yield f"preset: {' = '.join(presets) if presets else 'equal to none of ' + (', '.join(settings.presets) or 'none')}"
    yield f"cutoff: {potential.cutoff_angstrom:g} Å"
    head = sum(parameter.numel() for parameter in potential.energy_head.parameters())
    yield f"parameters: {potential.n_parameters:,} ({head:,} of them in the energy head)"
    yield f"precision: {str(next(potential.parameters()).dtype).removeprefix('torch.')}"
    yield f"energy scale: {float(potential.energy_scale):g} eV"
    energies = potential.reference_energies
    known = energies.nonzero().squeeze(1).tolist()
    if known:
        yield "reference energies: " + ", ".join(f"{chemical_symbols[z]} {energies[z]:.4f}" for z in known) + " eV"
    else:
        yield "reference energies: none; not trained on energies and forces, fine-tune it first"
    if potential.reference is not None:
        yield from _describe_reference(potential.reference)
    elif known:
        yield "training compositions: not recorded by the gpip that wrote the file"
    elements = trained_elements(provenance)
    yield f"elements in training: {'not recorded' if elements is None else ', '.join(elements)}"


def _describe_reference(reference: Reference) -> Iterator[str]:
    yield from textwrap.wrap(
        f"reference energies rest on: {reference.summary}", WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )
    if reference.anchors.energies_ev:
        energies = reference.anchors.energies_ev
        atoms = ", ".join(f"{s} {energies[s]:.4f}" for s in symbols_of(reference.compositions.elements))
        yield f"isolated atoms: {atoms} eV ({reference.anchors.source})"


def _describe_provenance(provenance: Mapping[str, Any]) -> Iterator[str]:
    shown = {key: value for key, value in provenance.items() if key != "elements"}
    if not shown:
        yield "none"
        return
    if "stage" in shown:
        version = f", version {shown['stage_version']}" if "stage_version" in shown else ""
        yield f"stage: {shown.pop('stage')}{version}"
        shown.pop("stage_version", None)
    packages = {key: shown.pop(key) for key in ("gpip", "python") if key in shown} | shown.pop("packages", {})
    if packages:
        text = "packages: " + ", ".join(f"{name} {version}" for name, version in packages.items())
        yield from textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    if "seed" in shown:
        yield f"seed: {shown.pop('seed')}"
    if "inputs" in shown:
        yield "inputs:"
        yield from (f"  {name} (digest {digest})" for name, digest in shown.pop("inputs").items())
    transfer = shown.pop("transfer", None)
    if transfer:
        yield f"weights: {transfer.get('n_loaded', 0):,} values from pre-training, {transfer.get('n_fresh', 0):,} fresh"
    settings = shown.get("settings")
    if isinstance(settings, dict):
        shown["settings"] = {key: value for key, value in settings.items() if key != "backbone"}
    if shown:
        yield from yaml.safe_dump(shown, sort_keys=False, allow_unicode=True).splitlines()
