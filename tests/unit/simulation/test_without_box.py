"""One molecule without a box: minimised, sampled, in a data set, with classical labels."""

from pathlib import Path

import mdtraj
import numpy as np
import openmm
import pandas as pd
import pytest
from start_systems import built, minimised

from gpip.config.systems import NPT, Annealing, Sampling
from gpip.core.errors import InputError
from gpip.datasets.info import describe
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun, write_dataset_from_runs
from gpip.simulation.annealing import anneal_system
from gpip.simulation.classical import degrees_of_freedom, load_system, masses_amu, run_classical_md
from gpip.simulation.density import equilibrate_density
from gpip.simulation.labels import classical_labels
from gpip.simulation.platforms import choose_platform

ETHER = {
    "species": {"dimethyl-ether": {"smiles": "COC", "count": 1}},
    "force_field": "opls-aa",
    "periodic": False,
}
SHORT = Sampling(equilibration_ps=0.05, production_ps=0.2, sample_every_ps=0.02, frames_per_checkpoint=4)


@pytest.fixture(scope="module")
def ether(tmp_path_factory) -> tuple[Path, Path]:
    return minimised(tmp_path_factory.mktemp("ether"), "ether", **ETHER)


def run(folder: Path, files, settings=SHORT, temperature_kelvin=300.0, platform="CPU", name="ether"):
    folder.mkdir(exist_ok=True)
    outputs = (folder / "trajectory.h5", folder / "log.csv")
    run_classical_md(name, settings, temperature_kelvin, 1, *files, *outputs, platform=platform)
    return mdtraj.load_hdf5(str(outputs[0])), pd.read_csv(outputs[1])


def test_trajectory_has_no_cell_and_the_data_set_says_so(tmp_path, ether):
    trajectory, log = run(tmp_path, ether)
    assert trajectory.unitcell_vectors is None
    assert trajectory.n_frames == len(log) == 10
    source = ClassicalRun("ether", 300.0, tmp_path / "trajectory.h5", ether[1])
    write_dataset_from_runs(tmp_path / "set.h5", [source], {}, label_function=classical_labels)
    dataset = Dataset(tmp_path / "set.h5")
    frame = dataset[3]
    assert not frame.pbc.any()
    assert not frame.cell.any()
    assert (dataset.systems["ether"].molecule == 0).all()
    assert "box: none" in describe(tmp_path / "set.h5")
    # Stored positions are float32, and so is the CPU platform.
    np.testing.assert_allclose(dataset.systems["ether"].energy, log.potential_energy_ev, atol=2e-4)
    moved = frame.positions.astype(float)[None].repeat(2, axis=0)
    moved[:, 2, 0] += [1e-3, -1e-3]
    energy, _ = classical_labels(ether[1], moved, np.zeros((3, 3)), platform="Reference")
    assert frame.forces[2, 0] == pytest.approx(-(energy[0] - energy[1]) / 2e-3, abs=2e-3)
    assert np.abs(frame.forces.sum(axis=0)).max() < 1e-3


def test_data_set_holds_molecules_beside_boxes(tmp_path, ether):
    run(tmp_path / "alone", ether)
    water = minimised(tmp_path, species={"water": 20}, force_field="tip3p", density=0.997)
    run(tmp_path / "box", water, name="water")
    runs = [
        ClassicalRun("ether", 300.0, tmp_path / "alone/trajectory.h5", ether[1]),
        ClassicalRun("water", 300.0, tmp_path / "box/trajectory.h5", water[1]),
    ]
    write_dataset_from_runs(tmp_path / "set.h5", runs, {}, label_function=classical_labels)
    dataset = Dataset(tmp_path / "set.h5")
    assert [bool(system.pbc.any()) for system in dataset.systems.values()] == [False, True]


