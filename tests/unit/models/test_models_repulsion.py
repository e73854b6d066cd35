"""ZBL: numbers from the formula, its end, files, precision, ASE, dynamics and fine-tuning."""

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.data import covalent_radii

import gpip
from gpip.config.backbones import SchNetSettings
from gpip.config.experiments import MLMD
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.finetuning.initialise import carry_head
from gpip.graphs import graph_from_frames
from gpip.metrics.files import read_ml_md
from gpip.ml_md.driver import run_ml_md
from gpip.models import load_potential, make_potential, save_potential
from gpip.models.blocks.repulsion import ZBLRepulsion
from gpip.models.describe import describe

CUTOFF = 4.0
PLAIN = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=8, cutoff_angstrom=CUTOFF)
SETTINGS = PLAIN.model_copy(update={"repulsion": "zbl"})
OPEN = np.zeros((3, 3)), np.zeros(3, bool)
DOUBLE = torch.float64


def pair(first: int, second: int, distance: float, cell=OPEN[0], pbc=OPEN[1]) -> Frame:
    return Frame(np.array([first, second]), np.array([[0.0, 0, 0], [distance, 0, 0]]), cell, pbc)


def zbl(first: int, second: int, r: float) -> float:
    """eV; written from the formula of the book, with the constants as it prints them and CODATA's e²/(4 π ε0)."""
    x = r * (first**0.23 + second**0.23) / (0.8854 * 0.529177)
    phi = 0.1818 * math.exp(-3.2 * x) + 0.5099 * math.exp(-0.9423 * x)
    phi += 0.2802 * math.exp(-0.4028 * x) + 0.02817 * math.exp(-0.2016 * x)
    return 14.3996454 * first * second / r * phi


def envelope(u: float) -> float:
    """Falls from 1 to 0 with two derivatives that are zero at both ends: 1 - 28 u^6 + 48 u^7 - 21 u^8."""
    return 1 - 28 * u**6 + 48 * u**7 - 21 * u**8


def energy_of(frame: Frame) -> float:
    return float(ZBLRepulsion(CUTOFF)(graph_from_frames([frame], CUTOFF, DOUBLE)).sum())


@pytest.mark.parametrize(("first", "second"), [(1, 1), (8, 1), (6, 8), (3, 9), (15, 9)])
@pytest.mark.parametrize("distance", [0.05, 0.2, 0.5, 0.6])
def test_energy_of_a_pair_is_that_of_the_formula(first, second, distance):
    reach = covalent_radii[first] + covalent_radii[second]
    expected = zbl(first, second, distance) * envelope(distance / reach)
    assert energy_of(pair(first, second, distance)) == pytest.approx(expected, rel=1.5e-3)


def test_energy_with_the_digits_of_lammps():
    """pair_style zbl of LAMMPS has longer constants; evaluated here for O-H at 0.4 Å."""
    x = 0.4 * (8**0.23 + 1) / 0.46850
    parts = ((0.02817, 0.20162), (0.28022, 0.40290), (0.50986, 0.94229), (0.18175, 3.19980))
    screened = 14.399645478 * 8 / 0.4 * sum(c * math.exp(-d * x) for c, d in parts)
    expected = screened * envelope(0.4 / (covalent_radii[8] + covalent_radii[1]))
    assert energy_of(pair(8, 1, 0.4)) == pytest.approx(expected, rel=1e-8)


def test_repulsion_ends_smoothly_at_the_sum_of_the_covalent_radii():
    reach = covalent_radii[6] + covalent_radii[8]
    assert energy_of(pair(6, 8, reach + 1e-6)) == energy_of(pair(6, 8, 2.0)) == 0
    step = 1e-3
    at = [energy_of(pair(6, 8, reach - n * step)) for n in range(4)]
    assert at[0] == pytest.approx(0, abs=1e-12)
    # The leading term is the third power of the distance from the end.
    assert at[2] / at[1] == pytest.approx(8, rel=0.05)


def test_periodic_images_repel_and_a_hidden_element_does_not():
    box = np.diag([3.0, 8, 8]), np.ones(3, bool)
    # 2.8 Å apart inside the box of 3 Å, 0.2 Å across its face.
    assert energy_of(pair(6, 8, 2.8, *box)) == pytest.approx(energy_of(pair(6, 8, 0.2)), rel=1e-9)
    graph = graph_from_frames([pair(6, 8, 0.3)], CUTOFF, DOUBLE)
    assert ZBLRepulsion(CUTOFF)(graph.replace(species=torch.tensor([0, 8]))).abs().sum() == 0


def test_a_short_cutoff_of_the_network_ends_it():
    repulsion = ZBLRepulsion(1.0)
    inside, outside = (repulsion(graph_from_frames([pair(19, 19, r)], 1.0, DOUBLE)).sum() for r in (0.9999, 1.0001))
    assert 0 < inside < 1e-5
    assert outside == 0


