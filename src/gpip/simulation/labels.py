"""Energies and forces of a force field at given positions."""

from pathlib import Path

import numpy as np
import openmm
from openmm.unit import kilojoule_per_mole, nanometer

from gpip.core.errors import InputError
from gpip.core.progress import progress
from gpip.core.units import KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM, KJ_PER_MOL_TO_EV, NM_TO_ANGSTROM
from gpip.simulation.classical import load_system
from gpip.simulation.platforms import choose_platform


def classical_labels(
    system_path: str | Path,
    positions: np.ndarray,
    cell: np.ndarray,
    n_threads: int = 1,
    platform: str = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Energy [n_frames] in eV and forces [n_frames, n_atoms, 3] in eV/Å of a serialised OpenMM system.

    Args:
        positions: [n_frames, n_atoms, 3], angstrom; molecules whole.
        cell: [3, 3] or [n_frames, 3, 3], angstrom, rows are lattice vectors.

    Raises:
        InputError: positions of another number of atoms, constrained bonds (forces would lack those of the
            constraints), or an energy or force that is not finite.
    """
    system = load_system(system_path)
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (system.getNumParticles(), 3):
        raise InputError(
            f"{system_path}: positions of shape {positions.shape}, expected [n_frames, {system.getNumParticles()}, 3]"
        )
    if system.getNumConstraints():
        raise InputError(
            f"{system_path}: {system.getNumConstraints()} bonds or angles are rigid, and classical forces do "
            "not describe them; build the system with rigid_water: false and constraints: none"
        )
    cells = np.broadcast_to(np.asarray(cell, dtype=np.float64), (len(positions), 3, 3)) / NM_TO_ANGSTROM
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, *choose_platform(platform, n_threads))
    energy, forces = np.empty(len(positions)), np.empty(positions.shape)
    for i in progress(range(len(positions)), len(positions), "classical labels", unit="frame"):
        if cells[i].any():
            context.setPeriodicBoxVectors(*cells[i])
        context.setPositions(positions[i] / NM_TO_ANGSTROM)
        state = context.getState(energy=True, forces=True)
        energy[i] = state.getPotentialEnergy().value_in_unit(kilojoule_per_mole) * KJ_PER_MOL_TO_EV
        forces[i] = state.getForces(asNumpy=True).value_in_unit(kilojoule_per_mole / nanometer)
    forces *= KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM
    bad = np.flatnonzero(~(np.isfinite(energy) & np.isfinite(forces).all(axis=(1, 2))))
    if len(bad):
        raise InputError(f"{system_path}: energy or forces of frame {bad[0]} are not finite")
    return energy, forces
