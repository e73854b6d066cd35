import os
import signal
import subprocess
import sys
from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pandas as pd
import pytest
from openmm.unit import angstrom
from start_systems import minimised

from gpip.config.systems import Sampling
from gpip.core.errors import InputError
from gpip.core.units import BOLTZMANN_EV_PER_K
from gpip.simulation.classical import ClassicalDynamics, degrees_of_freedom, load_system, run_classical_md
from gpip.simulation.labels import classical_labels
from gpip.simulation.platforms import GPU_FASTEST_FIRST, _prepared, choose_platform

SHORT = Sampling(
    equilibration_ps=0.03,
    production_ps=0.1,
    sample_every_ps=0.01,
    frames_per_checkpoint=4,
)


def build(folder: Path, rigid_water: bool = False) -> tuple[Path, Path]:
    return minimised(folder, species={"water": 20}, force_field="tip3p", density=0.997, rigid_water=rigid_water)


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("box"))


def run(folder: Path, box, sampling=SHORT, temperature_kelvin=300.0, seed=1, platform="CPU"):
    folder.mkdir(exist_ok=True)
    run_classical_md(
        "water",
        sampling,
        temperature_kelvin,
        seed,
        *box,
        folder / "trajectory.h5",
        folder / "log.csv",
        platform=platform,
    )
    return mdtraj.load_hdf5(str(folder / "trajectory.h5")), pd.read_csv(folder / "log.csv")


def assert_equal_runs(one, other):
    assert np.array_equal(one[0].xyz, other[0].xyz)
    assert np.array_equal(one[0].time, other[0].time)
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)


def test_files_have_the_wanted_frames_and_whole_molecules(tmp_path, box):
    trajectory, log = run(tmp_path, box)
    assert trajectory.n_frames == len(log) == 10
    np.testing.assert_allclose(log.time_ps, 0.01 * np.arange(1, 11), rtol=1e-12)
    np.testing.assert_allclose(trajectory.time, log.time_ps, rtol=1e-6)
    bonds = trajectory.xyz.reshape(10, 20, 3, 3)
    assert np.linalg.norm(bonds[:, :, 1:] - bonds[:, :, :1], axis=-1).max() < 0.12
    degrees = 3 * 60 - 3
    expected = 2 * log.kinetic_energy_ev / (degrees * BOLTZMANN_EV_PER_K)
    np.testing.assert_allclose(log.temperature_kelvin, expected, rtol=1e-7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "trajectory.h5"]


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_resumed_run_equals_uninterrupted_run(tmp_path, box, monkeypatch, platform):
    whole = run(tmp_path / "whole", box, platform=platform)
    observe, calls = ClassicalDynamics.observe, []

    def killed(self, context):
        calls.append(0)
        if len(calls) == 9:  # in the second chunk of production
            raise KeyboardInterrupt
        return observe(self, context)

    monkeypatch.setattr(ClassicalDynamics, "observe", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", box, platform=platform)
    assert not (tmp_path / "resumed" / "trajectory.h5").exists()
    n_before = len(calls)
    resumed = run(tmp_path / "resumed", box, platform=platform)
    assert len(calls) - n_before == 13 - 7
    assert_equal_runs(whole, resumed)


KILLED = """
import os, signal, sys
from pathlib import Path
from gpip.config.systems import Sampling
from gpip.simulation import classical
observe, calls = classical.ClassicalDynamics.observe, []
def killed(self, context):
    calls.append(0)
    if len(calls) == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return observe(self, context)
classical.ClassicalDynamics.observe = killed
folder, topology, system, sampling = sys.argv[1:]
folder = Path(folder)
classical.run_classical_md("water", Sampling.model_validate_json(sampling), 300.0, 1, topology, system,
                           folder / "trajectory.h5", folder / "log.csv", platform="CPU")
"""


def test_run_killed_by_a_signal_goes_on_and_equals_an_uninterrupted_one(tmp_path, box):
    whole = run(tmp_path / "whole", box)
    folder = tmp_path / "killed"
    folder.mkdir()
    arguments = [sys.executable, "-c", KILLED, str(folder), *map(str, box), SHORT.model_dump_json()]
    done = subprocess.run(arguments, capture_output=True, text=True, env=os.environ)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in folder.iterdir()] == ["trajectory.h5.work"]
    assert_equal_runs(whole, run(folder, box))


@pytest.mark.parametrize("changed", ["seed", "temperature", "sampling"])
def test_run_left_by_other_settings_is_not_resumed(tmp_path, box, monkeypatch, capsys, changed):
    with monkeypatch.context() as patch:
        patch.setattr("gpip.simulation.classical.write_trajectory", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "run", box)
    other = {
        "seed": {"seed": 2},
        "temperature": {"temperature_kelvin": 310.0},
        "sampling": {"sampling": SHORT.model_copy(update={"friction_per_ps": 2.0})},
    }[changed]
    result = run(tmp_path / "run", box, **other)
    assert "starting afresh" in capsys.readouterr().out
    assert_equal_runs(result, run(tmp_path / "fresh", box, **other))


