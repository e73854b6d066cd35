"""The ASE calculator: the potential's own numbers, ASE's optimisers and dynamics on it, and what is refused."""

import subprocess
import sys
import warnings

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.calculators.calculator import CalculationFailed, PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE
from ase.stress import full_3x3_to_voigt_6_stress

import gpip
from gpip.config.backbones import PaiNNSettings, SchNetSettings
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.reference_energies import Anchors, Compositions, Reference
from gpip.graphs import graph_from_frames
from gpip.models import load_potential, make_potential, save_potential
from gpip.models.ase_calculator import CompositionWarning, PotentialCalculator

CUTOFF = 4.0
KT = 200 * units.kB
SIZE = {"n_layers": 2, "n_features": 8, "n_radial": 8, "cutoff_angstrom": CUTOFF}
SETTINGS = {"schnet": SchNetSettings(model="schnet", **SIZE), "painn": PaiNNSettings(model="painn", **SIZE)}
SKEWED = np.array([[6.0, 0, 0], [2.5, 5.0, 0], [-1.0, 1.5, 5.5]])
SMALL = np.diag([3.0, 3.4, 3.8])
SCALE_EV = 10.0
"""With this, forces of the untrained networks are tenths of eV/Å; with seed 2 their boxes have a smallest energy."""
REFERENCES = {1: -13.6, 6: -1030.0, 8: -2041.3}


@pytest.fixture(params=SETTINGS)
def checkpoint(request, tmp_path):
    potential = make_potential(SETTINGS[request.param], seed=2)
    potential.set_reference_energies(REFERENCES)
    potential.energy_scale.fill_(SCALE_EV)
    save_potential(tmp_path / "model.ckpt", potential, SETTINGS[request.param], {"stage": "test"})
    return tmp_path / "model.ckpt"


@pytest.fixture
def exact(checkpoint):
    return gpip.calculator(checkpoint, dtype="float64", device="cpu")


def molecule(n_atoms=7):
    rng = np.random.default_rng(0)
    grid = np.array([[x, y, z] for x in range(3) for y in range(3) for z in range(3)], float)
    positions = 1.4 * rng.permutation(grid)[:n_atoms] + rng.normal(0, 0.1, (n_atoms, 3))
    return Atoms(rng.choice([1, 6, 8], n_atoms), positions)


def crystal(cell=SKEWED, n_atoms=6, pbc=True):
    rng = np.random.default_rng(0)
    fractions = rng.permutation(np.indices((2, 2, 2)).reshape(3, 8).T)[:n_atoms] / 2
    positions = (fractions + rng.uniform(-0.05, 0.05, (n_atoms, 3))) @ cell
    return Atoms(rng.choice([1, 6, 8], n_atoms), positions, cell=cell, pbc=pbc)


def slab():
    """A cell smaller than twice the cutoff, periodic along two directions."""
    return crystal(np.diag([3.0, 3.4, 3.8]), 4, pbc=(True, True, False))


STRUCTURES = {"molecule": molecule, "crystal": crystal, "small cell": lambda: crystal(SMALL, 3), "slab": slab}


@pytest.fixture(params=STRUCTURES)
def atoms(request):
    return STRUCTURES[request.param]()


def results(atoms, calculator):
    atoms = atoms.copy()
    atoms.calc = calculator
    names = ["energy", "forces", "stress"][: 3 if atoms.cell.rank == 3 and atoms.pbc.any() else 2]
    return {name: calculator.get_property(name, atoms) for name in names}


def assert_same(given, expected, atol=1e-9):
    assert given.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(given[name], expected[name], rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-9), ("float32", 2e-5)])
