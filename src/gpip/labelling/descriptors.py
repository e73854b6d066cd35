"""Numbers that describe a configuration, between which distances are taken: [n_frames, n_components]."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpip.config.labels import BackboneDescriptor, Descriptor, SOAPDescriptor
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.progress import progress

FRAMES_PER_BATCH = 8


def describe_frames(settings: Descriptor, frames: Sequence[Frame], checkpoint: Path | None = None) -> np.ndarray:
    """The descriptor of each frame, each component divided by its standard deviation over the frames.

    Components that do not vary are left out.

    Args:
        settings: which descriptor.
        frames: configurations of any systems.
        checkpoint: of the pre-trained network, for its features.

    Raises:
        InputError: the checkpoint cannot be used, or the package of the descriptor is missing.
    """
    if isinstance(settings, BackboneDescriptor):
        values = backbone_features(checkpoint, frames)
    else:
        values = soap(settings, frames)
    spread = values.std(axis=0)
    varying = spread > 1e-8 * np.abs(values).max(initial=1e-300)
    return (values[:, varying] - values[:, varying].mean(axis=0)) / spread[varying]


def backbone_features(checkpoint: Path, frames: Sequence[Frame]) -> np.ndarray:
    """Scalar features of the atoms of a network, averaged over the atoms of each frame."""
    import torch

    from gpip.graphs.batching import graph_from_frames
    from gpip.models.checkpoint import load_potential

    backbone = load_potential(checkpoint).backbone.eval()
    found = []
    with torch.no_grad():
        starts = range(0, len(frames), FRAMES_PER_BATCH)
        for start in progress(starts, len(starts), "descriptor", "batch"):
            batch = [frames[index] for index in range(start, min(start + FRAMES_PER_BATCH, len(frames)))]
            graph = graph_from_frames(batch, backbone.cutoff_angstrom)
            scalars = backbone(graph).scalars.double().numpy()
            parts = np.split(scalars, np.cumsum([frame.n_atoms for frame in batch])[:-1])
            found += [part.mean(axis=0) for part in parts]
    return np.stack(found)


def soap(settings: SOAPDescriptor, frames: Sequence[Frame]) -> np.ndarray:
    """SOAP of dscribe, averaged over the atoms of each frame after the power spectrum (its `outer` average)."""
    try:
        from dscribe.descriptors import SOAP
    except ImportError:
        raise InputError(
            "the descriptor soap needs the package dscribe: pip install 'gpip[soap]', or use kind: backbone"
        ) from None
    from ase import Atoms

    elements = sorted({int(z) for frame in frames for z in frame.species})
    made = {
        periodic: SOAP(
            species=elements,
            r_cut=settings.cutoff_angstrom,
            n_max=settings.n_max,
            l_max=settings.l_max,
            sigma=settings.sigma_angstrom,
            average="outer",
            periodic=periodic,
        )
        for periodic in (True, False)
    }
    return np.stack(
        [
            made[bool(frame.pbc.any())].create(Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc))
            for frame in progress(frames, len(frames), "descriptor", "frame")
        ]
    )
