"""Reading the trajectory file of an ML-driven run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gpip.core.errors import InputError

SCHEMA, SCHEMA_VERSION = "gpip-ml-md", 2
NAMES_IN_1 = {"unstable_from_fs": "came_apart_fs", "unstable_reason": "came_apart_reason"}
"""What two fields were called in version 1, which is the same otherwise."""
UNITS = {
    "cell": "angstrom",
    "time_fs": "fs",
    "positions": "angstrom",
    "potential_energy": "eV",
    "kinetic_energy": "eV",
    "temperature": "K",
}


@dataclass(frozen=True)
class MLMDRun:
    """All replicas of one run; positions are read one replica at a time."""

    path: Path
    species: np.ndarray
    cell: np.ndarray
    """[n_replicas, 3, 3], angstrom."""
    time_fs: np.ndarray
    """[n_frames]"""
    potential_energy: np.ndarray
    """[n_frames, n_replicas], eV; as all below NaN once a replica became unstable."""
    kinetic_energy: np.ndarray
    temperature: np.ndarray
    unstable_from_fs: np.ndarray
    """[n_replicas]; NaN where it was stable to the end."""
    unstable_reason: tuple[str, ...]
    timestep_fs: float
    target_temperature_kelvin: float
    provenance: dict[str, Any]

    @property
    def n_replicas(self) -> int:
        return len(self.cell)

    @property
    def step_ps(self) -> float:
        """Between frames."""
        times = self.time_fs
        if len(times) == 1:
            return float(times[0] or self.timestep_fs) / 1000
        return float((times[-1] - times[0]) / (len(times) - 1)) / 1000

    def n_held(self, replica: int) -> int:
        """Frames before the replica became unstable."""
        finite = np.isfinite(self.potential_energy[:, replica])
        end = self.unstable_from_fs[replica]
        held = finite if np.isnan(end) else finite & (self.time_fs < end)
        return len(held) if held.all() else int(np.argmin(held))

    def held_ps(self, replica: int) -> float:
        """Time to the end, or until the replica became unstable."""
        end = self.unstable_from_fs[replica]
        return float(self.time_fs[-1] if np.isnan(end) else end) / 1000

    def positions(self, replica: int) -> np.ndarray:
        """[n_held, n_atoms, 3], angstrom, unwrapped."""
        with h5py.File(self.path) as file:
            return file["positions"][: self.n_held(replica), replica]


def read_ml_md(path: str | Path) -> MLMDRun:
    """Open a run. Raises InputError for another kind of file or version, missing fields, other units."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5 ({error}): is it truncated? make it again") from None
    with file:
        found = file.attrs.get("schema"), file.attrs.get("schema_version")
        if found not in ((SCHEMA, 1), (SCHEMA, SCHEMA_VERSION)):
            raise InputError(f"{path}: schema and version {found}, expected {(SCHEMA, SCHEMA_VERSION)}")
        old = NAMES_IN_1 if found[1] == 1 else {}
        from_fs, reason = (old.get(name, name) for name in NAMES_IN_1)
        missing = sorted({*UNITS, "species", from_fs, reason} - set(file))
        if missing:
            raise InputError(f"{path}: {', '.join(missing)} missing; make it again")
        for name, unit in UNITS.items():
            if file[name].attrs.get("unit") != unit:
                raise InputError(f"{path}: {name} has unit {file[name].attrs.get('unit')!r}, expected {unit!r}")
        if not len(file["time_fs"]):
            raise InputError(f"{path} holds no frames: lengthen ml_md.duration_ps")
        return MLMDRun(
            path=Path(path),
            species=file["species"][...],
            unstable_reason=tuple(file[reason].asstr()[...]),
            timestep_fs=float(file.attrs["timestep_fs"]),
            target_temperature_kelvin=float(file.attrs["target_temperature_kelvin"]),
            provenance=json.loads(file.attrs.get("provenance", "{}")),
            unstable_from_fs=file[from_fs][...].astype(float),
            **{name: file[name][...].astype(float) for name in UNITS if name != "positions"},
        )