def test_numbers_are_those_of_the_potential(checkpoint, atoms, dtype, atol):
    found = results(atoms, gpip.calculator(checkpoint, dtype=dtype, device="cpu"))
    potential = load_potential(checkpoint).to(getattr(torch, dtype))
    frame = Frame(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    graph = graph_from_frames([frame], CUTOFF, getattr(torch, dtype))
    direct = potential(graph, compute_stress="stress" in found)
    expected = {"energy": direct["energy"].item(), "forces": direct["forces"].numpy()}
    if "stress" in found:
        expected["stress"] = full_3x3_to_voigt_6_stress(direct["stress"][0].numpy())
    assert np.abs(found["forces"]).max() > 1e-2
    assert_same(found, expected, atol)


def test_forces_and_stress_are_slopes_of_the_energy(exact, atoms):
    atoms.calc = exact
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-6)
    if atoms.cell.rank == 3:
        np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, 1e-5), atol=1e-6)


def test_free_energy_and_energies_of_atoms_add_up(exact, atoms):
    atoms.calc = exact
    energies = atoms.get_potential_energies()
    assert energies.shape == (len(atoms),)
    assert energies.sum() == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    references = np.array([REFERENCES[z] for z in atoms.numbers])
    assert 1e-3 < np.abs(energies - references).max() < 50
    order = np.random.default_rng(1).permutation(len(atoms))
    np.testing.assert_allclose(exact.get_property("energies", atoms[order]), energies[order], atol=1e-9)


def test_wrapped_equals_unwrapped(exact, atoms):
    before, images = results(atoms, exact), np.random.default_rng(5).integers(-3, 4, (len(atoms), 3))
    away = atoms.copy()
    away.positions += (images * atoms.pbc) @ atoms.cell.array
    assert_same(results(away, exact), before)
    away.wrap()
    assert_same(results(away, exact), before)


def test_two_periodic_directions_are_a_slab_in_vacuum(exact):
    vacuum = slab()
    vacuum.cell[2, 2], vacuum.pbc = 30.0, True
    expected = results(vacuum, exact)
    # Per volume of the cell that is given, whatever stands along the open direction.
    expected["stress"] = expected["stress"] * 30.0 / slab().cell[2, 2]
    assert_same(results(slab(), exact), expected)
    open_cell = slab()
    open_cell.cell[2] = 0
    del expected["stress"]
    assert_same(results(open_cell, exact), expected)


def test_cell_atoms_and_elements_may_change_between_calls(exact, checkpoint):
    stretched, fewer, other, free = (crystal() for _ in range(4))
    stretched.set_cell(1.03 * SKEWED, scale_atoms=True)
    fewer = fewer[:4]
    other.numbers[0] = 14 - other.numbers[0] if other.numbers[0] != 1 else 8
    free.pbc = False
    sheared = crystal()
    sheared.cell[1, 0] += 0.4  # the atoms stay where they are
    for atoms in (crystal(), stretched, fewer, crystal(), other, free, sheared, crystal(), molecule()):
        fresh = gpip.calculator(checkpoint, dtype="float64", device="cpu")
        assert_same(results(atoms, exact), results(atoms, fresh), atol=0)


def test_list_is_rebuilt_only_when_an_atom_has_moved_half_the_skin(exact):
    atoms = crystal()
    atoms.calc = exact
    atoms.get_forces()
    neighbours, graph_calls = exact.neighbours, 1
    for _ in range(6):
        atoms.positions[:, 0] += 0.04
        atoms.positions[0, 1] += 0.02
        atoms.get_forces()
        graph_calls += 1
        fresh = PotentialCalculator(exact.potential, skin_angstrom=0.0)
        assert_same(results(atoms, exact), results(atoms, fresh))
    assert exact.neighbours is neighbours
    assert neighbours.n_builds == 2 < graph_calls


def test_optimisers_find_a_minimum(exact, atoms):
    for optimiser in (BFGS, FIRE):
        moving = atoms.copy()
        moving.calc = exact
        before = moving.get_potential_energy()
        assert np.linalg.norm(moving.get_forces(), axis=1).max() > 0.02
        assert optimiser(moving, logfile=None).run(fmax=5e-3, steps=1000)
        assert np.linalg.norm(moving.get_forces(), axis=1).max() < 5e-3
        assert moving.get_potential_energy() < before


