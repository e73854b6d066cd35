"""What the workflow's classical MD costs beside bare OpenMM, on the same box of water, in one process.

    python benchmarks/classical_md_overhead.py [--molecules 64] [--ps 5] [--rounds 8] [--threads 1]

Each round times `integrator.step` of a prepared Context (nothing observed, nothing written) and the whole of
`run_classical_md` (files read, chunks saved, energies and frames kept, trajectory written) over the same number of
steps, which comes first alternating. Told are the median over the rounds of the ratio of the two, and the ratio of the
fastest of each, of wall time and of the processor time of the process: with other work on the machine, the ratio of the
fastest processor times is the one to read.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import openmm
from openmm.app import PDBFile

from gpip.config.systems import Sampling, System
from gpip.core.units import PS_TO_FS
from gpip.simulation.classical import load_system, run_classical_md
from gpip.simulation.minimisation import minimise_system
from gpip.simulation.platforms import choose_platform
from gpip.systems.build import build_system

TEMPERATURE_KELVIN = 300.0


def start(folder: Path, n_molecules: int, n_threads: int) -> tuple[Path, Path]:
    """A minimised box of water: topology and OpenMM system."""
    box = System(species={"water": n_molecules}, force_field="tip3p", density=0.997).box
    packed, system, topology = folder / "packed.pdb", folder / "system.xml", folder / "topology.pdb"
    build_system("water", box, 1, packed, system, folder / "manifest.json")
    minimise_system("water", packed, system, topology, folder / "minimisation.json", n_threads, "CPU")
    return topology, system


def bare(
    files: tuple[Path, Path], settings: Sampling, n_threads: int
) -> tuple[openmm.Context, openmm.LangevinMiddleIntegrator]:
    """A Context at the start of the dynamics, and the integrator that moves it."""
    integrator = openmm.LangevinMiddleIntegrator(
        TEMPERATURE_KELVIN, settings.friction_per_ps, settings.timestep_fs / PS_TO_FS
    )
    context = openmm.Context(load_system(files[1]), integrator, *choose_platform("CPU", n_threads))
    context.setPositions(PDBFile(str(files[0])).positions)
    context.setVelocitiesToTemperature(TEMPERATURE_KELVIN, 1)
    return context, integrator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molecules", type=int, default=64)
    parser.add_argument("--ps", type=float, default=5.0, help="dynamics of each timing; frames and chunks by default")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    settings = Sampling(equilibration_ps=0.0, production_ps=given.ps)
    n_steps = settings.n_frames * settings.steps_per_frame
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = start(folder, given.molecules, given.threads)
        _context, integrator = bare(files, settings, given.threads)
        outputs = (folder / "trajectory.h5", folder / "log.csv")

        def workflow() -> None:
            run_classical_md(
                "water", settings, TEMPERATURE_KELVIN, 1, *files, *outputs, n_threads=given.threads, platform="CPU"
            )

        ways = {"bare": lambda: integrator.step(n_steps), "workflow": workflow}
        for way in ways.values():
            way()
        rounds = []
        for i in range(given.rounds):
            rounds.append({way: timed(ways[way]) for way in (list(ways) if i % 2 else list(ways)[::-1])})
    for which, kind in enumerate(("wall time", "processor time")):
        fastest = {way: 1e3 * min(each[way][which] for each in rounds) / n_steps for way in ways}
        ratio = median(each["workflow"][which] / each["bare"][which] for each in rounds)
        print(
            f"{kind}: median ratio {ratio:.3f}; fastest {fastest['bare']:.4f} and {fastest['workflow']:.4f} ms a step, "
            f"ratio {fastest['workflow'] / fastest['bare']:.3f}"
        )


def timed(run: Callable[[], None]) -> tuple[float, float]:
    """Wall and processor time, s."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
