"""The box of a system from classical dynamics at constant pressure."""

from pathlib import Path
from typing import Any

import numpy as np
import openmm
import pandas as pd
from openmm.app import PDBFile, Topology
from openmm.unit import nanometer

from gpip.config.systems import NPT
from gpip.core.averages import N_INDEPENDENT_NEEDED, Average, average, drift
from gpip.core.errors import InputError
from gpip.core.files import replacing, write_json, write_text
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3, NM_TO_ANGSTROM, PS_TO_FS
from gpip.simulation.chunks import WorkFolder
from gpip.simulation.classical import ClassicalDynamics, load_system, masses_amu
from gpip.simulation.molecules import molecule_of_atoms, scale_molecules, wrap_molecules
from gpip.simulation.platforms import choose_platform
from gpip.simulation.runner import run_dynamics, stretches, unrecorded
from gpip.systems.build import write_topology

DRIFT_LIMIT = 3.0
"""In standard errors of the change over the production."""
ROOM_OF_LENGTH = 0.95
"""What twice the cutoff may be of a box whose volume fluctuates: 64 molecules of water have 3 to 4 % of the volume."""


def equilibrate_density(
    name: str,
    settings: NPT,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    out_topology: str | Path,
    out_system: str | Path,
    out_table: str | Path,
    out_summary: str | Path,
    n_threads: int = 1,
    platform: str = "auto",
) -> None:
    """Set the box of a built system to its mean volume at constant pressure and temperature.

    Equilibrates and samples a minimised system with a Monte Carlo barostat, from velocities at the temperature. Writes
    `topology.pdb` (the frame whose volume is nearest to the mean, scaled to it with rigid molecules, their centres in
    the box), `system.xml` (default box set, no barostat), a table of the production (time_ps, volume_angstrom3,
    density_g_per_cm3, temperature_kelvin) and a JSON summary. A mean that is not converged is an error, or a warning in
    the log and in the summary (`converged`, `reasons`), as `settings.unconverged` says. A killed run continues from its
    last complete chunk, and one that was too short from its end when production_ps is raised.

    Args:
        name: what the system is called in the configuration.
        seed: root seed; that of the run is derived from it and the name.

    Raises:
        InputError: the mean is not converged, the system explodes, the box becomes narrower than twice the cutoff, or
            topology and system do not belong together.
    """
    record = provenance("density", {"system": name, "npt": settings.model_dump()}, seed, [topology_path, system_path])
    run_seed = seed_for(seed, "density", name)
    pdb = PDBFile(str(topology_path))
    dynamics = ConstantPressure(name, settings, run_seed, pdb, Path(system_path))
    hardware = choose_platform(platform, n_threads)
    folder = WorkFolder(out_summary, _fingerprint(record, settings) | {"platform": hardware.platform.getName()})
    per_chunk = settings.frames_per_checkpoint
    plan = unrecorded(settings.n_equilibration_steps, settings.steps_per_frame, per_chunk)
    plan += stretches(settings.n_frames, settings.steps_per_frame, per_chunk)
    run_dynamics(dynamics, plan, folder, hardware, run_seed, f"{name} at {settings.pressure_bar:g} bar")

    volumes, temperatures = (
        np.concatenate([chunk[key] for chunk in folder.records()]) for key in ("volume_angstrom3", "temperature_kelvin")
    )
    assert len(volumes) == settings.n_frames
    time_ps = np.arange(1, settings.n_frames + 1) * settings.steps_per_frame * settings.timestep_fs / PS_TO_FS
    mean = average(volumes)
    summary = _summary(name, volumes, mean, dynamics.density_of(mean.mean))
    if summary["reasons"] and settings.unconverged == "error":
        raise InputError(
            f"systems.{name}.npt: the density is not converged: {'; '.join(summary['reasons'])}. Or go on with what "
            "there is, and a warning in the report: npt: {unconverged: warn}"
        )
    nearest = int(np.argmin(np.abs(volumes - mean.mean)))
    length = mean.mean ** (1 / 3)
    atoms = (dynamics.masses, dynamics.molecules)
    positions = _positions(folder, nearest) * NM_TO_ANGSTROM
    positions = scale_molecules(positions, *atoms, length / volumes[nearest] ** (1 / 3))
    positions = wrap_molecules(positions, *atoms, length)
    _write_box(name, pdb.topology, system_path, positions, length, out_topology, out_system)
    table = {"time_ps": time_ps, "volume_angstrom3": volumes, "density_g_per_cm3": dynamics.density_of(volumes)}
    with replacing(out_table) as partial:
        pd.DataFrame(table | {"temperature_kelvin": temperatures}).to_csv(partial, index=False, float_format="%.8g")
    summary["temperature_mean_kelvin"] = float(temperatures.mean())
    summary["frame_time_ps"] = float(time_ps[nearest])
    write_json(out_summary, summary | {"provenance": record})
    folder.remove()


def _fingerprint(record: dict[str, Any], settings: NPT) -> dict[str, Any]:
    """What the chunks of a run depend on: not on how many follow, as long as they are whole."""
    npt = settings.model_dump(exclude={"production_ps", "unconverged"})
    rest = settings.n_frames % settings.frames_per_checkpoint
    fingerprint = {**record["settings"], "npt": npt, "frames of the last chunk": rest and settings.n_frames}
    return {**record, "settings": fingerprint}


