"""Dataset frames as extended XYZ, which ASE, OVITO and the training programs of other potentials read."""

from collections.abc import Iterable
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from gpip.core.files import replacing
from gpip.core.frame import Frame
from gpip.core.progress import progress


def atoms_from_frame(frame: Frame) -> Atoms:
    """ASE Atoms in eV and angstrom: energy and forces in a calculator, system and temperature in `info`."""
    atoms = Atoms(frame.species, frame.positions, cell=frame.cell, pbc=frame.pbc)
    if frame.masses_amu is not None:
        atoms.set_masses(frame.masses_amu)
    atoms.info["system"] = frame.system
    if frame.temperature_kelvin == frame.temperature_kelvin:
        atoms.info["temperature_kelvin"] = frame.temperature_kelvin
    labels = {"energy": frame.energy, "forces": frame.forces}
    labels = {name: value for name, value in labels.items() if value is not None}
    if labels:
        atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def export_extxyz(frames: Iterable[Frame], n_frames: int, path: str | Path) -> None:
    """Write frames one after the other to one extended XYZ file."""
    with replacing(path) as partial, open(partial, "w", encoding="utf-8") as file:
        for frame in progress(frames, n_frames, "export", "frame"):
            write_extxyz(file, [atoms_from_frame(frame)])
