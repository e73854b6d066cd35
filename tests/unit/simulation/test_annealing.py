import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from openmm.app import PDBFile
from openmm.unit import angstrom, kelvin
from start_systems import minimised

from gpip.config.systems import Annealing
from gpip.core.errors import InputError
from gpip.simulation.annealing import Cooling, anneal_system
from gpip.simulation.classical import load_system

SHORT = Annealing(
    start_kelvin=600, end_kelvin=300, duration_ps=0.2, timestep_fs=0.5, log_every_ps=0.01, frames_per_checkpoint=6
)
OUTPUTS = ("topology.pdb", "annealing.csv", "annealing.json")


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> tuple[Path, Path]:
    return minimised(tmp_path_factory.mktemp("box"), species={"water": 20}, force_field="tip3p", density=0.997)


def run(folder: Path, box, settings=SHORT, platform="CPU", seed=1):
    folder.mkdir(exist_ok=True)
    outputs = [folder / name for name in OUTPUTS]
    anneal_system("water", settings, seed, *box, *outputs, platform=platform)
    return pd.read_csv(outputs[1]), json.loads(outputs[2].read_text())


def test_files_hold_the_line_of_temperatures_and_whole_molecules_in_the_same_box(tmp_path, box):
    table, summary = run(tmp_path, box)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OUTPUTS)
    assert list(table) == ["time_ps", "target_kelvin", "temperature_kelvin", "potential_energy_ev"]
    np.testing.assert_allclose(table.time_ps, 0.01 * np.arange(1, 21), rtol=1e-7)
    np.testing.assert_allclose(table.target_kelvin, 600 - 300 * np.arange(1, 21) / 20, rtol=1e-7)
    assert summary["cooling_kelvin_per_ps"] == pytest.approx(1500)
    assert summary["target_kelvin_last_tenth"] == pytest.approx((300 + 315) / 2)
    assert summary["temperature_kelvin_first_tenth"] == pytest.approx(table.temperature_kelvin[:2].mean(), rel=1e-6)
    assert summary["provenance"]["stage"] == "annealing"
    assert summary["provenance"]["settings"]["annealing"] == SHORT.model_dump()

    after, before = PDBFile(str(tmp_path / "topology.pdb")), PDBFile(str(box[0]))
    assert [atom.name for atom in after.topology.atoms()] == [atom.name for atom in before.topology.atoms()]
    edges = [pdb.topology.getUnitCellDimensions().value_in_unit(angstrom) for pdb in (after, before)]
    assert edges[0] == edges[1]
    positions = after.getPositions(asNumpy=True).value_in_unit(angstrom).reshape(20, 3, 3)
    bonds = np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=-1)
    assert 0.8 < bonds.min() < bonds.max() < 1.15
    centres = np.average(positions, axis=1, weights=[15.999, 1.008, 1.008])
    assert -2e-3 < centres.min() < centres.max() < edges[0][0] + 2e-3


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_resumed_run_equals_uninterrupted_run(tmp_path, box, monkeypatch, platform):
    run(tmp_path / "whole", box, platform=platform)
    observe, calls = Cooling.observe, []

    def killed(self, context):
        calls.append(0)
        if len(calls) == 15:  # in the third chunk of six records
            raise KeyboardInterrupt
        return observe(self, context)

    monkeypatch.setattr(Cooling, "observe", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", box, platform=platform)
    n_before = len(calls)
    run(tmp_path / "resumed", box, platform=platform)
    assert len(calls) - n_before == 20 - 12
    for name in OUTPUTS:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes(), name


@pytest.mark.parametrize(
    "settings",
    [
        SHORT,  # 15 K between two records
        SHORT.model_copy(update={"start_kelvin": 307.0, "timestep_fs": 1.0}),  # less than one
        SHORT.model_copy(update={"start_kelvin": 431.0, "timestep_fs": 1.0}),  # steps that are no whole number
    ],
)
def test_thermostat_follows_the_line_in_steps_of_at_most_one_degree(box, settings):
    dynamics = Cooling("water", settings, 1, PDBFile(str(box[0])), box[1])

    class Steps:
        """A clock with a thermostat: what a Context and an Integrator are to the cooling."""

        def __init__(self) -> None:
            self.count, self.seen = 0, []

        def getStepCount(self):
            return self.count

        def setTemperature(self, temperature):
            self.temperature = temperature

        def step(self, n):
            self.seen += [self.temperature] * n
            self.count += n

    clock = Steps()
    for _ in range(settings.n_records):
        dynamics.advance(clock, clock, settings.steps_per_record)
    assert len(clock.seen) == 200 / settings.timestep_fs
    line = np.linspace(settings.start_kelvin, settings.end_kelvin, 2 * len(clock.seen) + 1)[1::2]
    assert np.abs(np.array(clock.seen) - line).max() <= 0.5
    drops = -np.diff(clock.seen)
    assert 0 <= drops.min() <= drops.max() <= 1


def test_integrator_is_left_at_the_last_temperature(box):
    """The thermostat of OpenMM itself is set, in kelvin."""
    import openmm

    dynamics = Cooling("water", SHORT, 1, PDBFile(str(box[0])), box[1])
    integrator = dynamics.integrator(1)
    context = openmm.Context(dynamics.system, integrator, openmm.Platform.getPlatformByName("CPU"))
    dynamics.start(context)
    dynamics.advance(context, integrator, SHORT.steps_per_record)
    assert context.getStepCount() == SHORT.steps_per_record
    assert integrator.getTemperature().value_in_unit(kelvin) == pytest.approx(600 - 15 + 0.375, abs=0.2)


@pytest.mark.physics
def test_water_follows_the_thermostat_down(tmp_path, box):
    settings = SHORT.model_copy(
        update={"duration_ps": 3.0, "timestep_fs": 1.0, "friction_per_ps": 20.0, "frames_per_checkpoint": 100}
    )
    table, _ = run(tmp_path, box, settings)
    lag = (table.temperature_kelvin - table.target_kelvin)[50:].to_numpy().reshape(10, -1).mean(axis=1)
    # 100 K/ps against 20/ps: the water is a few kelvin behind.
    assert abs(lag.mean() - 5) < 4 * lag.std(ddof=1) / np.sqrt(len(lag)) + 5
    assert table.potential_energy_ev[-50:].mean() < table.potential_energy_ev[50:100].mean()


def test_cooling_faster_than_the_thermostat_can_is_warned_of(tmp_path, box, capsys):
    settings = SHORT.model_copy(update={"timestep_fs": 1.0, "friction_per_ps": 0.1, "end_kelvin": 50.0})
    _, summary = run(tmp_path, box, settings)
    assert summary["lag_kelvin_last_tenth"] > 100
    assert re.search(r"warning: water is \d+ K above its thermostat .* raise duration_ps", capsys.readouterr().out)


def test_explosion_names_the_annealing_and_what_to_try(tmp_path, box):
    settings = SHORT.model_copy(update={"timestep_fs": 10.0})
    with pytest.raises(
        InputError, match=r"^annealing of water at [56]\d\d\S* K exploded at step \d+ .* timestep_fs 5 .*lower"
    ):
        run(tmp_path, box, settings)


def test_rigid_water_stays_rigid(tmp_path):
    box = minimised(tmp_path, species={"water": 20}, force_field="tip3p", density=0.997, rigid_water=True)
    run(tmp_path / "run", box)
    assert load_system(box[1]).getNumConstraints() == 60
    positions = PDBFile(str(tmp_path / "run/topology.pdb")).getPositions(asNumpy=True).value_in_unit(angstrom)
    positions = positions.reshape(20, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=-1), 0.9572, atol=2e-3)