class ConstantPressure(ClassicalDynamics):
    """A built system under a Langevin thermostat and a Monte Carlo barostat that keeps the box cubic.

    Barostat: Chow and Ferguson, Comput. Phys. Commun. 91, 283 (1995); Åqvist et al., Chem. Phys. Lett. 384, 288 (2004).
    Its random numbers, its count of steps and the size of its moves (1 % of the volume, then adapted) begin anew with
    each context, that is, with each chunk: nothing of them has to be stored.
    """

    def __init__(self, name: str, settings: NPT, seed: int, pdb: PDBFile, system_path: Path) -> None:
        super().__init__(name, settings, settings.temperature_kelvin, seed, pdb, system_path)
        if not self.system.usesPeriodicBoundaryConditions():
            raise InputError(
                f"{system_path}: a system without a box has no density; build it with a box, or leave out npt"
            )
        self.barostat = openmm.MonteCarloBarostat(
            settings.pressure_bar, settings.temperature_kelvin, settings.barostat_every_steps
        )
        self.system.addForce(self.barostat)
        self.masses = masses_amu(self.system)
        """[n_atoms]."""
        self.molecules = molecule_of_atoms(pdb.topology)
        """[n_atoms]."""

    def density_of(self, volume_angstrom3: Any) -> Any:
        """g/cm^3."""
        return self.masses.sum() / volume_angstrom3 / G_PER_CM3_TO_AMU_PER_ANGSTROM3

    def integrator(self, seed: int) -> openmm.Integrator:
        self.barostat.setRandomNumberSeed(seed_for(seed, "barostat"))
        return super().integrator(seed)

    def observe(self, context: openmm.Context) -> dict[str, np.ndarray]:
        return super().observe(context) | {"volume_angstrom3": np.float64(_volume_angstrom3(context))}

    def explain(self, error: openmm.OpenMMException, context: openmm.Context) -> Exception:
        if "less than twice the nonbonded cutoff" not in str(error):
            return super().explain(error, context)
        volume = _volume_angstrom3(context)
        forces = [force for force in self.system.getForces() if isinstance(force, openmm.NonbondedForce)]
        cutoff = forces[0].getCutoffDistance().value_in_unit(nanometer) * NM_TO_ANGSTROM
        n_molecules = self.molecules[-1] + 1
        n_wanted = int(np.ceil(n_molecules / ROOM_OF_LENGTH**3))
        return InputError(
            f"systems.{self.name}: at {self.settings.pressure_bar:g} bar and {self.temperature_kelvin:g} K the box "
            f"shrank to {volume ** (1 / 3):.3f} Å ({self.density_of(volume):.3f} g/cm3) at step "
            f"{context.getStepCount()}, less than twice cutoff_angstrom {cutoff:g}: its fluctuations need room. "
            f"Put {n_wanted} molecules in the box instead of {n_molecules}, or lower cutoff_angstrom to "
            f"{ROOM_OF_LENGTH * cutoff:.3g}"
        )


def _volume_angstrom3(context: openmm.Context) -> float:
    return context.getState().getPeriodicBoxVolume().value_in_unit(nanometer**3) * NM_TO_ANGSTROM**3


def _positions(folder: WorkFolder, frame: int) -> np.ndarray:
    """Of one production frame [n_atoms, 3], nm."""
    for chunk in folder.records():
        if frame < len(chunk["positions_nm"]):
            return chunk["positions_nm"][frame].astype(np.float64)
        frame -= len(chunk["positions_nm"])
    raise AssertionError(frame)


def _write_box(
    name: str,
    topology: Topology,
    system_path: str | Path,
    positions: np.ndarray,
    length_angstrom: float,
    out_topology: str | Path,
    out_system: str | Path,
) -> None:
    """The system as built, in another cubic box; positions [n_atoms, 3] in Å."""
    vectors = np.eye(3) * length_angstrom / NM_TO_ANGSTROM * nanometer
    topology.setPeriodicBoxVectors(vectors)
    write_topology(out_topology, name, topology, positions)
    system = load_system(system_path)
    system.setDefaultPeriodicBoxVectors(*vectors)
    write_text(out_system, openmm.XmlSerializer.serialize(system))


def _summary(name: str, volumes: np.ndarray, mean: Average, density: float) -> dict[str, Any]:
    """What was found, and whether it may be trusted; prints a warning where it may not."""
    change = drift(volumes)
    reasons = []
    if abs(change.change) > DRIFT_LIMIT * change.standard_error:
        reasons.append(
            f"the volume drifts by {change.change / mean.mean:+.2%} over the production (standard error "
            f"{change.standard_error / mean.mean:.2%}): raise equilibration_ps"
        )
    if mean.n_independent < N_INDEPENDENT_NEEDED:
        reasons.append(
            f"the production holds {mean.n_independent:.1f} independent volumes, fewer than {N_INDEPENDENT_NEEDED}: "
            "raise production_ps"
        )
    error = None if mean.standard_error is None else density * mean.standard_error / mean.mean
    shown = f"{density:.4f} g/cm3 ({mean.reason})" if error is None else f"{density:.4f} ± {error:.4f} g/cm3"
    print(f"{name}: density {shown}, box {mean.mean ** (1 / 3):.4f} Å", flush=True)
    for reason in reasons:
        print(f"warning: density of {name} is not converged: {reason}", flush=True)
    return {
        "system": name,
        "box_length_angstrom": mean.mean ** (1 / 3),
        "volume_angstrom3": mean.mean,
        "volume_standard_error_angstrom3": mean.standard_error,
        "density_g_per_cm3": density,
        "density_standard_error_g_per_cm3": error,
        "standard_error_reason": mean.reason,
        "n_volumes": len(volumes),
        "n_independent_volumes": mean.n_independent,
        "statistical_inefficiency": mean.statistical_inefficiency,
        "drift_angstrom3": change.change,
        "drift_standard_error_angstrom3": change.standard_error,
        "converged": not reasons,
        "reasons": reasons,
    }
