"""Name, axes, unit and type of every array in a file, once: writers, readers and docs use this table."""

from typing import NamedTuple

import numpy as np

from gpip.core.errors import InputError


class Field(NamedTuple):
    axes: tuple[str | int, ...]
    unit: str
    dtype: str
    meaning: str


FIELDS: dict[str, Field] = {
    "species": Field(("n_atoms",), "1", "uint8", "atomic numbers, the same in every frame of a system"),
    "positions": Field(("n_frames", "n_atoms", 3), "angstrom", "float32", "as simulated, not wrapped"),
    "cell": Field(("n_frames", 3, 3), "angstrom", "float64", "rows are the lattice vectors; zero without a box"),
    "pbc": Field((3,), "1", "bool", "periodic along each lattice vector"),
    "temperature": Field(("n_frames",), "K", "float64", "of the thermostat; NaN when unknown"),
    "energy": Field(("n_frames",), "eV", "float64", "potential energy of the whole frame"),
    "forces": Field(("n_frames", "n_atoms", 3), "eV/angstrom", "float32", "minus the slope of `energy`"),
    "molecule": Field(("n_atoms",), "1", "int32", "index of the molecule each atom belongs to; -1 when unknown"),
    "mass": Field(("n_atoms",), "amu", "float64", "of each atom; there only where some are isotopes"),
    "source_frame": Field(("n_frames",), "1", "int64", "index of the frame in the file it was drawn from"),
}


def check_shape(name: str, shape: tuple[int, ...], where: str, **sizes: int) -> None:
    """Raise InputError unless `shape` is that of FIELDS[name], with the sizes given by name of axis."""
    axes = FIELDS[name].axes
    expected = tuple(sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in axes)
    fits = len(shape) == len(expected) and all(
        isinstance(want, str) or want == got for want, got in zip(expected, shape, strict=True)
    )
    if not fits:
        raise InputError(f"{where}: {name} has shape {shape}, expected {expected} {axes}")


def check_field(name: str, array: np.ndarray, where: str, **sizes: int) -> None:
    """Raise InputError unless `array` has the axes of FIELDS[name] and holds no NaN (temperature may)."""
    check_shape(name, array.shape, where, **sizes)
    if name != "temperature" and array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.argwhere(~np.isfinite(array))[0][0])
        raise InputError(f"{where}: {name} holds NaN or infinity, first at index {bad}; leave that frame out")
