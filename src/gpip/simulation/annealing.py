"""Cooling of a system at constant volume, before it is sampled."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import pandas as pd
from openmm.app import PDBFile
from openmm.unit import nanometer

from gpip.config.systems import Annealing
from gpip.core.averages import average
from gpip.core.files import replacing, write_json
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.core.units import NM_TO_ANGSTROM, PS_TO_FS
from gpip.simulation.chunks import WorkFolder
from gpip.simulation.classical import ClassicalDynamics, masses_amu
from gpip.simulation.molecules import molecule_of_atoms, wrap_molecules
from gpip.simulation.platforms import choose_platform
from gpip.simulation.runner import run_dynamics, stretches
from gpip.systems.build import write_topology

LARGEST_STEP_KELVIN = 1.0
"""The thermostat is never lowered by more at once."""
LAG_LIMIT = 0.05
"""Warned of: how far the last tenth is above the thermostat, as a fraction of the last temperature."""


def anneal_system(
    name: str,
    settings: Annealing,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    out_topology: str | Path,
    out_table: str | Path,
    out_summary: str | Path,
    n_threads: int = 1,
    platform: str = "auto",
) -> None:
    """Cool a minimised system at constant volume, its thermostat lowered linearly from start to end.

    Starts with velocities at the start temperature. Writes `topology.pdb` (last positions, molecules whole, their
    centres in the box), a table (time_ps, target_kelvin, temperature_kelvin, potential_energy_ev) and a JSON summary.
    A killed run goes on from its last complete chunk.

    Args:
        name: what the system is called in the configuration.
        seed: root seed; that of the run is derived from it and the name.

    Raises:
        InputError: the system explodes, or topology and system do not belong together.
    """
    fingerprint = {"system": name, "annealing": settings.model_dump()}
    record = provenance("annealing", fingerprint, seed, inputs=[topology_path, system_path])
    run_seed = seed_for(seed, "annealing", name)
    pdb = PDBFile(str(topology_path))
    dynamics = Cooling(name, settings, run_seed, pdb, Path(system_path))
    hardware = choose_platform(platform, n_threads, dynamics.system)
    folder = WorkFolder(out_summary, {**record, "platform": hardware.platform.getName()})
    plan = stretches(settings.n_records, settings.steps_per_record, settings.frames_per_checkpoint)
    label = f"{name} from {settings.start_kelvin:g} to {settings.end_kelvin:g} K"
    run_dynamics(dynamics, plan, folder, hardware, run_seed, label)

    chunks = list(folder.records())
    records = {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]}
    steps = np.arange(1, settings.n_records + 1) * settings.steps_per_record
    table = pd.DataFrame(
        {"time_ps": steps * settings.timestep_fs / PS_TO_FS, "target_kelvin": dynamics.target_kelvin(steps)} | records
    )
    _write_last(name, pdb, dynamics, folder, out_topology)
    with replacing(out_table) as partial:
        table.to_csv(partial, index=False, float_format="%.8g")
    write_json(out_summary, _summary(name, settings, table) | {"provenance": record})
    folder.remove()


class Cooling(ClassicalDynamics):
    """A built system under a Langevin thermostat whose temperature follows from the number of steps made."""

    stage = "annealing"
    advice = "a lower start_kelvin, or a lower density"

    def __init__(self, name: str, settings: Annealing, seed: int, pdb: PDBFile, system_path: Path) -> None:
        super().__init__(name, settings, settings.start_kelvin, seed, pdb, system_path)
        self.n_steps = settings.n_records * settings.steps_per_record

    def target_kelvin(self, step: Any) -> Any:
        """The straight line from start to end, at any number of steps."""
        span = self.settings.end_kelvin - self.settings.start_kelvin
        return self.settings.start_kelvin + span * step / self.n_steps

    def advance(self, context: openmm.Context, integrator: openmm.Integrator, n_steps: int) -> None:
        """In blocks of one temperature each, that of the line at their middle."""
        first = context.getStepCount()
        kelvin_per_step = (self.settings.start_kelvin - self.settings.end_kelvin) / self.n_steps
        longest = max(1, int(LARGEST_STEP_KELVIN / kelvin_per_step))
        n_blocks = -(-n_steps // longest)
        edges = [first + i * n_steps // n_blocks for i in range(n_blocks + 1)]
        for begin, end in pairwise(edges):
            self.temperature_kelvin = self.target_kelvin((begin + end) / 2)
            integrator.setTemperature(self.temperature_kelvin)
            integrator.step(end - begin)

    def observe(self, context: openmm.Context) -> dict[str, np.ndarray]:
        seen = super().observe(context)
        return {name: seen[name] for name in ("temperature_kelvin", "potential_energy_ev")}


def _write_last(name: str, pdb: PDBFile, dynamics: Cooling, folder: WorkFolder, out_topology: str | Path) -> None:
    """The positions after the last chunk."""
    state = openmm.XmlSerializer.deserialize(folder.load(folder.n_chunks - 1).state)
    positions = state.getPositions(asNumpy=True).value_in_unit(nanometer) * NM_TO_ANGSTROM
    if dynamics.box_vectors_nm is not None:
        length = dynamics.box_vectors_nm[0, 0] * NM_TO_ANGSTROM
        positions = wrap_molecules(positions, masses_amu(dynamics.system), molecule_of_atoms(pdb.topology), length)
    write_topology(out_topology, name, pdb.topology, positions)


def _summary(name: str, settings: Annealing, table: pd.DataFrame) -> dict[str, Any]:
    """Means of the first and the last tenth of the records; prints a warning where it did not cool as told."""
    tenth = max(1, len(table) // 10)
    ends = {"first": table.head(tenth), "last": table.tail(tenth)}
    found = {f"{column}_{end}_tenth": float(part[column].mean()) for end, part in ends.items() for column in part}
    means = {key: value for key, value in found.items() if not key.startswith("time_ps")}
    print(
        f"{name}: {means['temperature_kelvin_last_tenth']:.1f} K at the end of the annealing, mean of its last tenth "
        f"(thermostat: {means['target_kelvin_last_tenth']:.1f} K)",
        flush=True,
    )
    lag_series = (table.temperature_kelvin - table.target_kelvin).tail(tenth).to_numpy()
    lag = average(lag_series)
    # A tenth that is too short for an error of its own still has the spread of its few samples.
    error = lag.standard_error
    if error is None:
        error = float(lag_series.std()) / np.sqrt(max(lag.n_independent - 1, 1))
    if lag.mean > LAG_LIMIT * settings.end_kelvin + 3 * error:
        print(
            f"warning: {name} is {lag.mean:.0f} K above its thermostat at the end of the annealing: raise duration_ps "
            "or friction_per_ps",
            flush=True,
        )
    rate = (settings.start_kelvin - settings.end_kelvin) / settings.duration_ps
    return {
        "system": name,
        "duration_ps": settings.duration_ps,
        "cooling_kelvin_per_ps": rate,
        "lag_kelvin_last_tenth": lag.mean,
        **means,
    }
