"""What is inside a dataset file, as text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import atomic_masses
from ase.symbols import Symbols

from gpip.core.fields import FIELDS
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3
from gpip.datasets.contacts import closest_contact
from gpip.datasets.reader import Dataset, SystemRecord
from gpip.datasets.writer import SCHEMA_VERSION

N_CONTACT_FRAMES = 50
"""Closest contacts are sought in this many frames of a system, evenly spaced."""


def describe(path: str | Path) -> str:
    """Systems, temperatures, box, density, closest contact, labels, units and provenance of a dataset file.

    Raises:
        InputError: the file cannot be read, or a value in it is not finite.
    """
    dataset = Dataset(path)
    dataset.check()
    lines = [f"{path}: {len(dataset)} frames, schema version {SCHEMA_VERSION}"]
    for system in dataset.systems.values():
        lines += [f"system {system.name}", *(f"  {line}" for line in _describe_system(dataset, system))]
    fields = {name for name in FIELDS if any(name in dataset.arrays(system) for system in dataset.systems)}
    lines.append("units: " + ", ".join(f"{name} {FIELDS[name].unit}" for name in FIELDS if name in fields))
    lines.append("provenance:")
    lines += [f"  {key}: {value}" for key, value in dataset.provenance.items()]
    return "\n".join(lines)


def _describe_system(dataset: Dataset, system: SystemRecord) -> Iterator[str]:
    formula = Symbols(system.species).formula.format("hill")
    yield f"{system.n_frames} frames of {system.n_atoms} atoms, {formula}"
    if system.molecule is not None:
        known = system.molecule[system.molecule >= 0]
        yield f"molecules: {len(np.unique(known))}" if len(known) else "molecules: unknown"
    temperatures, counts = np.unique(system.temperature, return_counts=True)
    yield "temperatures: " + ", ".join(
        f"{kelvin:g} K ({n} frames)" if kelvin == kelvin else f"unknown ({n} frames)"
        for kelvin, n in zip(temperatures, counts, strict=True)
    )
    if not system.n_frames:
        return
    if system.pbc.any():
        lengths = np.linalg.norm(system.cell, axis=2)
        volume = np.abs(np.linalg.det(system.cell))
        masses = atomic_masses[system.species] if system.mass is None else system.mass
        density = masses.sum() / volume / G_PER_CM3_TO_AMU_PER_ANGSTROM3
        directions = "".join(axis for axis, on in zip("abc", system.pbc, strict=True) if on)
        yield f"box: periodic along {directions}; edges {' × '.join(_range(edge) for edge in lengths.T)} Å"
        yield f"density: {_range(density)} g/cm³"
    else:
        yield "box: none"
    positions = dataset.arrays(system.name)["positions"]
    frames = np.unique(np.linspace(0, system.n_frames - 1, N_CONTACT_FRAMES).astype(int))
    contact = min(closest_contact(positions[i], system.cell[i], system.pbc) for i in frames)
    yield f"closest contact: {contact:.3f} Å in {len(frames)} frames"
    if system.energy is not None:
        mean, spread = system.energy.mean(), system.energy.std()
        per_atom = mean / system.n_atoms
        yield f"energy: mean {mean:.4f}, standard deviation {spread:.4f} eV; {per_atom:.5f} eV/atom"
    else:
        yield "energy: none"
    if system.has_forces:
        forces = dataset.arrays(system.name)["forces"].astype(np.float64)
        largest = np.linalg.norm(forces, axis=2).max()
        net = np.linalg.norm(forces.sum(axis=1), axis=1).max()
        yield (
            f"forces: RMS {np.sqrt(np.mean(forces**2)):.4f} of a component, largest {largest:.3f}, "
            f"largest net {net:.4f} eV/Å"
        )
    else:
        yield "forces: none"


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.4f}", f"{values.max():.4f}"
    return low if low == high else f"{low} to {high}"