def test_cell_relaxes(exact):
    atoms = crystal()
    atoms.calc = exact
    before = atoms.get_potential_energy()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=500)
    assert atoms.get_potential_energy() < before - 1e-3
    assert np.abs(atoms.get_stress()).max() < 0.02 * len(atoms) / atoms.get_volume()


@pytest.mark.parametrize("make", [molecule, crystal, slab], ids=["molecule", "crystal", "slab"])
def test_dynamics_conserve_energy_to_second_order_of_the_timestep(exact, make):
    spread = {}
    for timestep_fs in (0.5, 1.0):
        atoms, energies = make(), []
        atoms.calc = exact
        momenta = np.random.default_rng(3).normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses() * KT)[:, None]
        atoms.set_momenta(momenta - momenta.mean(0))
        dynamics = VelocityVerlet(atoms, timestep_fs * units.fs)
        dynamics.attach(lambda atoms=atoms, energies=energies: energies.append(atoms.get_total_energy()))
        dynamics.run(round(40 / timestep_fs))
        spread[timestep_fs] = np.abs(np.array(energies) - energies[0]).max()
        assert np.abs(atoms.get_momenta().sum(0)).max() < 1e-8
    assert spread[0.5] < 0.02 * 1.5 * len(atoms) * KT
    assert spread[1.0] / spread[0.5] == pytest.approx(4, rel=0.3)


def test_unchanged_atoms_are_not_calculated_again(exact, monkeypatch):
    atoms, calls = crystal(), []
    atoms.calc = exact
    forward = exact.potential.forward
    monkeypatch.setattr(exact.potential, "forward", lambda *a, **k: calls.append(0) or forward(*a, **k))
    atoms.get_forces()
    atoms.get_potential_energy()
    atoms.set_initial_charges(np.ones(6))  # not seen by the network
    atoms.get_potential_energies()
    assert len(calls) == 1
    atoms.get_stress()
    assert len(calls) == 2
    atoms.rattle(0.01)
    atoms.get_forces()
    atoms.get_stress()  # comes with the forces once it has been asked for
    assert len(calls) == 3


def test_precision_is_that_of_the_file_or_as_asked(checkpoint):
    for dtype, expected in ((None, torch.float32), ("float32", torch.float32), ("float64", torch.float64)):
        made = gpip.calculator(checkpoint, dtype=dtype)
        assert next(made.potential.parameters()).dtype == expected
        assert not any(parameter.requires_grad for parameter in made.potential.parameters())
    assert made.parameters["checkpoint"] == str(checkpoint)


def test_ase_writes_results_to_its_files(exact, checkpoint, tmp_path):
    atoms = crystal()
    atoms.calc = exact
    atoms.get_forces()
    atoms.write(tmp_path / "out.traj")
    again = ase.io.read(tmp_path / "out.traj")
    assert again.calc.name == "gpip"
    assert again.get_potential_energy() == atoms.get_potential_energy()
    np.testing.assert_array_equal(again.get_forces(), atoms.get_forces())


def test_isolated_atoms(exact):
    atoms = Atoms("HO", [[0, 0, 0], [20, 0, 0]])
    atoms.calc = exact
    np.testing.assert_array_equal(atoms.get_forces(), np.zeros((2, 3)))
    alone = sum(results(atoms[[i]], exact)["energy"] for i in (0, 1))
    assert atoms.get_potential_energy() == pytest.approx(alone, abs=1e-9)