def test_rigid_water_loses_a_degree_of_freedom_per_constraint(tmp_path):
    box = build(tmp_path, rigid_water=True)
    assert degrees_of_freedom(load_system(box[1])) == 3 * 60 - 60 - 3
    trajectory, log = run(tmp_path / "run", box)
    bonds = trajectory.xyz.reshape(10, 20, 3, 3)
    lengths = np.linalg.norm(bonds[:, :, 1:] - bonds[:, :, :1], axis=-1)
    np.testing.assert_allclose(lengths, 0.09572, atol=2e-6)
    assert log.temperature_kelvin.between(100, 600).all()
    with pytest.raises(InputError, match="rigid_water: false"):
        classical_labels(box[1], 10 * trajectory.xyz, np.eye(3))


@pytest.mark.physics
@pytest.mark.parametrize("temperature_kelvin", [100.0, 1000.0])
def test_mean_temperature_is_the_target_at_both_ends(tmp_path, box, temperature_kelvin):
    sampling = SHORT.model_copy(
        update={
            "equilibration_ps": 1.0,
            "production_ps": 5.0,
            "friction_per_ps": 10.0,
            "frames_per_checkpoint": 250,
        }
    )
    _, log = run(tmp_path, box, sampling, temperature_kelvin)
    blocks = log.temperature_kelvin.to_numpy().reshape(10, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(10)
    assert error < 0.03 * temperature_kelvin
    assert abs(blocks.mean() - temperature_kelvin) < 4 * error


def test_exploding_system_says_where_and_what_to_try(tmp_path, box):
    sampling = SHORT.model_copy(update={"timestep_fs": 10.0})
    with pytest.raises(InputError, match=r"water at 300 K exploded at step \d+ \(seed \d+\).*Try timestep_fs 5 "):
        run(tmp_path, box, sampling)


def test_damaged_or_foreign_system_is_an_error(tmp_path, box):
    (tmp_path / "system.xml").write_text("<System")
    with pytest.raises(InputError, match="not an OpenMM system"):
        run(tmp_path, (box[0], tmp_path / "system.xml"))
    system = load_system(box[1])
    system.addParticle(1.0)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with pytest.raises(InputError, match=r"61 particles, but the topology beside it has\s+60 atoms"):
        run(tmp_path, (box[0], tmp_path / "system.xml"))


def test_gpu_is_taken_where_one_works_and_its_lack_explained():
    working = [name for name in GPU_FASTEST_FIRST if _prepared(name, 1)]
    if working:
        assert choose_platform("gpu").platform.getName() == choose_platform().platform.getName() == working[0]
    else:
        with pytest.raises(InputError, match=r"a GPU was asked for, .*CUDA, HIP, OpenCL.*leave out gpu=1"):
            choose_platform("gpu")


def test_unknown_platform_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'Reference'"):
        choose_platform("Referense")


def test_classical_forces_are_minus_the_slope_of_the_energy(box):
    positions = openmm.app.PDBFile(str(box[0])).getPositions(asNumpy=True).value_in_unit(angstrom)
    system = load_system(box[1])
    cell = np.array([a.value_in_unit(angstrom) for a in system.getDefaultPeriodicBoxVectors()])
    step, atoms = 1e-4, [0, 1, 31]
    moved = [positions]
    for atom in atoms:
        for sign in (1, -1):
            moved.append(positions.copy())
            moved[-1][atom, 0] += sign * step
    energy, forces = classical_labels(box[1], np.array(moved), cell, platform="Reference")
    slopes = (energy[1::2] - energy[2::2]) / (2 * step)
    np.testing.assert_allclose(forces[0, atoms, 0], -slopes, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(forces.sum(axis=1), 0, atol=0.02)


def test_classical_labels_equal_the_energies_of_the_run(tmp_path, box):
    trajectory, log = run(tmp_path, box)
    cell = trajectory.unitcell_vectors[0] * 10
    energy, forces = classical_labels(box[1], trajectory.xyz * 10, cell, platform="CPU")
    np.testing.assert_allclose(energy, log.potential_energy_ev, atol=2e-3)
    reference = classical_labels(box[1], trajectory.xyz * 10, cell, platform="Reference")
    np.testing.assert_allclose(energy, reference[0], atol=2e-3)
    np.testing.assert_allclose(forces, reference[1], atol=2e-3)
    with pytest.raises(InputError, match=r"expected \[n_frames, 60, 3\]"):
        classical_labels(box[1], trajectory.xyz[:, :5], cell)
