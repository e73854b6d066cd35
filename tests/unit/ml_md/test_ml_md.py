import h5py
import numpy as np
import openmm
import pytest
import torch
from torch import nn

from gpip.config.experiments import MLMD
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.units import BOLTZMANN_EV_PER_K
from gpip.ml_md.driver import run_ml_md
from gpip.ml_md.dynamics import ReplicaDynamics
from gpip.ml_md.force import ReplicaForce

LENGTH = 9.6


class SoftSpheres(nn.Module):
    """Pairs repel with k/2 (cutoff - r)^2: bounded forces, the same call signature as a network."""

    cutoff_angstrom = 4.0

    def __init__(self, stiffness: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("stiffness", torch.tensor(stiffness, dtype=torch.float64))

    def forward(self, graph, compute_forces=True, compute_stress=False):
        vectors = graph.edge_vectors()
        distances = vectors.norm(dim=1)
        centre = graph.edge_index[0]
        missing = self.cutoff_angstrom - distances
        pair_energy = 0.25 * self.stiffness * missing**2
        energy = torch.zeros(graph.n_graphs, dtype=torch.float64)
        energy.index_add_(0, graph.atom_graph[centre], pair_energy)
        pull = -self.stiffness * (missing / distances)[:, None] * vectors
        return {"energy": energy, "forces": torch.zeros_like(graph.positions).index_add_(0, centre, pull)}


class FailsLater(SoftSpheres):
    """Forces of graph 0 become `wrong` once its atom 0 has moved 0.1 Å."""

    def __init__(self, start: np.ndarray, wrong: float) -> None:
        super().__init__()
        self.start, self.wrong = torch.from_numpy(start), wrong

    def forward(self, graph, compute_forces=True, compute_stress=False):
        result = super().forward(graph)
        moved = graph.positions[0] - self.start
        if (moved - LENGTH * (moved / LENGTH).round()).norm() > 0.1:
            result["forces"][1] = self.wrong
        return result


def frames(n: int, seed: int = 0) -> list[Frame]:
    """Argon on a slightly disturbed cubic lattice of 3 x 3 x 3 atoms."""
    rng = np.random.default_rng(seed)
    lattice = 3.2 * np.stack(np.meshgrid(range(3), range(3), range(3), indexing="ij"), axis=-1).reshape(-1, 3)
    species, cell = np.full(27, 18, dtype=np.uint8), LENGTH * np.eye(3)
    return [Frame(species, lattice + 0.1 * rng.normal(size=(27, 3)), cell, np.ones(3, dtype=bool)) for _ in range(n)]


def settings(**changes) -> MLMD:
    return MLMD(**{"thermostat": "nve", "timestep_fs": 1.0, "duration_ps": 0.5, "sample_every_ps": 0.01} | changes)


def run(path, potential, starts, chosen, seed=1) -> dict[str, np.ndarray]:
    run_ml_md(potential, starts, range(len(starts)), chosen, seed, path)
    with h5py.File(path) as file:
        return {name: file[name][...] for name in file}


def total_energy(result) -> np.ndarray:
    return result["potential_energy"] + result["kinetic_energy"]


def test_energy_is_conserved_and_its_error_falls_with_the_square_of_the_timestep(tmp_path):
    fluctuation = {}
    for timestep_fs in (2.0, 4.0):
        chosen = settings(timestep_fs=timestep_fs, duration_ps=1, sample_every_ps=0.02)
        energy = total_energy(run(tmp_path / f"{timestep_fs}.h5", SoftSpheres(), frames(10), chosen))
        drift = np.polyfit(np.arange(len(energy)), energy, 1)[0] * len(energy)
        kinetic = 1.5 * 27 * BOLTZMANN_EV_PER_K * 300
        assert abs(drift.mean()) < 5e-4 * kinetic
        fluctuation[timestep_fs] = np.sqrt(energy.var(axis=0).mean())
    np.testing.assert_allclose(fluctuation[4.0] / fluctuation[2.0], 4, rtol=0.15)


def test_free_flight_of_a_pair_out_of_reach_is_a_straight_line(tmp_path):
    frame = Frame(np.array([18, 18]), np.array([[0.0, 0, 0], [20, 0, 0]]), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    result = run(tmp_path / "run.h5", SoftSpheres(), [frame], settings())
    path = result["positions"][:, 0].astype(float)
    velocity = (path[-1] - path[0]) / (result["time_fs"][-1] - result["time_fs"][0])
    expected = frame.positions + result["time_fs"][:, None, None] * velocity
    np.testing.assert_allclose(path, expected, atol=2e-5)
    np.testing.assert_allclose(velocity.sum(axis=0), 0, atol=1e-7)
    assert result["temperature"].std() < 1e-9


@pytest.mark.physics
@pytest.mark.parametrize("thermostat", ["langevin", "nose-hoover"])
def test_mean_temperature_is_the_target_for_each_replica(tmp_path, thermostat):
    chosen = settings(
        thermostat=thermostat,
        timestep_fs=4,
        duration_ps=24,
        sample_every_ps=0.02,
        friction_per_ps=10,
        collision_frequency_per_ps=20,
        frames_per_checkpoint=400,
    )
    temperature = run(tmp_path / "run.h5", SoftSpheres(), frames(2), chosen)["temperature"][200:]
    blocks = temperature.reshape(10, -1, 2).mean(axis=1)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(10)
    assert (error < 6).all()
    np.testing.assert_array_less(np.abs(blocks.mean(axis=0) - 300), 4 * error)
    # 3N instead of 3N - 3 degrees of freedom would be 4 % off.
    spread = 300 * np.sqrt(2 / 78)
    np.testing.assert_allclose(temperature.std(axis=0), spread, rtol=0.25)


def test_momentum_of_each_replica_stays_zero(tmp_path):
    for thermostat in ("langevin", "nose-hoover"):
        result = run(tmp_path / "run.h5", SoftSpheres(), frames(2), settings(thermostat=thermostat))
        centre = result["positions"].mean(axis=2)
        # Langevin forces act on the centre between two frames only.
        np.testing.assert_allclose(centre - centre[0], 0, atol=0.05 if thermostat == "langevin" else 1e-5)


@pytest.mark.parametrize("thermostat", ["nve", "nose-hoover"])
def test_replica_in_a_batch_moves_as_it_does_alone(tmp_path, thermostat):
    starts, chosen = frames(3), settings(thermostat=thermostat)
    together = run(tmp_path / "three.h5", SoftSpheres(), starts, chosen)
    alone = run(tmp_path / "one.h5", SoftSpheres(), starts[:1], chosen)
    np.testing.assert_allclose(together["positions"][:, :1], alone["positions"], atol=1e-6)
    np.testing.assert_allclose(together["temperature"][:, :1], alone["temperature"], rtol=1e-6)
    assert not np.allclose(together["temperature"][:, 0], together["temperature"][:, 1], rtol=0.01)


@pytest.mark.parametrize("thermostat", ["nve", "nose-hoover", "langevin"])
def test_resumed_run_equals_uninterrupted_run(tmp_path, monkeypatch, thermostat):
    chosen = settings(thermostat=thermostat, duration_ps=0.2, frames_per_checkpoint=6)
    whole = run(tmp_path / "whole.h5", SoftSpheres(), frames(2), chosen)
    observe, calls = ReplicaDynamics.observe, []

    def killed(self, context):
        calls.append(0)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return observe(self, context)

    monkeypatch.setattr(ReplicaDynamics, "observe", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed.h5", SoftSpheres(), frames(2), chosen)
    assert not (tmp_path / "resumed.h5").exists()
    assert len(list((tmp_path / "resumed.h5.work").glob("chunk-*"))) == 3
    calls.clear()
    monkeypatch.setattr(ReplicaDynamics, "observe", observe)
    resumed = run(tmp_path / "resumed.h5", SoftSpheres(), frames(2), chosen)
    assert resumed["positions"].shape == (20, 2, 27, 3)
    for name, values in whole.items():
        assert np.array_equal(values, resumed[name], equal_nan=values.dtype.kind == "f"), name
    assert list(tmp_path.glob("*.work")) == []


def test_run_with_another_network_starts_afresh(tmp_path, monkeypatch, capsys):
    chosen = settings(duration_ps=0.1, frames_per_checkpoint=2)
    expected = run(tmp_path / "expected.h5", SoftSpheres(0.3), frames(1), chosen)
    with monkeypatch.context() as patch:
        patch.setattr("gpip.ml_md.driver.write_ml_md", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "run.h5", SoftSpheres(0.2), frames(1), chosen)
    result = run(tmp_path / "run.h5", SoftSpheres(0.3), frames(1), chosen)
    assert "starting afresh" in capsys.readouterr().out
    assert np.array_equal(result["positions"], expected["positions"])


@pytest.mark.parametrize(("wrong", "said"), [(float("nan"), "not finite"), (1e3, "a force of 1732 eV/Å")])
def test_replica_that_becomes_unstable_is_stopped_and_the_others_go_on(tmp_path, wrong, said):
    starts, chosen = frames(3), settings(thermostat="nose-hoover", frames_per_checkpoint=10)
    healthy = run(tmp_path / "healthy.h5", SoftSpheres(), starts, chosen)
    result = run(tmp_path / "run.h5", FailsLater(starts[0].positions[0], wrong), starts, chosen)
    stopped_fs = result["unstable_from_fs"][0]
    assert 0 < stopped_fs < 200
    assert said in result["unstable_reason"][0].decode()
    assert np.isnan(result["unstable_from_fs"][1:]).all()
    before = result["time_fs"] < stopped_fs
    assert before.any()
    for name in ("positions", "temperature", "potential_energy", "kinetic_energy"):
        assert np.isnan(result[name][~before, 0]).all()
        assert np.array_equal(result[name][before, 0], healthy[name][before, 0])
        np.testing.assert_allclose(result[name][:, 1:], healthy[name][:, 1:], rtol=1e-6, atol=1e-6)


def test_run_ends_early_when_every_replica_is_too_hot(tmp_path):
    chosen = settings(max_temperature_kelvin=1, frames_per_checkpoint=5)
    result = run(tmp_path / "run.h5", SoftSpheres(), frames(2), chosen)
    assert result["unstable_from_fs"].tolist() == [10, 10]
    assert b"K, more than 1" in result["unstable_reason"][0]
    assert result["positions"].shape == (50, 2, 27, 3)
    assert np.isnan(result["temperature"]).all()


class Stack(SoftSpheres):
    """Atoms that attract each other with a force of 2 eV/Å at most, down to no distance at all."""

    def forward(self, graph, compute_forces=True, compute_stress=False):
        result = super().forward(graph)
        return {"energy": -result["energy"], "forces": -10 * result["forces"].clamp(-0.2, 0.2)}


@pytest.mark.parametrize("shift", [0.0, LENGTH])
def test_atoms_that_collapse_below_every_force_limit_stop_their_replica(tmp_path, shift):
    starts, chosen = frames(2), settings(thermostat="nose-hoover", frames_per_checkpoint=10)
    close = starts[0].positions.copy()
    # Across the face of the box, too: the contact is with a periodic image.
    close[5] = close[4] + [0.3, 0, 0] + np.array([0, shift, 0])
    starts[0] = Frame(starts[0].species, close, starts[0].cell, starts[0].pbc)
    healthy = run(
        tmp_path / "healthy.h5", SoftSpheres(), starts, chosen.model_copy(update={"min_contact_of_covalent_radii": 0})
    )
    assert np.isnan(healthy["unstable_from_fs"]).all()
    result = run(tmp_path / "run.h5", SoftSpheres(), starts, chosen)
    assert result["unstable_from_fs"][0] == 0
    assert np.isnan(result["unstable_from_fs"][1])
    reason = result["unstable_reason"][0].decode()
    assert reason == "atoms Ar 4 and Ar 5 are 0.300 Å apart, less than 0.5 of the sum of their covalent radii, 2.12 Å"
    np.testing.assert_allclose(result["positions"][:, 1], healthy["positions"][:, 1], atol=1e-6)


def test_a_collapse_during_the_run_is_seen(tmp_path):
    result = run(tmp_path / "run.h5", Stack(), frames(1), settings(duration_ps=5, max_temperature_kelvin=1e9))
    assert 0 < result["unstable_from_fs"][0] < 5000
    assert b"of the sum of their covalent radii" in result["unstable_reason"][0]


class Spring(nn.Module):
    """The two atoms of a molecule on a stiff harmonic bond."""

    cutoff_angstrom = 6.0
    stiffness, length = 2.0, 3.0

    def forward(self, graph, compute_forces=True, compute_stress=False):
        vectors = graph.edge_vectors()
        distances, centre = vectors.norm(dim=1), graph.edge_index[0]
        stretch = distances - self.length
        energy = torch.zeros(graph.n_graphs, dtype=torch.float64)
        energy.index_add_(0, graph.atom_graph[centre], 0.25 * self.stiffness * stretch.square().double())
        pull = (self.stiffness * stretch / distances)[:, None] * vectors
        return {"energy": energy, "forces": torch.zeros_like(graph.positions).index_add_(0, centre, pull)}


def molecules(n: int) -> list[Frame]:
    positions = np.array([[0.0, 0, 0], [3.0, 0, 0]])
    return [Frame(np.full(2, 18), positions, np.zeros((3, 3)), np.zeros(3, dtype=bool)) for _ in range(n)]


@pytest.mark.physics
def test_a_small_molecule_without_a_box_is_sampled_canonically_by_default(tmp_path):
    """<V> of a harmonic bond: the integral over r^2 exp(-V/kT).

    Nosé-Hoover chains keep each replica at a value of its own, from 0.2 to 2 times the right one.
    """
    chosen = MLMD(timestep_fs=4, duration_ps=20, sample_every_ps=0.1, friction_per_ps=10, n_replicas=24)
    potential = run(tmp_path / "run.h5", Spring(), molecules(24), chosen)["potential_energy"][20:].mean(axis=0)
    r, thermal = np.linspace(0.5, 6, 5001), BOLTZMANN_EV_PER_K * 300
    energy = 0.5 * Spring.stiffness * (r - Spring.length) ** 2
    weight = r**2 * np.exp(-energy / thermal)
    expected = (energy * weight).sum() / weight.sum()
    error = potential.std(ddof=1) / np.sqrt(24)
    assert error < 0.06 * expected
    assert potential.mean() == pytest.approx(expected, abs=3.5 * error)


@pytest.mark.parametrize(("boxed", "given", "expected"), [
    (True, None, openmm.NoseHooverIntegrator),
    (False, None, openmm.LangevinMiddleIntegrator),
    (False, "nose-hoover", openmm.NoseHooverIntegrator),
    (True, "langevin", openmm.LangevinMiddleIntegrator),
    (False, "nve", openmm.VerletIntegrator),
])  # fmt: skip
def test_thermostat_without_a_box_is_langevin_unless_given(capsys, boxed, given, expected):
    chosen = settings(thermostat=given)
    force = ReplicaForce(SoftSpheres(), frames(1) if boxed else molecules(1), chosen, "cpu")
    integrator = ReplicaDynamics(force, chosen, 1).integrator(1)
    assert type(integrator) is expected
    warned = "warning: thermostat nose-hoover is not ergodic" in capsys.readouterr().out
    assert warned == (not boxed and given == "nose-hoover")


def test_each_thermostat_counts_three_degrees_of_freedom_less():
    force = ReplicaForce(SoftSpheres(), frames(2), settings(), "cpu")
    dynamics = ReplicaDynamics(force, settings(thermostat="nose-hoover"), 1)
    integrator = dynamics.integrator(1)
    context = openmm.Context(dynamics.system, integrator, openmm.Platform.getPlatformByName("Reference"))
    assert [integrator.getThermostat(i).getNumDegreesOfFreedom() for i in range(2)] == [81, 81]
    dynamics.attach(integrator, {})
    assert [integrator.getThermostat(i).getNumDegreesOfFreedom() for i in range(2)] == [78, 78]
    del context


def test_error_of_the_network_is_raised_as_it_is(tmp_path):
    class Broken(SoftSpheres):
        def forward(self, graph, compute_forces=True, compute_stress=False):
            raise InputError("element 18 was never seen in training")

    with pytest.raises(InputError, match="never seen"):
        run(tmp_path / "run.h5", Broken(), frames(1), settings())


def test_replicas_of_different_systems_are_refused(tmp_path):
    other = Frame(np.full(27, 2), frames(1)[0].positions, LENGTH * np.eye(3), np.ones(3, dtype=bool))
    with pytest.raises(InputError, match="configuration 1 has other atoms"):
        run(tmp_path / "run.h5", SoftSpheres(), [*frames(1), other], settings())
    with pytest.raises(InputError, match="2 start configurations, but 1 indices"):
        run_ml_md(SoftSpheres(), frames(2), [0], settings(), 1, tmp_path / "run.h5")
