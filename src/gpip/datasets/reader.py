"""Reads dataset files: checked when opened, frames by index, safe in the workers of a data loader."""

import json
import os
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase.data import chemical_symbols

from gpip.core.errors import InputError, unknown_name
from gpip.core.fields import FIELDS, check_field, check_shape
from gpip.core.frame import Frame
from gpip.datasets.writer import REQUIRED, SCHEMA, SCHEMA_VERSION

PER_ATOM = ("positions", "forces")
MEMORY_LIMIT_BYTES = 512 * 2**20
"""Positions and forces of a file up to this size are kept in memory once used."""


@dataclass(frozen=True, eq=False)
class SystemRecord:
    """What is known of one system without its positions and forces."""

    name: str
    n_frames: int
    species: np.ndarray
    """Atomic numbers, [n_atoms]."""
    pbc: np.ndarray
    cell: np.ndarray
    """[n_frames, 3, 3], angstrom."""
    temperature: np.ndarray
    """[n_frames], K."""
    has_forces: bool
    energy: np.ndarray | None = None
    """[n_frames], eV."""
    molecule: np.ndarray | None = None
    """[n_atoms]; -1 when unknown."""
    source_frame: np.ndarray | None = None
    """[n_frames]."""
    mass: np.ndarray | None = None
    """[n_atoms], amu; None where all are standard atomic weights."""

    @property
    def n_atoms(self) -> int:
        return len(self.species)


