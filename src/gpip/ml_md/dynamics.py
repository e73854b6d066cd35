"""Replicas as non-interacting copies in one OpenMM system, each with its own thermostat."""

from typing import Any

import numpy as np
import openmm
from openmm.unit import nanometer, picosecond

from gpip.config.experiments import MLMD
from gpip.core.seeds import generator_for
from gpip.core.units import (
    BOLTZMANN_EV_PER_K,
    KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM,
    KJ_PER_MOL_TO_EV,
    NM_TO_ANGSTROM,
    PS_TO_FS,
)
from gpip.ml_md.force import ReplicaForce
from gpip.simulation.runner import Dynamics


class ReplicaDynamics(Dynamics):
    """All replicas of a run, advanced together.

    Nosé-Hoover: one chain per replica (Martyna, Klein, Tuckerman, J. Chem. Phys. 97, 2635, 1992), so replicas
    exchange no heat. The total momentum of each replica is zero at the start and set to zero at every kept
    frame, so each has 3 n_atoms - 3 degrees of freedom. Where the settings name no thermostat, a box gets Nosé-Hoover,
    a molecule without one Langevin.
    """

    def __init__(self, force: ReplicaForce, settings: MLMD, seed: int) -> None:
        self.force, self.settings, self.seed = force, settings, seed
        periodic = bool(np.any(force.pbc))
        self.thermostat = settings.thermostat_of(periodic)
        if warning := settings.thermostat_warning(periodic):
            print(f"warning: {warning}", flush=True)
        self.n_replicas, self.n_atoms = force.start.shape[:2]
        self.masses_amu = force.masses_amu
        self.n_degrees_of_freedom = max(3 * self.n_atoms - 3, 1)
        self.system = openmm.System()
        for mass in np.tile(self.masses_amu, self.n_replicas):
            self.system.addParticle(mass)
        self.system.addForce(force.openmm_force())

    @property
    def finished(self) -> bool:
        return bool(self.force.stopped.all())

    def integrator(self, seed: int) -> openmm.Integrator:
        settings, timestep_ps = self.settings, self.settings.timestep_fs / PS_TO_FS
        temperature = settings.temperature_kelvin
        if self.thermostat == "nve":
            return openmm.VerletIntegrator(timestep_ps)
        if self.thermostat == "langevin":
            integrator = openmm.LangevinMiddleIntegrator(temperature, settings.friction_per_ps, timestep_ps)
            integrator.setRandomNumberSeed(seed)
            return integrator
        integrator = openmm.NoseHooverIntegrator(timestep_ps)
        frequency = settings.collision_frequency_per_ps
        for replica in range(self.n_replicas):
            atoms = range(replica * self.n_atoms, (replica + 1) * self.n_atoms)
            # The second temperature and frequency are of Drude pairs, of which there are none.
            integrator.addSubsystemThermostat(list(atoms), [], temperature, frequency, temperature, frequency)
        return integrator

    def attach(self, integrator: openmm.Integrator, memory: dict[str, Any]) -> None:
        self.force.recall(memory)
        if isinstance(integrator, openmm.NoseHooverIntegrator):
            # OpenMM counts 3 n_atoms, as nothing tells it that the momentum of each replica is kept at zero.
            for replica in range(self.n_replicas):
                integrator.getThermostat(replica).setNumDegreesOfFreedom(self.n_degrees_of_freedom)

    def start(self, context: openmm.Context) -> None:
        context.setPositions(self.force.start.reshape(-1, 3) / NM_TO_ANGSTROM)
        width = np.sqrt(BOLTZMANN_EV_PER_K * self.settings.temperature_kelvin / KJ_PER_MOL_TO_EV / self.masses_amu)
        velocities = [
            generator_for(self.seed, "velocities", replica).normal(size=(self.n_atoms, 3)) * width[:, None]
            for replica in range(self.n_replicas)
        ]
        context.setVelocities(self._without_drift(np.stack(velocities)).reshape(-1, 3))

    def observe(self, context: openmm.Context) -> dict[str, np.ndarray]:
        state = context.getState(positions=True, velocities=True, energy=True)
        positions = state.getPositions(asNumpy=True).value_in_unit(nanometer) * NM_TO_ANGSTROM
        velocities = state.getVelocities(asNumpy=True).value_in_unit(nanometer / picosecond)
        velocities = self._settled(context, velocities.reshape(self.force.start.shape))
        kinetic = 0.5 * np.einsum("a,rax->r", self.masses_amu, velocities**2) * KJ_PER_MOL_TO_EV
        temperature = 2 * kinetic / (self.n_degrees_of_freedom * BOLTZMANN_EV_PER_K)
        limit = self.settings.max_temperature_kelvin
        for replica in np.flatnonzero(~self.force.stopped & ~(temperature <= limit)):
            time_fs = state.getStepCount() * self.settings.timestep_fs
            what = f"a temperature of {temperature[replica]:.4g} K, more than {limit:g}"
            self.force.stop(int(replica), time_fs, what)
        stopped = self.force.stopped
        return {
            "positions": _blank(positions.reshape(self.force.start.shape), stopped).astype(np.float32),
            "potential_energy": _blank(self.force.energies, stopped),
            "kinetic_energy": _blank(kinetic, stopped),
            "temperature": _blank(temperature, stopped),
        }

    def memory(self) -> dict[str, Any]:
        return self.force.memory()

    def explain(self, error: openmm.OpenMMException, context: openmm.Context) -> Exception:
        return self.force.error or error

    def _settled(self, context: openmm.Context, velocities: np.ndarray) -> np.ndarray:
        """Velocities of the frame in nm/ps; drift is taken out of the context, and stopped replicas rest."""
        if self.thermostat != "nve":
            velocities = self._without_drift(velocities)
        stopped = self.force.stopped
        if stopped.any():
            velocities = np.where(stopped[:, None, None], 0.0, velocities)
        if self.thermostat != "nve" or stopped.any():
            context.setVelocities(velocities.reshape(-1, 3))
        if self.thermostat == "nve":
            # Verlet's velocities are half a step behind its positions.
            acceleration = self.force.forces / KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM / self.masses_amu[:, None]
            velocities = velocities + 0.5 * self.settings.timestep_fs / PS_TO_FS * acceleration
        return velocities

    def _without_drift(self, velocities: np.ndarray) -> np.ndarray:
        """[n_replicas, n_atoms, 3] with the total momentum of each replica taken out."""
        drift = np.einsum("a,rax->rx", self.masses_amu, velocities) / self.masses_amu.sum()
        return velocities - drift[:, None]


def _blank(values: np.ndarray, stopped: np.ndarray) -> np.ndarray:
    """NaN for the replicas that have become unstable."""
    return np.where(stopped.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)
