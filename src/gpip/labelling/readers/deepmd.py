"""Reads labels from a DeePMD folder: type.raw, type_map.raw, set.*/{coord,box,energy,force}.npy in Å and eV.

Format: DeePMD-kit documentation, "System". `nopbc` marks a system without a box.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from gpip.config.readers import DeePMDLabels
from gpip.core.errors import InputError, unknown_name
from gpip.core.fields import check_field
from gpip.labelling.readers.base import Fields, Reader


class DeePMDReader(Reader[DeePMDLabels]):
    """A DeePMD folder of one system."""

    def files(self) -> list[Path]:
        """See Reader."""
        return data_files(self.path)

    def count_frames(self) -> int:
        """See Reader."""
        return count_frames(self.path)

    def read(self, name: str) -> Iterator[tuple[str, Fields]]:
        """See Reader."""
        yield name, read_deepmd(self.path)


def data_files(folder: Path) -> list[Path]:
    """Every file of a DeePMD folder that its labels come from."""
    return sorted([*folder.glob("*.raw"), *folder.glob("nopbc"), *folder.glob("set.*/*.npy")])


def count_frames(folder: Path) -> int:
    """Number of frames in a DeePMD folder."""
    return sum(len(_load(part / "coord.npy")) for part in _sets(folder))


def read_deepmd(folder: Path) -> dict[str, np.ndarray]:
    """Fields species, positions, cell, pbc, energy and forces of all sets in order, promoted to float64.

    Raises:
        InputError: a file is missing, an array has the wrong shape or holds NaN, or an element is not known.
    """
    species = _species(folder)
    n_atoms = len(species)
    periodic = not (folder / "nopbc").exists()
    parts = []
    for part in _sets(folder):
        n_frames = len(_load(part / "coord.npy"))
        shapes = {"coord": (n_frames, n_atoms, 3), "energy": (n_frames,), "force": (n_frames, n_atoms, 3)}
        if periodic:
            shapes["box"] = (n_frames, 3, 3)
        arrays = {name: _shaped(part / f"{name}.npy", shape) for name, shape in shapes.items()}
        parts.append(arrays | ({} if periodic else {"box": np.zeros((n_frames, 3, 3))}))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("coord", "box", "energy", "force")}
    fields = {
        "species": species,
        "pbc": np.full(3, periodic),
        "positions": joined["coord"],
        "cell": joined["box"],
        "energy": joined["energy"],
        "forces": joined["force"],
    }
    for name, values in fields.items():
        check_field(name, values, str(folder))
    return fields


def _sets(folder: Path) -> list[Path]:
    sets = sorted(folder.glob("set.*"))
    if not sets:
        raise InputError(f"{folder}: no folder set.000 in it; expected a DeePMD folder with set.*/coord.npy")
    if any((part / "real_atom_types.npy").exists() for part in sets):
        raise InputError(f"{folder}: mixed-type sets are not supported; write one folder for each composition")
    return sets


def _species(folder: Path) -> np.ndarray:
    """Atomic numbers, [n_atoms]."""
    texts = {}
    for name in ("type.raw", "type_map.raw"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: {name} is missing, without which the elements are not known")
        texts[name] = (folder / name).read_text(encoding="utf-8").split()
    elements = texts["type_map.raw"]
    for element in elements:
        if element not in atomic_numbers or element == "X":
            raise unknown_name(f"{folder}/type_map.raw: element", element, set(atomic_numbers) - {"X"})
    known = {str(index): atomic_numbers[element] for index, element in enumerate(elements)}
    beyond = set(texts["type.raw"]) - set(known)
    if beyond or not texts["type.raw"]:
        raise InputError(f"{folder}/type.raw: types {sorted(beyond)} are none of 0 to {len(elements) - 1}")
    return np.array([known[index] for index in texts["type.raw"]])


def _load(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"{path} is missing; labels need coord, energy, force, and box unless nopbc is there")
    try:
        return np.load(path, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not a complete .npy file ({error})") from None


def _shaped(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    values = _load(path)
    if values.size != np.prod(shape) or len(values) != shape[0]:
        raise InputError(f"{path}: shape {values.shape} does not hold {shape}; frames, atoms or sets do not match")
    return values.astype(np.float64).reshape(shape)