class _Arrays:
    """Positions and forces of one file, opened on first use in each process."""

    def __init__(self, path: Path, memory_limit_bytes: int) -> None:
        self._path = path
        self._memory_limit_bytes = memory_limit_bytes
        self._close()

    def _close(self) -> None:
        self._file: h5py.File | None = None
        self._process = 0
        self._found: dict[tuple[str, str], Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_memory_limit_bytes": self._memory_limit_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._close()

    def get(self, system: str, name: str) -> Any:
        """The array, or the HDF5 dataset where the file is above the memory limit."""
        if self._file is not None and self._process != os.getpid():
            # A forked process shares the file position of its parent's handle: read through one of its own.
            self._file.close()
            self._found = {key: kept for key, kept in self._found.items() if isinstance(kept, np.ndarray)}
            self._file = None
        if (system, name) not in self._found:
            if self._file is None:
                self._file, self._process = _open(self._path), os.getpid()
            dataset = self._file["systems"][system][name]
            small = self._path.stat().st_size <= self._memory_limit_bytes
            self._found[system, name] = dataset[...] if small else dataset
        return self._found[system, name]


class Dataset(Sequence[Frame]):
    """The frames of a dataset file by one index that runs over its systems in order of name.

    The file is checked when opened: schema, version, units, shapes, and the values of all small fields.

    Args:
        path: the file.
        memory_limit_bytes: positions and forces are kept in memory when the file is at most this large.

    Raises:
        InputError: the file is missing, damaged, of another schema or version, or a field is wrong.
    """

    def __init__(self, path: str | Path, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self.path = Path(path)
        with _open(self.path) as file:
            self.provenance: dict[str, Any] = _check_root(file, self.path)
            self.systems = {name: _read_system(self.path, file["systems"], name) for name in file["systems"]}
        self._names = list(self.systems)
        self._ends = np.cumsum([system.n_frames for system in self.systems.values()])
        self._chosen: np.ndarray | None = None
        self._arrays = _Arrays(self.path, memory_limit_bytes)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._chosen is None else len(self._chosen)

    def _locate(self, index: int) -> tuple[SystemRecord, int]:
        """System and frame inside it of an index of this data set."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path}: frame {index} of {len(self)}")
        index = index % len(self)
        if self._chosen is not None:
            index = int(self._chosen[index])
        number = int(np.searchsorted(self._ends, index, side="right"))
        system = self.systems[self._names[number]]
        return system, index - int(self._ends[number]) + system.n_frames

    def __getitem__(self, index: int) -> Frame:
        system, frame = self._locate(index)
        return Frame(
            species=system.species,
            positions=self._arrays.get(system.name, "positions")[frame],
            cell=system.cell[frame],
            pbc=system.pbc,
            energy=None if system.energy is None else float(system.energy[frame]),
            forces=self._arrays.get(system.name, "forces")[frame] if system.has_forces else None,
            temperature_kelvin=float(system.temperature[frame]),
            system=system.name,
            masses_amu=system.mass,
        )

    def system_of(self, index: int) -> str:
        """Name of the system of a frame."""
        return self._locate(index)[0].name

    def source_frame_of(self, index: int) -> int:
        """Number of a frame in the file it was drawn from; that in its system where this is not known."""
        system, frame = self._locate(index)
        return frame if system.source_frame is None else int(system.source_frame[frame])

    def runs(self) -> list[tuple[str, float, range]]:
        """System, temperature in K and indices of each stretch of frames of one system at one temperature."""
        found = []
        for system, end in zip(self.systems.values(), self._ends, strict=True):
            first = int(end) - system.n_frames
            kelvin = np.nan_to_num(system.temperature, nan=-1.0)
            starts = np.flatnonzero(np.diff(kelvin, prepend=np.inf))
            for start, stop in pairwise([*starts.tolist(), system.n_frames]):
                found.append((system.name, float(system.temperature[start]), range(first + start, first + stop)))
        return found

    def name_of(self, index: int) -> str:
        """Where a frame is, in words: file, system, number within it, number in the source where that is known."""
        system, frame = self._locate(index)
        source = "" if system.source_frame is None else f" (number {system.source_frame[frame]} of its source)"
        return f"{self.path}, system {system.name!r}, frame {frame}{source}"

    def first_frame(self, system: str) -> int:
        """Index in the whole file of the first frame of a system.

        Raises:
            InputError: no such system.
        """
        if system not in self.systems:
            raise unknown_name(f"{self.path}: system", system, self.systems)
        return int(self._ends[self._names.index(system)]) - self.systems[system].n_frames

    def subset(self, indices: Iterable[int]) -> "Dataset":
        """The frames of these indices, in this order, as a data set; file and memory are shared.

        Raises:
            InputError: an index is beyond the frames.
        """
        chosen = np.fromiter(indices, dtype=np.int64)
        if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(self)):
            raise InputError(
                f"{self.path}: frames {chosen.min()} to {chosen.max()} are wanted of {len(self)}: "
                "was the split made for another file?"
            )
        part = copy(self)
        part._chosen = chosen if self._chosen is None else self._chosen[chosen]
        return part

    def frames(self, indices: Iterable[int]) -> list[Frame]:
        """The frames of these indices."""
        return [self[index] for index in indices]

    def arrays(self, system: str) -> dict[str, np.ndarray]:
        """All fields of one system as whole arrays with the axes of FIELDS; of a subset, its frames of it."""
        first = self.first_frame(system)
        record = self.systems[system]
        names = [*PER_ATOM] if record.has_forces else ["positions"]
        found = {name: self._arrays.get(system, name)[...] for name in names}
        small = {name: getattr(record, name) for name in FIELDS if name not in PER_ATOM}
        found |= {name: array for name, array in small.items() if array is not None}
        if self._chosen is None:
            return found
        chosen = self._chosen[(self._chosen >= first) & (self._chosen < first + record.n_frames)] - first
        per_frame = [name for name in found if FIELDS[name].axes[0] == "n_frames"]
        return found | {name: found[name][chosen] for name in per_frame}

    def check(self) -> None:
        """Read every value. Raises InputError at the first that is not finite or cannot be read."""
        block = 256
        for name, system in self.systems.items():
            for field in PER_ATOM if system.has_forces else ("positions",):
                for start in range(0, system.n_frames, block):
                    where = f"{self.path}, system {name!r}, counted from frame {start}"
                    try:
                        values = self._arrays.get(name, field)[start : start + block]
                    except OSError as error:
                        raise InputError(f"{where}: {field} cannot be read ({error}); make it again") from None
                    check_field(field, values, where)


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise InputError(f"{path}: no such dataset file")
    try:
        # Files are never changed in place, so locks, which some network file systems lack, are not needed.
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise InputError(f"{path}: not a complete HDF5 file ({error}); delete it and make it again") from None


def _check_root(file: h5py.File, path: Path) -> dict[str, Any]:
    schema, version = file.attrs.get("schema"), file.attrs.get("schema_version")
    if not isinstance(schema, str) or schema != SCHEMA:
        raise InputError(f"{path}: schema is {schema!r}, expected {SCHEMA!r}: this is not a dataset file")
    if np.ndim(version) or version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version is {version}, this program reads {SCHEMA_VERSION}: "
            "make the file again, or update the program"
        )
    if not len(_member(file, "systems", h5py.Group, str(path))):
        raise InputError(f"{path}: holds no system; make the file again")
    try:
        record = json.loads(file.attrs.get("provenance", "{}"))
    except (TypeError, ValueError) as error:  # the latter also for text that is not UTF-8
        raise InputError(f"{path}: the provenance is no JSON ({error}); make the file again") from None
    if not isinstance(record, dict):
        raise InputError(f"{path}: the provenance is {type(record).__name__}, expected a mapping; make the file again")
    return record


def _member(group: h5py.Group, name: str, kind: type, where: str) -> Any:
    """A member of a group that must be there and be an HDF5 group or dataset. Links must lead to one."""
    try:
        member = group[name]
    except (KeyError, OSError) as error:
        raise InputError(f"{where}: {name} cannot be opened ({error}); make the file again") from None
    if not isinstance(member, kind):
        found, expected = type(member).__name__.lower(), kind.__name__.lower()
        raise InputError(f"{where}: {name} is an HDF5 {found}, expected a {expected}; make the file again")
    return member


def _read_system(path: Path, systems: h5py.Group, name: str) -> SystemRecord:
    where = f"{path}, system {name!r}"
    group = _member(systems, name, h5py.Group, str(path))
    missing = [field for field in REQUIRED if field not in group]
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} missing; make the file again")
    for field in group:
        if field not in FIELDS:
            raise unknown_name(f"{where}: field", field, FIELDS)
        unit, expected = _member(group, field, h5py.Dataset, where).attrs.get("unit"), FIELDS[field]
        if not isinstance(unit, str) or unit != expected.unit:
            raise InputError(f"{where}: {field} is in {unit!r}, expected {expected.unit!r}; make the file again")
        if group[field].dtype != np.dtype(expected.dtype):
            raise InputError(f"{where}: {field} is of type {group[field].dtype}, expected {expected.dtype}")
    check_shape("positions", group["positions"].shape, where)
    sizes = dict(zip(("n_frames", "n_atoms"), group["positions"].shape, strict=False))
    for field in group:
        check_shape(field, group[field].shape, where, **sizes)
    if not sizes["n_atoms"]:
        raise InputError(f"{where}: holds no atoms; make the file again")
    try:
        small = {field: group[field][...] for field in group if field not in PER_ATOM}
    except (OSError, MemoryError) as error:
        raise InputError(f"{where}: cannot be read ({error}); make the file again") from None
    for field, values in small.items():
        check_field(field, values, where, **sizes)
    if not ((small["species"] >= 1) & (small["species"] < len(chemical_symbols))).all():
        raise InputError(
            f"{where}: species are atomic numbers from 1 to {len(chemical_symbols) - 1}, found "
            f"{small['species'].min()} to {small['species'].max()}; make the file again"
        )
    if small["pbc"].any() and not (np.linalg.det(small["cell"]) != 0).all():
        raise InputError(f"{where}: periodic, but the cell of a frame has no volume; make the file again")
    return SystemRecord(name=name, n_frames=sizes["n_frames"], has_forces="forces" in group, **small)
