"""Reads labels from a NumPy archive of one molecule, as those of MD17, rMD17 and sGDML.

Formats: http://www.sgdml.org (keys R, E, F, z; e_unit, r_unit and lattice may be there) and
https://doi.org/10.6084/m9.figshare.12672038 (rMD17: coords, energies, forces, nuclear_charges).
"""

from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gpip.config.readers import NPZLabels
from gpip.core.errors import InputError
from gpip.core.fields import check_field
from gpip.core.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV, KCAL_PER_MOL_TO_EV, KJ_PER_MOL_TO_EV
from gpip.labelling.readers.base import Fields, Reader

KEYS = {
    "positions": ("R", "positions", "coords"),
    "energy": ("E", "energy", "energies"),
    "forces": ("F", "forces"),
    "species": ("z", "atomic_numbers", "nuclear_charges"),
}
BOX_KEYS = ("lattice", "cell", "pbc")
TO_EV = {"kcal/mol": KCAL_PER_MOL_TO_EV, "kJ/mol": KJ_PER_MOL_TO_EV, "eV": 1.0, "hartree": HARTREE_TO_EV}
TO_ANGSTROM = {"angstrom": 1.0, "bohr": BOHR_TO_ANGSTROM}
SPELLINGS = {"ang": "angstrom", "a": "angstrom", "å": "angstrom", "au": "bohr", "a.u.": "bohr", "ha": "hartree"}
"""How sGDML's files may write a unit, in small letters."""


class NPZReader(Reader[NPZLabels]):
    """A NumPy archive of one molecule."""

    def files(self) -> list[Path]:
        """See Reader."""
        return [self.path]

    def count_frames(self) -> int:
        """See Reader."""
        return count_frames(self.settings, self.path)

    def read(self, name: str) -> Iterator[tuple[str, Fields]]:
        """See Reader."""
        yield name, read_npz(self.settings, self.path)


def count_frames(settings: NPZLabels, path: Path) -> int:
    """Number of frames in an archive, by its energies. Raises InputError when it has none or cannot be read."""
    return int(_arrays(settings, path, ("energy",))["energy"].size)


def read_npz(settings: NPZLabels, path: Path) -> dict[str, np.ndarray]:
    """Fields species, positions, cell, pbc, energy and forces, in eV and Å, float64.

    Raises:
        InputError: an array is missing, has the wrong shape or holds NaN, the atoms are not the same in all frames,
            the file gives other units than the settings, or has a box.
    """
    arrays = _arrays(settings, path, tuple(KEYS))
    positions, forces = arrays["positions"], arrays["forces"]
    n_frames = arrays["energy"].size
    if positions.ndim != 3 or positions.shape[0] != n_frames or positions.shape[2] != 3:
        raise InputError(
            f"{path}: positions have shape {positions.shape}, expected (n_frames, n_atoms, 3) with {n_frames} frames, "
            "as many as energies"
        )
    if forces.shape != positions.shape:
        raise InputError(f"{path}: forces have shape {forces.shape}, expected {positions.shape}, that of positions")
    to_ev, to_angstrom = TO_EV[settings.energy_unit], TO_ANGSTROM[settings.length_unit]
    fields = {
        "species": _species(arrays["species"], n_frames, positions.shape[1], path),
        "pbc": np.zeros(3, dtype=bool),
        "positions": positions.astype(np.float64) * to_angstrom,
        "cell": np.zeros((n_frames, 3, 3)),
        "energy": arrays["energy"].astype(np.float64).reshape(n_frames) * to_ev,
        "forces": forces.astype(np.float64) * (to_ev / to_angstrom),
    }
    for name, values in fields.items():
        check_field(name, values, str(path))
    return fields


def _arrays(settings: NPZLabels, path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The wanted arrays of a file, by our names."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            _check_units(settings, archive, path)
            return {name: archive[_key(settings, name, archive.files, path)] for name in wanted}
    except InputError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not a complete .npz file of plain arrays ({error})") from None


def _key(settings: NPZLabels, name: str, there: list[str], path: Path) -> str:
    if name in settings.keys:
        if settings.keys[name] in there:
            return settings.keys[name]
        expected = f"{settings.keys[name]!r} (keys.{name})"
    else:
        found = [key for key in KEYS[name] if key in there]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"{path}: {name} may be {' or '.join(found)}; say which one under keys: {{{name}: ...}}")
        expected = f"one of {', '.join(KEYS[name])}"
    raise InputError(
        f"{path}: no {name} in it; expected {expected}, the file has {', '.join(there) or 'nothing'}: "
        f"name the array under keys: {{{name}: ...}}"
    )


def _check_units(settings: NPZLabels, archive: np.lib.npyio.NpzFile, path: Path) -> None:
    box = [key for key in BOX_KEYS if key in archive.files]
    if box:
        raise InputError(f"{path}: has a box ({', '.join(box)}); npz labels are of molecules without one: use deepmd")
    for key, setting in (("e_unit", "energy_unit"), ("r_unit", "length_unit")):
        if key in archive.files:
            stored = str(archive[key]).lower()
            wanted = getattr(settings, setting)
            if SPELLINGS.get(stored, stored) != wanted.lower():
                raise InputError(
                    f"{path}: {key} is {str(archive[key])!r}, but {setting} is {wanted!r}; make them agree"
                )


def _species(stored: np.ndarray, n_frames: int, n_atoms: int, path: Path) -> np.ndarray:
    """Atomic numbers [n_atoms] of [n_atoms] or [n_frames, n_atoms]."""
    if stored.shape not in ((n_atoms,), (n_frames, n_atoms)):
        raise InputError(
            f"{path}: atomic numbers have shape {stored.shape}, expected ({n_atoms},) or ({n_frames}, {n_atoms})"
        )
    if stored.dtype.kind not in "iuf" or not ((stored >= 1) & (stored <= 118) & (stored == np.floor(stored))).all():
        raise InputError(f"{path}: atomic numbers are {np.unique(stored)[:5].tolist()}..., expected integers 1 to 118")
    rows = stored.reshape(-1, n_atoms)
    other = np.flatnonzero((rows != rows[0]).any(axis=1))
    if len(other):
        raise InputError(
            f"{path}: the atoms of frame {other[0]} are {rows[other[0]].tolist()}, those of frame 0 "
            f"{rows[0].tolist()}: write one file for each composition and order of atoms"
        )
    return rows[0].astype(np.int64)
