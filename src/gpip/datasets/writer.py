"""Writes dataset files: `systems/<name>/<field>`, fields by `gpip.core.fields`, complete or not at all."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import mdtraj
import numpy as np

from gpip.core.errors import InputError
from gpip.core.fields import FIELDS, check_field
from gpip.core.files import replacing
from gpip.core.progress import progress
from gpip.core.units import NM_TO_ANGSTROM

SCHEMA = "gpip-dataset"
SCHEMA_VERSION = 1
REQUIRED = ("species", "positions", "cell", "pbc", "temperature")
FRAMES_PER_CHUNK = 256
"""Of fields that are small in each frame; positions and forces take one frame a chunk, for random access."""

LabelFunction = Callable[[Path, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(system.xml, positions [n_frames, n_atoms, 3] in Å, cell [n_frames, 3, 3] in Å) -> energy [n_frames] in eV,
forces [n_frames, n_atoms, 3] in eV/Å."""


class ClassicalRun(NamedTuple):
    """The files of one classical MD run."""

    system: str
    temperature_kelvin: float
    trajectory: Path
    """mdtraj HDF5."""
    system_xml: Path | None = None
    """Serialised OpenMM System: the force field that energies and forces are computed with, if any are."""


class DatasetWriter:
    """Appends frames to the systems of one file that is being written."""

    def __init__(self, file: h5py.File, shown_path: Path) -> None:
        self._systems = file.create_group("systems")
        self._shown_path = shown_path

    def append(self, system: str, **fields: Any) -> None:
        """Append frames to a system; the first call makes it and fixes its fields, species and molecules.

        Args:
            system: name of the group under `systems/`.
            **fields: arrays by the names, axes and units of FIELDS.

        Raises:
            InputError: wrong shape, NaN, or not the same fields, species or molecules as before.
        """
        where = f"{self._shown_path}, system {system!r}"
        assert set(REQUIRED) <= set(fields) <= set(FIELDS), sorted(fields)
        sizes = {"n_frames": len(fields["positions"]), "n_atoms": len(fields["species"])}
        arrays = {}
        for name, values in fields.items():
            check_field(name, np.asarray(values), where, **sizes)
            arrays[name] = np.asarray(values, dtype=FIELDS[name].dtype)
        if system not in self._systems:
            group = self._systems.create_group(system)
            for name, array in arrays.items():
                _create(group, name, array)
            return
        group = self._systems[system]
        if set(group) != set(arrays):
            raise InputError(f"{where}: fields {sorted(arrays)} cannot be appended to {sorted(group)}")
        for name, array in arrays.items():
            if FIELDS[name].axes[0] == "n_frames":
                before = len(group[name])
                group[name].resize(before + len(array), axis=0)
                group[name][before:] = array
            elif not np.array_equal(group[name], array):
                raise InputError(
                    f"{where}: {name} differs between runs of one system: "
                    "atoms must be the same in the same order; give the other system another name"
                )


def _create(group: h5py.Group, name: str, array: np.ndarray) -> None:
    field = FIELDS[name]
    if field.axes[0] == "n_frames":
        frames = 1 if "n_atoms" in field.axes else FRAMES_PER_CHUNK
        layout = {"maxshape": (None, *array.shape[1:]), "chunks": (frames, *array.shape[1:])}
    else:
        layout = {}
    dataset = group.create_dataset(name, data=array, **layout)
    dataset.attrs["unit"] = field.unit
    dataset.attrs["axes"] = json.dumps(field.axes)


@contextmanager
def dataset_writer(path: str | Path, provenance: Mapping[str, Any]) -> Iterator[DatasetWriter]:
    """A writer for `path`, which appears when the block ends without error."""
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["provenance"] = json.dumps(provenance, sort_keys=True)
        yield DatasetWriter(file, Path(path))


def write_dataset(path: str | Path, systems: Mapping[str, Mapping[str, Any]], provenance: Mapping[str, Any]) -> None:
    """Write whole systems: name -> fields by the names, axes and units of FIELDS."""
    with dataset_writer(path, provenance) as writer:
        for name, fields in systems.items():
            writer.append(name, **fields)


def write_dataset_from_runs(
    path: str | Path,
    runs: Sequence[ClassicalRun],
    provenance: Mapping[str, Any],
    label_function: LabelFunction | None = None,
) -> None:
    """Write the frames of classical runs: one group a system, temperatures ascending, each in order of time.

    With `label_function`, energies and forces of the force field are computed at the stored positions.

    Raises:
        InputError: no runs, a trajectory that cannot be read, or runs of one system with different atoms.
    """
    if not runs:
        raise InputError(f"{path}: no classical runs were given to make a data set from")
    ordered = sorted(runs, key=lambda run: (run.system, run.temperature_kelvin))
    with dataset_writer(path, provenance) as writer:
        for run in progress(ordered, len(ordered), "dataset", "run"):
            fields = read_run(run)
            if label_function is not None:
                fields["energy"], fields["forces"] = label_function(run.system_xml, fields["positions"], fields["cell"])
            writer.append(run.system, **fields)


def read_run(run: ClassicalRun) -> dict[str, np.ndarray]:
    """Fields of the frames of one classical run, in the units of data sets.

    Raises:
        InputError: the trajectory is missing, damaged, or holds a particle that is no atom.
    """
    try:
        trajectory = mdtraj.load_hdf5(str(run.trajectory))
    except (OSError, LookupError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"{run.trajectory}: not a complete mdtraj HDF5 trajectory ({reason}); delete it and run again"
        ) from None
    species = np.array([atom.element.atomic_number for atom in trajectory.topology.atoms])
    if not species.all():
        name = list(trajectory.topology.atoms)[int(np.argmin(species))]
        raise InputError(f"{run.trajectory}: {name} is no atom; force fields with virtual sites are not supported")
    with h5py.File(run.trajectory, "r", locking=False) as file:
        masses = {"mass": file["mass"][...]} if "mass" in file else {}
    periodic = trajectory.unitcell_vectors is not None
    cell = trajectory.unitcell_vectors if periodic else np.zeros((trajectory.n_frames, 3, 3))
    return {
        "species": species,
        "positions": (trajectory.xyz.astype(np.float64) * NM_TO_ANGSTROM).astype(np.float32),
        "cell": cell.astype(np.float64) * NM_TO_ANGSTROM,
        "pbc": np.full(3, periodic),
        "temperature": np.full(trajectory.n_frames, run.temperature_kelvin),
        "molecule": _molecules(trajectory.topology),
        **masses,
    }


def _molecules(topology: mdtraj.Topology) -> np.ndarray:
    """Index of the molecule of each atom by the bonds of the topology; -1 where it knows no bonds."""
    molecule = np.full(topology.n_atoms, -1)
    if topology.n_bonds or topology.n_residues == topology.n_atoms:
        for index, atoms in enumerate(topology.find_molecules()):
            molecule[[atom.index for atom in atoms]] = index
    return molecule