def test_resumed_run_equals_uninterrupted_run(tmp_path, ether, monkeypatch):
    from gpip.simulation.classical import ClassicalDynamics

    whole = run(tmp_path / "whole", ether)
    observe, calls = ClassicalDynamics.observe, []

    def killed(self, context):
        calls.append(0)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return observe(self, context)

    monkeypatch.setattr(ClassicalDynamics, "observe", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", ether)
    resumed = run(tmp_path / "resumed", ether)
    assert np.array_equal(whole[0].xyz, resumed[0].xyz)
    pd.testing.assert_frame_equal(whole[1], resumed[1], check_exact=True)


@pytest.mark.physics
def test_temperature_counts_rotation_and_not_the_drift(tmp_path, ether):
    """3 n - 3 degrees of freedom: with 3 n or 3 n - 6 the mean would be off by 33 or 43 K."""
    settings = SHORT.model_copy(
        update={
            "timestep_fs": 0.5,
            "equilibration_ps": 2.0,
            "production_ps": 40.0,
            "friction_per_ps": 10.0,
            "frames_per_checkpoint": 5000,
        }
    )
    trajectory, log = run(tmp_path, ether, settings, platform="Reference")
    system = load_system(ether[1])
    assert degrees_of_freedom(system) == 24
    blocks = log.temperature_kelvin.to_numpy().reshape(20, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(20)
    assert error < 7
    assert abs(blocks.mean() - 300) < 4 * error
    # Kinetic energies of 24 free degrees of freedom are gamma-distributed.
    assert log.temperature_kelvin.std() == pytest.approx(300 * np.sqrt(2 / 24), rel=0.15)
    centre = np.average(trajectory.xyz, axis=1, weights=masses_amu(system))
    assert np.abs(centre - centre[0]).max() < 0.02  # nm; free, it would go several
    # It does turn: a C-O bond points everywhere.
    axis = trajectory.xyz[:, 2] - trajectory.xyz[:, 1]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    assert axis.min(axis=0).max() < -0.5
    assert axis.max(axis=0).min() > 0.5


def test_molecule_alone_may_be_annealed(tmp_path, ether):
    settings = Annealing(start_kelvin=600, duration_ps=0.1, log_every_ps=0.01)
    outputs = [tmp_path / name for name in ("topology.pdb", "annealing.csv", "annealing.json")]
    anneal_system("ether", settings, 1, *ether, *outputs, platform="CPU")
    assert "CRYST1" not in outputs[0].read_text()
    run(tmp_path / "run", (outputs[0], ether[1]))


def test_molecule_alone_has_no_density(tmp_path, ether):
    outputs = [tmp_path / name for name in ("topology.pdb", "system.xml", "density.csv", "density.json")]
    with pytest.raises(InputError, match="without a box has no density"):
        equilibrate_density("ether", NPT(), 1, *ether, *outputs, platform="CPU")


def test_ion_alone_cannot_move(tmp_path):
    files = built(tmp_path, "ion", species={"Na+": 1}, force_field="opls-aa", periodic=False)
    with pytest.raises(InputError, match=r"systems\.ion: nothing in it can move"):
        run(tmp_path / "run", files, name="ion")


def test_bonds_to_hydrogen_hold_their_length_and_their_degrees_of_freedom(tmp_path):
    files = minimised(tmp_path, "ether", **ETHER, constraints="h-bonds")
    system = load_system(files[1])
    assert system.getNumConstraints() == 6
    assert degrees_of_freedom(system) == 27 - 6 - 3
    trajectory, log = run(tmp_path / "run", files, SHORT.model_copy(update={"timestep_fs": 2.0}))
    for i in range(6):
        first, second, length = system.getConstraintParameters(i)
        found = np.linalg.norm(trajectory.xyz[:, first] - trajectory.xyz[:, second], axis=-1)
        np.testing.assert_allclose(found, length._value, atol=2e-6)
    assert log.temperature_kelvin.between(50, 900).all()
    with pytest.raises(InputError, match=r"6 bonds or angles are rigid, .* constraints: none"):
        classical_labels(files[1], 10 * trajectory.xyz, np.zeros((3, 3)))


def test_a_molecule_without_a_box_takes_the_platform_that_is_faster_for_it(ether):
    molecule = load_system(ether[1])
    assert choose_platform("cpu", system=molecule).platform.getName() == "Reference"
    many = openmm.System()
    for _ in range(101):
        many.addParticle(1.0)
    assert choose_platform("cpu", system=many).platform.getName() == choose_platform("cpu").platform.getName() == "CPU"