def test_it_is_added_to_the_network_and_forces_follow():
    frame = pair(8, 1, 0.3)
    graph = graph_from_frames([frame], CUTOFF, DOUBLE)
    plain, full = (make_potential(one, seed=1).double().eval() for one in (PLAIN, SETTINGS))
    assert float(full(graph)["energy"] - plain(graph)["energy"]) == pytest.approx(energy_of(frame))
    assert plain.state_dict().keys() == full.state_dict().keys()
    step = 1e-5
    slope = (energy_of(pair(8, 1, 0.3 + step)) - energy_of(pair(8, 1, 0.3 - step))) / (2 * step)
    difference = full(graph)["forces"] - plain(graph)["forces"]
    assert difference[1].tolist() == pytest.approx([-slope, 0, 0], rel=1e-6, abs=1e-9)
    features = full.features(graph)
    assert torch.equal(full.energy_from_features(features, graph), plain.energy_from_features(features, graph))


def test_precision_and_files(tmp_path):
    graph = graph_from_frames([pair(8, 1, 0.3)], CUTOFF, DOUBLE)
    potential = make_potential(SETTINGS, seed=1).double()
    potential.set_reference_energies({8: -2041.0, 1: -13.0})
    expected = potential.eval()(graph)
    back = potential.float().double()
    assert torch.equal(back.repulsion(graph), ZBLRepulsion(CUTOFF)(graph))
    single = potential.float()(graph.to(dtype=torch.float32))
    torch.testing.assert_close(single["energy"], expected["energy"], rtol=1e-6, atol=0)
    torch.testing.assert_close(single["forces"].double(), expected["forces"], rtol=1e-4, atol=1e-3)

    path = tmp_path / "model.ckpt"
    save_potential(path, potential, SETTINGS, {})
    loaded = load_potential(path, SETTINGS)
    assert torch.equal(loaded(graph.to(dtype=torch.float32))["energy"], single["energy"])
    assert "repulsion: zbl" in describe(path)
    with pytest.raises(InputError, match="repulsion is 'zbl' in the file, None expected"):
        load_potential(path, PLAIN)
    record = torch.load(path, weights_only=True)
    del record["backbone"]["repulsion"]
    torch.save(record, path)
    assert load_potential(path, PLAIN).repulsion is None, "a file from before the setting has none"


def test_calculator_of_ase_has_it(tmp_path):
    potential = make_potential(SETTINGS, seed=1)
    potential.set_reference_energies({8: -2041.0, 1: -13.0})
    save_potential(tmp_path / "model.ckpt", potential, SETTINGS, {})
    atoms = Atoms("OH", [[0, 0, 0], [0.1, 0, 0]], calculator=gpip.calculator(tmp_path / "model.ckpt", "float64"))
    assert atoms.get_forces()[1, 0] > 1000
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())


def test_dynamics_turn_the_repulsion_into_kinetic_energy(tmp_path):
    """Two hydrogens that start inside of it fly apart with just its energy; the network itself gives none."""
    potential = make_potential(SETTINGS, seed=1)
    potential.energy_scale.zero_()
    chosen = MLMD(
        thermostat="nve",
        temperature_kelvin=1e-3,
        max_temperature_kelvin=1e9,
        min_contact_of_covalent_radii=0,
        timestep_fs=0.02,
        duration_ps=0.01,
        sample_every_ps=0.0005,
    )
    run_ml_md(potential, [pair(1, 1, 0.45)], [0], chosen, 3, tmp_path / "run.h5")
    run = read_ml_md(tmp_path / "run.h5")
    assert np.linalg.norm(np.diff(run.positions(0)[-1], axis=0)) > 0.62
    assert run.potential_energy[-1, 0] == 0
    assert run.kinetic_energy[-1, 0] == pytest.approx(energy_of(pair(1, 1, 0.45)), rel=1e-3)


def test_the_factor_of_a_carried_head_is_that_of_the_network():
    potential, source = (make_potential(SETTINGS, seed=1) for _ in range(2))
    rng = np.random.default_rng(0)
    grid = np.indices((2, 2, 2)).reshape(3, 8).T * 0.9
    frames = [Frame(np.tile([8, 1], 4), grid + rng.normal(0, 0.05, (8, 3)), *OPEN) for _ in range(4)]
    graph = graph_from_frames(frames, CUTOFF)
    plain = make_potential(PLAIN, seed=1)
    repulsive = (source(graph)["forces"] - plain(graph)["forces"]).detach()
    assert repulsive.abs().max() > 0.1
    labels = (2.5 * plain(graph)["forces"].detach() + repulsive).numpy().reshape(4, 8, 3)
    frames = [
        Frame(one.species, one.positions, one.cell, one.pbc, energy=0.0, forces=forces)
        for one, forces in zip(frames, labels, strict=True)
    ]
    factor, correlation = carry_head(potential, source, frames, "test")
    assert factor == pytest.approx(2.5, rel=1e-3)
    assert correlation == pytest.approx(1, abs=1e-4)
