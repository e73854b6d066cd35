"""One ML-driven run: replicas of one fine-tuned network from several start configurations."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from gpip.config.experiments import MLMD
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.ml_md.dynamics import ReplicaDynamics
from gpip.ml_md.force import ReplicaForce, masses_amu
from gpip.ml_md.output import write_ml_md
from gpip.simulation.chunks import WorkFolder
from gpip.simulation.platforms import choose_platform
from gpip.simulation.runner import run_dynamics, stretches


def run_ml_md(
    potential: nn.Module,
    frames: Sequence[Frame],
    start_frames: Sequence[int],
    settings: MLMD,
    seed: int,
    trajectory_path: str | Path,
    n_threads: int = 1,
    device: str = "cpu",
    inputs: Iterable[str | Path] = (),
) -> None:
    """Run one replica from each frame at constant volume and write `trajectory.h5` (schema gpip-ml-md).

    The integration is done on OpenMM's Reference platform, in double precision, the network on `device`. A
    run that was killed continues from its last complete chunk when it is called again with the same arguments.

    Args:
        potential: see ReplicaForce.
        start_frames: index of each frame in the file it is from.
        seed: of this run alone.
        inputs: files whose digests go into the provenance.

    Raises:
        InputError: frames of different atoms, or not as many as start_frames.
    """
    if len(frames) != len(start_frames):
        raise InputError(f"ML-MD: {len(frames)} start configurations, but {len(start_frames)} indices of them")
    if frames:
        settings = settings.model_copy(update={"thermostat": settings.thermostat_of(bool(np.any(frames[0].pbc)))})
    record = provenance("ml_md", settings, seed, inputs)
    run_seed = seed_for(seed, "ml_md")
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        force = ReplicaForce(potential, frames, settings, device)
        dynamics = ReplicaDynamics(force, settings, run_seed)
        content = _content(potential, frames)
        folder = WorkFolder(trajectory_path, {**record, "device": device, "content": content})
        plan = stretches(settings.n_frames, settings.steps_per_frame, settings.frames_per_checkpoint)
        run_dynamics(dynamics, plan, folder, choose_platform("Reference"), run_seed, "ML-MD")
    finally:
        torch.set_num_threads(before)
    # A run that was complete before has yet to learn what its last chunk knew.
    force.recall(folder.load(folder.n_chunks - 1).memory)
    write_ml_md(trajectory_path, force, settings, start_frames, list(folder.records()), record)
    folder.remove()


def _content(potential: nn.Module, frames: Sequence[Frame]) -> str:
    """Digest of the weights and the start configurations."""
    digest = hashlib.sha256()
    for name, tensor in potential.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    for frame in frames:
        for array in (frame.species, frame.positions, frame.cell, frame.pbc, masses_amu(frame)):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
