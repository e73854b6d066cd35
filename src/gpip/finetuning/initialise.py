"""Where a network starts: what is loaded, what is fresh, and the scales that labels decide."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpip.config.backbones import BackboneSettings
from gpip.config.experiments import Initialisation
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.reference_energies import (
    Anchors,
    Compositions,
    Reference,
    check_anchors,
    fit_reference_energies,
    symbols_of,
)
from gpip.core.seeds import seed_for
from gpip.models.checkpoint import load_potential, transfer_weights
from gpip.models.potential import Potential
from gpip.models.registry import make_potential
from gpip.training.scales import fit_scales
from gpip.training.supervised import predict

FRAMES_FOR_FACTOR = 16


def initial_potential(
    backbone: BackboneSettings,
    initialisation: Initialisation,
    pretrained: Path | None,
    train_frames: Sequence[Frame],
    seed: int,
    anchors: Anchors = Anchors(),  # noqa: B008 (frozen)
) -> tuple[Potential, dict[str, Any]]:
    """A potential ready to be fine-tuned, and a record of what it carries.

    The weights come from `pretrained` where the initialisation names a recipe; the energy head is fresh, or carried
    over times one factor s = Σ F·F_pre / Σ F_pre² fitted on a few training frames. The energy scale of a fresh head is
    the root mean square force of the training frames. The energy per element is fitted last, on what the network
    leaves over: a correction of the energies of isolated atoms, `anchors`, where these are known.

    Raises:
        InputError: the checkpoint is of another backbone, its head predicts no forces that could be carried, or the
            labels do not belong to the isolated atoms.
    """
    potential = make_potential(backbone, seed_for(seed, "weights"))
    record: dict[str, Any] = {
        "initialisation": initialisation.used(),
        "loaded": [],
        "fresh": [],
    }
    rms_force = float(np.sqrt(np.mean(np.concatenate([frame.forces for frame in train_frames]) ** 2)))
    if pretrained is None:
        state = potential.state_dict()
        record |= {"energy_head": "fresh", "fresh": sorted(state), "n_loaded": 0}
        record["n_fresh"] = sum(tensor.numel() for tensor in state.values())
        potential.energy_scale.fill_(rms_force)
        fit_scales(potential.backbone, train_frames)
    else:
        source = load_potential(pretrained, expected_settings=backbone)
        record |= transfer_weights(potential, source.state_dict(), initialisation.energy_head)
        if initialisation.energy_head == "carried":
            record["head_factor"], record["head_force_correlation"] = carry_head(
                potential, source, train_frames, str(pretrained)
            )
        else:
            potential.energy_scale.fill_(rms_force)
    record["energy_scale"] = float(potential.energy_scale)
    record["reference_energies"] = _fit_references(potential, train_frames, anchors)
    fitted = potential.reference_energies
    record["reference_energies_ev"] = {str(z): float(fitted[z]) for z in potential.reference.compositions.elements}
    return potential, record


def _fit_references(potential: Potential, train_frames: Sequence[Frame], anchors: Anchors) -> dict[str, Any]:
    """Set the reference energies and what they rest on; returns a JSON-ready record of the latter."""
    species = [frame.species for frame in train_frames]
    energies = np.array([frame.energy for frame in train_frames])
    check_anchors(species, energies, anchors, "labels of the training frames")
    potential.reference_energies.zero_()
    predicted, _ = predict(potential, train_frames)
    fitted = fit_reference_energies(species, energies - predicted, anchors.array)
    potential.reference_energies.copy_(torch.from_numpy(fitted))
    potential.reference = Reference(Compositions.of(species), anchors)
    compositions = potential.reference.compositions
    return potential.reference.to_record() | {
        "n_elements": len(compositions.elements),
        "n_determined": compositions.rank,
        "undetermined": compositions.undetermined,
        "summary": potential.reference.summary,
        "correction_ev": {
            symbol: float(fitted[z] - anchors.array[z])
            for symbol, z in zip(symbols_of(compositions.elements), compositions.elements, strict=True)
        },
    }


def carry_head(
    potential: Potential, source: Potential, train_frames: Sequence[Frame], where: str
) -> tuple[float, float]:
    """Scale `potential` so that its forces fit the labels best; returns the factor and the forces' correlation.

    Raises:
        InputError: the pre-trained head predicts no forces.
    """
    potential.energy_scale.copy_(source.energy_scale)
    chosen = [
        train_frames[int(i)] for i in np.unique(np.linspace(0, len(train_frames) - 1, FRAMES_FOR_FACTOR).astype(int))
    ]
    predicted = np.concatenate(predict(potential, chosen)[1]).astype(float)
    reference = np.concatenate([frame.forces for frame in chosen]).astype(float)
    if potential.repulsion is not None:
        # The factor is that of the network: what the repulsion gives is not scaled.
        scale = potential.energy_scale.clone()
        potential.energy_scale.zero_()
        of_repulsion = np.concatenate(predict(potential, chosen)[1]).astype(float)
        potential.energy_scale.copy_(scale)
        predicted, reference = predicted - of_repulsion, reference - of_repulsion
    norm = float((predicted**2).sum())
    if norm == 0:
        raise InputError(f"{where}: the pre-trained energy head gives no forces: use energy_head fresh")
    factor = float((reference * predicted).sum()) / norm
    potential.energy_scale.mul_(factor)
    return factor, float(np.corrcoef(reference.ravel(), predicted.ravel())[0, 1])
