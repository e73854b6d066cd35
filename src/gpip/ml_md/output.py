"""The file of an ML-driven run: schema gpip-ml-md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gpip.config.experiments import MLMD
from gpip.core.files import replacing
from gpip.ml_md.force import ReplicaForce

SCHEMA = "gpip-ml-md"
SCHEMA_VERSION = 2


def write_ml_md(
    path: str | Path,
    force: ReplicaForce,
    settings: MLMD,
    start_frames: Sequence[int],
    chunks: Sequence[Mapping[str, np.ndarray]],
    provenance: dict[str, Any],
) -> None:
    """Join the chunks to one file of `settings.n_frames` frames; those after the run ended early are NaN."""
    n_replicas, n_atoms = force.start.shape[:2]
    shapes = {
        "positions": (
            (n_replicas, n_atoms, 3),
            "float32",
            "angstrom",
            ("n_frames", "n_replicas", "n_atoms", 3),
        ),
        "potential_energy": ((n_replicas,), "float64", "eV", ("n_frames", "n_replicas")),
        "kinetic_energy": ((n_replicas,), "float64", "eV", ("n_frames", "n_replicas")),
        "temperature": ((n_replicas,), "float64", "K", ("n_frames", "n_replicas")),
    }
    frame_fs = settings.steps_per_frame * settings.timestep_fs
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        file.attrs.update(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            provenance=json.dumps(provenance, sort_keys=True),
            timestep_fs=settings.timestep_fs,
            target_temperature_kelvin=settings.temperature_kelvin,
        )
        _put(file, "species", np.asarray(force.species, dtype=np.uint8), "1", ("n_atoms",))
        _put(file, "mass", force.masses_amu, "amu", ("n_atoms",))
        _put(file, "pbc", np.asarray(force.pbc, dtype=bool), "1", (3,))
        _put(file, "cell", force.cells.astype(float), "angstrom", ("n_replicas", 3, 3))
        _put(file, "time_fs", np.arange(1, settings.n_frames + 1) * frame_fs, "fs", ("n_frames",))
        _put(file, "start_frame", np.asarray(start_frames, dtype=np.int64), "1", ("n_replicas",))
        _put(file, "unstable_from_fs", force.unstable_from_fs, "fs", ("n_replicas",))
        reasons = np.array(force.unstable_reason, dtype=h5py.string_dtype())
        _put(file, "unstable_reason", reasons, "1", ("n_replicas",))
        for name, (shape, dtype, unit, axes) in shapes.items():
            joined = np.full((settings.n_frames, *shape), np.nan, dtype=dtype)
            done = 0
            for chunk in chunks:
                joined[done : done + len(chunk[name])] = chunk[name]
                done += len(chunk[name])
            _put(file, name, joined, unit, axes)


def _put(file: h5py.File, name: str, values: np.ndarray, unit: str, axes: tuple[str | int, ...]) -> None:
    dataset = file.create_dataset(name, data=values)
    dataset.attrs["unit"] = unit
    dataset.attrs["axes"] = ",".join(map(str, axes))