def test_elements_without_training_are_refused_unless_asked_for(exact, checkpoint):
    with pytest.raises(InputError, match="has reference energies for H, C, O, none for F, Na"):
        exact.get_potential_energy(Atoms("NaFO", np.diag([1.0, 2, 3])))
    allowed = gpip.calculator(checkpoint, require_reference_energies=False)
    assert np.isfinite(allowed.get_potential_energy(Atoms("NaFO", np.diag([1.0, 2, 3]))))
    for number in (0, 95):
        with pytest.raises(InputError, match=f"atoms: atomic number {number}; networks know 1 to 94"):
            allowed.get_potential_energy(Atoms([8, number], [[0, 0, 0], [1, 0, 0]]))


def test_compositions_outside_the_training_are_warned_of_once_each(recwarn):
    potential = make_potential(SETTINGS["schnet"])
    potential.set_reference_energies(REFERENCES)
    water = np.array([8, 1, 1])
    potential.reference = Reference(Compositions.of([water]), Anchors({"H": -13.6, "O": -2041.3}, "by hand"))
    warnings.simplefilter("always")
    asked = PotentialCalculator(potential)
    box = Atoms("OH2OH2", 1.3 * np.indices((2, 3)).reshape(2, 6).T @ np.eye(2, 3), cell=np.eye(3) * 8, pbc=True)
    asked.get_potential_energy(box)
    assert not [one for one in recwarn if one.category is CompositionWarning]
    other = box[:4]
    for step in range(4):  # a cell that changes is checked at every step
        other.set_cell(np.eye(3) * (8 + step / 100))
        other.rattle(0.01, seed=step)
        asked.get_potential_energy(other)
    asked.get_potential_energy(box)
    asked.get_potential_energy(other)
    (found,) = [one for one in recwarn if one.category is CompositionWarning]
    assert "HO" in str(found.message)
    assert "isolated atoms (by hand)" in str(found.message)
    asked.get_potential_energy(Atoms("H"))
    assert len([one for one in recwarn if one.category is CompositionWarning]) == 2


def test_potentials_without_a_record_of_compositions_do_not_warn(exact, recwarn):
    exact.get_potential_energy(molecule())
    assert not [one for one in recwarn if one.category is CompositionWarning]


def test_what_cannot_be_calculated_says_why(exact):
    with pytest.raises(PropertyNotImplementedError, match="three lattice vectors"):
        exact.get_stress(molecule())
    with pytest.raises(PropertyNotImplementedError, match="periodic direction"):
        exact.get_stress(crystal(pbc=False))
    with pytest.raises(InputError, match="no atoms"):
        exact.get_potential_energy(Atoms())
    lost = crystal()
    lost.positions[2] = np.nan
    with pytest.raises(InputError, match="not finite, the first is atom 2"):
        exact.get_potential_energy(lost)
    with pytest.raises(InputError, match="need independent lattice vectors"):
        exact.get_potential_energy(Atoms("O", pbc=True))
    with pytest.raises(CalculationFailed, match="upon each other"):
        exact.get_potential_energy(Atoms("O2", np.zeros((2, 3))))
    # A failure leaves nothing behind.
    assert np.isfinite(exact.get_potential_energy(crystal()))


def test_settings_that_are_refused(checkpoint, exact):
    with pytest.raises(InputError, match="did you mean 'float64'"):
        gpip.calculator(checkpoint, dtype="float46")
    with pytest.raises(InputError, match="expected cpu, cuda"):
        gpip.calculator(checkpoint, device="abacus")
    with pytest.raises(InputError, match="'cuda:99', but PyTorch finds"):
        gpip.calculator(checkpoint, device="cuda:99")
    with pytest.raises(InputError, match="skin_angstrom: -1"):
        gpip.calculator(checkpoint, skin_angstrom=-1)
    with pytest.raises(InputError, match="make a new one"):
        exact.set(dtype="float32")
    with pytest.raises(InputError, match="no such file"):
        gpip.calculator("absent.ckpt")


def test_importing_the_package_alone_loads_neither_torch_nor_ase():
    code = "import sys, gpip; assert 'calculator' in gpip.__all__; print({'torch', 'ase'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="no attribute 'calculators'"):
        gpip.calculators  # noqa: B018
