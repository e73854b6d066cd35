"""Classical dynamics of one system at constant volume and temperature."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm.app import PDBFile, Topology
from openmm.unit import dalton, kilojoule_per_mole, nanometer

from gpip.config.systems import Annealing, Sampling
from gpip.core.errors import InputError
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.core.units import BOLTZMANN_EV_PER_K, KJ_PER_MOL_TO_EV, PS_TO_FS
from gpip.simulation.chunks import WorkFolder
from gpip.simulation.platforms import choose_platform
from gpip.simulation.runner import Dynamics, run_dynamics, stretches, unrecorded
from gpip.simulation.trajectory import write_log, write_trajectory

CONSTRAINT_TOLERANCE = 1e-6
"""Relative; positions from a PDB file are off by 0.001 Å."""


def run_classical_md(
    name: str,
    settings: Sampling,
    temperature_kelvin: float,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    trajectory_path: str | Path,
    log_path: str | Path,
    n_threads: int = 1,
    platform: str = "auto",
    masses_amu: Sequence[float] | None = None,
) -> None:
    """Equilibrate and sample a minimised system at constant volume and temperature (Langevin middle).

    Starts from the positions of the topology, with velocities at the temperature. Writes `trajectory.h5` (mdtraj's
    HDF5; molecules whole, positions not wrapped; without a cell where the system has no box) and `log.csv`. A run
    that was killed goes on from its last complete chunk when it is called again with the same arguments.

    Args:
        name: what the system is called in the configuration.
        seed: root seed; that of the run is derived from it, the name and the temperature.
        masses_amu: physical masses of all atoms where some are isotopes: written into the trajectory, for the data sets
            and ML-driven runs that begin with it. The run itself has the masses of its system.

    Raises:
        InputError: the system explodes, or topology and system do not belong together.
    """
    fingerprint = {"system": name, "temperature_kelvin": temperature_kelvin, "sampling": settings.model_dump()}
    record = provenance("classical_md", fingerprint, seed, inputs=[topology_path, system_path])
    run_seed = seed_for(seed, "classical_md", name, f"{temperature_kelvin:g}")
    pdb = PDBFile(str(topology_path))
    dynamics = ClassicalDynamics(name, settings, temperature_kelvin, run_seed, pdb, Path(system_path))
    hardware = choose_platform(platform, n_threads, dynamics.system)
    folder = WorkFolder(trajectory_path, {**record, "platform": hardware.platform.getName()})
    per_chunk = settings.frames_per_checkpoint
    plan = unrecorded(settings.n_equilibration_steps, settings.steps_per_frame, per_chunk)
    plan += stretches(settings.n_frames, settings.steps_per_frame, per_chunk)
    run_dynamics(dynamics, plan, folder, hardware, run_seed, f"{name} at {temperature_kelvin:g} K")

    time_ps = np.arange(1, settings.n_frames + 1) * settings.steps_per_frame * settings.timestep_fs / PS_TO_FS
    chunks = list(folder.records())
    records: dict[str, Any] = {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
    assert len(records["positions_nm"]) == settings.n_frames
    write_trajectory(trajectory_path, pdb.topology, dynamics.box_vectors_nm, time_ps, records, record, masses_amu)
    write_log(log_path, time_ps, records)
    folder.remove()


def degrees_of_freedom(system: openmm.System) -> int:
    """Of the velocities: 3 per massive particle, less the constraints, less 3 when the drift is removed.

    A molecule without a box keeps its rotation: the thermostat turns it, and nothing takes that out.
    """
    n_massive = sum(system.getParticleMass(i)._value > 0 for i in range(system.getNumParticles()))
    drift = any(isinstance(force, openmm.CMMotionRemover) for force in system.getForces())
    return 3 * n_massive - system.getNumConstraints() - 3 * drift


def load_system(path: str | Path) -> openmm.System:
    """A serialised OpenMM system. Raises InputError when the file holds none."""
    try:
        system = openmm.XmlSerializer.deserialize(Path(path).read_text())
    except (openmm.OpenMMException, ValueError) as error:
        raise InputError(f"{path}: not an OpenMM system ({error}); build the system again") from None
    if not isinstance(system, openmm.System):
        raise InputError(f"{path}: holds {type(system).__name__}, expected an OpenMM System; build it again")
    return system


def check_atoms(system: openmm.System, topology: Topology, where: str | Path) -> None:
    """Raise InputError unless system and topology have the same number of atoms."""
    if system.getNumParticles() != topology.getNumAtoms():
        raise InputError(
            f"{where}: {system.getNumParticles()} particles, but the topology beside it has "
            f"{topology.getNumAtoms()} atoms; build the system again"
        )


def masses_amu(system: openmm.System) -> np.ndarray:
    """[n_particles]."""
    return np.array([system.getParticleMass(i).value_in_unit(dalton) for i in range(system.getNumParticles())])


class ClassicalDynamics(Dynamics):
    """A built system under a Langevin thermostat (Zhang et al., J. Phys. Chem. A 123, 6056, 2019)."""

    stage = "classical MD"
    """What the run is called in an error."""
    advice = "a longer equilibration_ps, or a lower density"
    """What to try, besides a shorter timestep, when it explodes."""

    def __init__(
        self,
        name: str,
        settings: Sampling | Annealing,
        temperature_kelvin: float,
        seed: int,
        pdb: PDBFile,
        system_path: Path,
    ) -> None:
        self.name, self.settings, self.seed = name, settings, seed
        self.temperature_kelvin = temperature_kelvin
        self.system = load_system(system_path)
        self.start_positions = pdb.positions
        self.n_degrees_of_freedom = degrees_of_freedom(self.system)
        check_atoms(self.system, pdb.topology, system_path)
        if self.n_degrees_of_freedom < 1:
            raise InputError(
                f"systems.{name}: nothing in it can move: its {self.system.getNumParticles()} atoms have "
                f"{self.system.getNumConstraints()} constraints, and the drift is removed; put more in it"
            )

    @property
    def box_vectors_nm(self) -> np.ndarray | None:
        """[3, 3], rows are the lattice vectors; None without a box."""
        if not self.system.usesPeriodicBoundaryConditions():
            return None
        return np.array([a.value_in_unit(nanometer) for a in self.system.getDefaultPeriodicBoxVectors()])

    def integrator(self, seed: int) -> openmm.Integrator:
        integrator = openmm.LangevinMiddleIntegrator(
            self.temperature_kelvin, self.settings.friction_per_ps, self.settings.timestep_fs / PS_TO_FS
        )
        integrator.setRandomNumberSeed(seed)
        return integrator

    def start(self, context: openmm.Context) -> None:
        context.setPositions(self.start_positions)
        context.applyConstraints(CONSTRAINT_TOLERANCE)
        context.setVelocitiesToTemperature(self.temperature_kelvin, seed_for(self.seed, "velocities"))

    def observe(self, context: openmm.Context) -> dict[str, np.ndarray]:
        state = context.getState(positions=True, energy=True)
        potential = state.getPotentialEnergy().value_in_unit(kilojoule_per_mole) * KJ_PER_MOL_TO_EV
        kinetic = state.getKineticEnergy().value_in_unit(kilojoule_per_mole) * KJ_PER_MOL_TO_EV
        temperature = 2 * kinetic / (self.n_degrees_of_freedom * BOLTZMANN_EV_PER_K)
        limit = 3 * self.temperature_kelvin + 1000
        if not (np.isfinite(potential) and temperature < limit):
            raise self._exploded(context, f"potential energy {potential:.4g} eV, {temperature:.4g} K")
        return {
            "positions_nm": state.getPositions(asNumpy=True).value_in_unit(nanometer).astype(np.float32),
            "potential_energy_ev": np.float64(potential),
            "kinetic_energy_ev": np.float64(kinetic),
            "temperature_kelvin": np.float64(temperature),
        }

    def explain(self, error: openmm.OpenMMException, context: openmm.Context) -> Exception:
        return self._exploded(context, str(error)) if "NaN" in str(error) else error

    def _exploded(self, context: openmm.Context, what: str) -> InputError:
        timestep = self.settings.timestep_fs
        return InputError(
            f"{self.stage} of {self.name} at {self.temperature_kelvin:g} K exploded at step "
            f"{context.getStepCount()} (seed {self.seed}): {what}. Try timestep_fs {timestep / 2:g} "
            f"instead of {timestep:g}, {self.advice}"
        )
