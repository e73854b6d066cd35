"""Predicted energies and forces beside the labels: their errors, and the file that keeps both."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gpip.core.files import replacing
from gpip.core.frame import Frame
from gpip.metrics.errors import energy_errors, force_errors, force_mae_by_element


def frame_errors(frames: Sequence[Frame], energies: np.ndarray, forces: Sequence[np.ndarray]) -> dict[str, float]:
    """Errors in meV/atom and meV/Å of predictions on labelled frames."""
    n_atoms = np.array([frame.n_atoms for frame in frames])
    reference = np.concatenate([frame.forces for frame in frames])
    return energy_errors(np.array([frame.energy for frame in frames]), energies, n_atoms) | force_errors(
        reference, np.concatenate(forces)
    )


def errors_of_test(frames: Sequence[Frame], energies: np.ndarray, forces: Sequence[np.ndarray]) -> dict[str, Any]:
    """What errors.json says of the test frames: errors of all, and of the forces on each element (meV/Å)."""
    return {
        "test": frame_errors(frames, energies, forces),
        "test_force_mae_mev_per_angstrom_by_element": force_mae_by_element(
            np.concatenate([frame.forces for frame in frames]),
            np.concatenate(forces),
            np.concatenate([frame.species for frame in frames]),
        ),
    }


def write_predictions(
    path: Path,
    frames: Sequence[Frame],
    energies: np.ndarray,
    forces: Sequence[np.ndarray],
    source_frames: Sequence[int],
    made: dict[str, Any],
) -> None:
    """Reference and prediction side by side; forces of all frames joined, `frame` says which one each row is of."""
    columns = {
        "energy_reference": (np.array([frame.energy for frame in frames]), "eV"),
        "energy_predicted": (energies, "eV"),
        "forces_reference": (np.concatenate([frame.forces for frame in frames]), "eV/angstrom"),
        "forces_predicted": (np.concatenate(forces), "eV/angstrom"),
        "species": (np.concatenate([frame.species for frame in frames]), "1"),
        "frame": (np.repeat(np.arange(len(frames)), [frame.n_atoms for frame in frames]), "1"),
        "source_frame": (np.asarray(source_frames), "1"),
    }
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["schema"], file.attrs["schema_version"] = "gpip-predictions", 1
        file.attrs["provenance"] = json.dumps(made)
        for name, (values, unit) in columns.items():
            file.create_dataset(name, data=values).attrs["unit"] = unit
