"""Overhead of an MD step over the bare force call: OpenMM's PythonForce, ASE, torch-sim (when installed).

    python benchmarks/md_drivers.py [--steps 500]

First a harmonic tether in torch, which costs next to nothing, on 192 atoms; then the driver of `gpip.ml_md`
with a SchNet of default size on 64 waters, neighbour lists included. Times are of the fastest of five rounds,
on one thread.
"""

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ase
import numpy as np
import openmm
import torch
from ase import units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from openmm.app import PDBFile
from openmm.unit import angstrom, nanometer

from gpip.config.backbones import SchNetSettings
from gpip.config.experiments import MLMD
from gpip.config.systems import System
from gpip.core.frame import Frame
from gpip.ml_md.dynamics import ReplicaDynamics
from gpip.ml_md.force import ReplicaForce
from gpip.models import make_potential
from gpip.simulation.platforms import choose_platform
from gpip.systems.build import build_system

N_ATOMS = 192
STIFFNESS = 1.0
"""eV/Å^2."""


class Tether:
    """E = k/2 |r - r0|^2 of n_replicas * 192 atoms."""

    def __init__(self, n_replicas: int) -> None:
        self.n_replicas = n_replicas
        generator = torch.Generator().manual_seed(1)
        self.start = torch.rand(n_replicas * N_ATOMS, 3, dtype=torch.float64, generator=generator) * 12

    def __call__(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        moved = positions - self.start
        energy = 0.5 * STIFFNESS * moved.square().reshape(self.n_replicas, -1).sum(1)
        return energy, -STIFFNESS * moved


def seconds_per_step(step: Callable[[int], object], n_steps: int) -> float:
    """Of the fastest of five rounds, after a short one."""
    step(max(n_steps // 10, 1))
    rounds = []
    for _ in range(5):
        before = time.perf_counter()
        step(n_steps)
        rounds.append((time.perf_counter() - before) / n_steps)
    return min(rounds)


def bare(tether: Tether) -> Callable[[int], object]:
    positions = tether.start + 0.01
    return lambda n_steps: [tether(positions) for _ in range(n_steps)]


def with_openmm(tether: Tether, make_integrator: Callable[[], openmm.Integrator]) -> Callable[[int], object]:
    def force(state: openmm.State) -> tuple[float, np.ndarray]:
        positions = state.getPositions(asNumpy=True).value_in_unit(nanometer)
        energy, forces = tether(torch.from_numpy(positions * 10))
        return float(energy.sum()) * 96.485, forces.numpy() * 964.85

    system = openmm.System()
    for _ in range(len(tether.start)):
        system.addParticle(12.0)
    system.addForce(openmm.PythonForce(force))
    integrator = make_integrator()
    context = openmm.Context(system, integrator, *choose_platform("Reference"))
    context.setPositions(tether.start.numpy() / 10)
    context.setVelocitiesToTemperature(300, 1)

    def step(n_steps: int) -> openmm.Context:
        integrator.step(n_steps)
        return context

    return step


def nose_hoover(n_replicas: int) -> openmm.Integrator:
    integrator = openmm.NoseHooverIntegrator(0.001)
    for replica in range(n_replicas):
        atoms = list(range(replica * N_ATOMS, (replica + 1) * N_ATOMS))
        integrator.addSubsystemThermostat(atoms, [], 300, 10, 300, 10)
    return integrator


class TetherCalculator(Calculator):
    implemented_properties = ["energy", "forces"]

    def __init__(self, tether: Tether) -> None:
        super().__init__()
        self.tether = tether

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces = self.tether(torch.from_numpy(atoms.positions))
        self.results = {"energy": float(energy.sum()), "forces": forces.numpy()}


def with_ase(tether: Tether, make_dynamics: Callable[[ase.Atoms], object]) -> Callable[[int], object]:
    """ASE knows no replicas: they are one set of atoms here, and would share thermostat and checks."""
    atoms = ase.Atoms("C" * len(tether.start), positions=tether.start.numpy())
    atoms.calc = TetherCalculator(tether)
    return make_dynamics(atoms).run


def with_torch_sim(tether: Tether, thermostat: str) -> Callable[[int], object]:
    import torch_sim
    from torch_sim.models.interface import ModelInterface

    class Model(ModelInterface):
        _device, _dtype = torch.device("cpu"), torch.float64
        _compute_stress, _compute_forces = False, True

        def forward(self, state):
            energy, forces = tether(state.positions)
            return {"energy": energy, "forces": forces}

    n_atoms, n_replicas = len(tether.start), tether.n_replicas
    state = torch_sim.SimState(
        positions=tether.start.clone(),
        masses=torch.full((n_atoms,), 12.0, dtype=torch.float64),
        cell=100 * torch.eye(3, dtype=torch.float64).repeat(n_replicas, 1, 1),
        pbc=False,
        atomic_numbers=torch.full((n_atoms,), 6),
        system_idx=torch.arange(n_replicas).repeat_interleave(N_ATOMS),
    )
    # Metal units: time in sqrt(amu Å^2/eV) = 10.18 fs.
    numbers = {
        "dt": torch.tensor(1 / 10.18, dtype=torch.float64),
        "kT": torch.tensor(0.02585, dtype=torch.float64),
    }
    initialise, update = getattr(torch_sim, thermostat)(model=Model(), seed=1, **numbers)
    held = [initialise(state)]

    def step(n_steps: int) -> None:
        for _ in range(n_steps):
            held[0] = update(held[0])

    return step


def cheap_rows(n_replicas: int) -> Iterator[tuple[str, Callable[[int], object]]]:
    def verlet(atoms: ase.Atoms) -> VelocityVerlet:
        return VelocityVerlet(atoms, units.fs)

    def langevin(atoms: ase.Atoms) -> Langevin:
        rng = np.random.RandomState(1)
        return Langevin(atoms, units.fs, temperature_K=300, friction=0.001 / units.fs, rng=rng)

    tether = Tether(n_replicas)
    yield "bare force call", bare(tether)
    yield "OpenMM PythonForce, Verlet", with_openmm(tether, lambda: openmm.VerletIntegrator(0.001))
    langevin_middle = openmm.LangevinMiddleIntegrator
    yield "OpenMM PythonForce, Langevin", with_openmm(tether, lambda: langevin_middle(300, 1, 0.001))
    yield "OpenMM PythonForce, Nosé-Hoover", with_openmm(tether, lambda: nose_hoover(n_replicas))
    yield "ASE, VelocityVerlet", with_ase(tether, verlet)
    yield "ASE, Langevin", with_ase(tether, langevin)
    if importlib.util.find_spec("torch_sim"):
        yield "torch-sim, NVE", with_torch_sim(tether, "nve")
        yield "torch-sim, Langevin", with_torch_sim(tether, "nvt_langevin")


def network_rows(n_replicas: int, folder: Path) -> Iterator[tuple[str, Callable[[int], object]]]:
    """SchNet on water: the network alone, with its neighbour list, and in the driver."""
    paths = [folder / name for name in ("topology.pdb", "system.xml", "manifest.json")]
    chosen = System(species={"water": 64}, force_field="tip3p", density_g_per_cm3=0.997, temperatures_kelvin=[300])
    build_system("water", chosen, 1, *paths)
    pdb = PDBFile(str(paths[0]))
    positions = pdb.getPositions(asNumpy=True).value_in_unit(angstrom)
    numbers = np.array([atom.element.atomic_number for atom in pdb.topology.atoms()])
    cell = np.eye(3) * chosen.box_length_angstrom
    frames = [Frame(numbers, positions, cell, np.ones(3, dtype=bool))] * n_replicas
    torch.manual_seed(1)
    settings = MLMD(duration_ps=1, max_force_ev_per_angstrom=1e6, max_temperature_kelvin=1e6)
    force = ReplicaForce(make_potential(SchNetSettings(model="schnet")), frames, settings, "cpu")
    graph = force.neighbours.graph(force.start)
    yield "network alone", lambda n_steps: [force.potential(graph) for _ in range(n_steps)]

    def with_list(n_steps: int) -> None:
        for _ in range(n_steps):
            force.potential(force.neighbours.graph(force.start))

    yield "network and neighbour list", with_list
    dynamics = ReplicaDynamics(force, settings, 1)
    integrator = dynamics.integrator(1)
    context = openmm.Context(dynamics.system, integrator, *choose_platform("Reference"))
    dynamics.attach(integrator, {})
    dynamics.start(context)
    yield "gpip.ml_md, Nosé-Hoover", lambda n_steps: integrator.step(n_steps)


def print_rows(rows: Iterator[tuple[str, Callable[[int], object]]], n_steps: int) -> None:
    base = None
    for name, step in rows:
        milliseconds = 1000 * seconds_per_step(step, n_steps)
        base = base or milliseconds
        ratio, more = milliseconds / base, milliseconds - base
        print(f"  {name:34s} {milliseconds:9.3f} ms  x{ratio:7.2f}  +{more:7.3f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    n_steps = parser.parse_args().steps
    torch.set_num_threads(1)
    print(f"OpenMM {openmm.version.version}, ASE {ase.__version__}, torch {torch.__version__}", flush=True)
    if not importlib.util.find_spec("torch_sim"):
        print("torch-sim is not installed: pip install torch-sim-atomistic")
    for n_replicas in (1, 4):
        print(f"harmonic tether, {n_replicas} x {N_ATOMS} atoms")
        print_rows(cheap_rows(n_replicas), n_steps)
    for n_replicas in (1, 4):
        print(f"SchNet 3 x 64, {n_replicas} x {N_ATOMS} atoms of water")
        with tempfile.TemporaryDirectory() as folder:
            print_rows(network_rows(n_replicas, Path(folder)), max(n_steps // 25, 5))


if __name__ == "__main__":
    main()
