"""Fine-tuning on one composition: other compositions and lone atoms keep the energies of isolated atoms."""

import json
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import gpip
from gpip.config.backbones import SchNetSettings
from gpip.config.experiments import FineTuning, Initialisation
from gpip.config.label_sources import label_settings
from gpip.config.optimization import Optimization
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.reference_energies import Anchors, write_anchors
from gpip.datasets.splits import SplitIndices, write_split
from gpip.datasets.writer import write_dataset
from gpip.finetuning.initialise import initial_potential
from gpip.finetuning.run import Outputs, fine_tune
from gpip.labelling.isolated import write_isolated_atoms
from gpip.labelling.registry import make_engine
from gpip.models.ase_calculator import CompositionWarning
from gpip.models.describe import describe
from gpip.training.supervised import predict

BACKBONE = SchNetSettings(model="schnet", n_layers=2, n_features=16, n_radial=12, cutoff_angstrom=4.0)
LABELS = label_settings({"source": "tblite", "system": "water", "temperature_kelvin": 300, "n_frames": 1})
N_FRAMES = 16


@pytest.fixture(scope="module")
def engine():
    return make_engine(LABELS)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, engine):
    """Water molecules labelled by GFN1-xTB: 12 to train, 2 to validate, 2 to test, and the isolated atoms."""
    folder, water, rng = tmp_path_factory.mktemp("water"), molecule("H2O"), np.random.default_rng(0)
    positions = water.positions + rng.normal(0, 0.04, (N_FRAMES, 3, 3))
    cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    energies, forces = zip(*(engine.label(Frame(water.numbers, one, cell, pbc)) for one in positions), strict=True)
    fields = {
        "species": water.numbers,
        "positions": positions,
        "cell": np.tile(cell, (N_FRAMES, 1, 1)),
        "pbc": pbc,
        "energy": np.array(energies),
        "forces": np.array(forces),
        "temperature": np.full(N_FRAMES, 300.0),
    }
    write_dataset(folder / "labels.h5", {"water": fields}, {})
    write_split(folder / "split.json", SplitIndices(list(range(12)), [12, 13], [14, 15]), {})
    write_isolated_atoms(LABELS, folder / "labels.h5", folder / "isolated_atoms.json")
    return folder


def run(labelled, folder, isolated_atoms):
    names = {"checkpoint": "model.ckpt", "history": "history.csv", "errors": "errors.json", "cost": "cost.json"}
    outputs = Outputs(**{key: folder / name for key, name in names.items()}, predictions=folder / "predictions.h5")
    settings = FineTuning(
        optimization=Optimization(n_steps=40, batch_size=4, learning_rate=3e-3), validate_every_steps=20
    )
    files = (labelled / "labels.h5", labelled / "split.json", None)
    where = {"seed": 1, "n_threads": 1, "device": "cpu", "outputs": outputs, "isolated_atoms": isolated_atoms}
    fine_tune(*files, BACKBONE, Initialisation(), settings, **where)
    return outputs


def energy_of(calculator, atoms):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        energy = calculator.get_potential_energy(atoms)
    return energy, [one for one in caught if one.category is CompositionWarning]


def test_lone_atoms_and_peroxide_are_right_within_a_few_ev(labelled, engine, tmp_path, capsys):
    outputs = run(labelled, tmp_path / "anchored", labelled / "isolated_atoms.json")
    log = capsys.readouterr().out
    assert "determine 1 of 2 independent combinations" in log
    assert "isolated atoms (computed by tblite GFN1-xTB)" in log
    assert "reference energy of H: -16." in log
    assert "(isolated atom -10.9235 -5." in log
    calculator = gpip.calculator(outputs.checkpoint, device="cpu")
    none = np.zeros((3, 3)), np.zeros(3, dtype=bool)
    peroxide = molecule("H2O2")
    expected = engine.label(Frame(peroxide.numbers, peroxide.positions, *none))[0]
    energy, found = energy_of(calculator, peroxide)
    assert abs(energy - expected) < 5
    assert len(found) == 1
    assert "composition HO is not determined" in str(found[0].message)
    for symbol, n_unpaired in (("H", 1), ("O", 2)):
        atom = Atoms(symbol)
        exact = engine.label(Frame(atom.numbers, atom.positions, *none), 0, n_unpaired)[0]
        assert abs(energy_of(calculator, atom)[0] - exact) < 10
    # What is trained is as good as before, and gives no warning.
    water = molecule("H2O")
    energy, found = energy_of(calculator, water)
    assert not found
    assert energy == pytest.approx(engine.label(Frame(water.numbers, water.positions, *none))[0], abs=2.0)
    record = json.loads(outputs.errors.read_text())["transfer"]["reference_energies"]
    assert (record["n_determined"], record["n_elements"]) == (1, 2)
    np.testing.assert_allclose(*record["correction_ev"].values(), atol=1e-6)
    text = describe(outputs.checkpoint)
    assert "determine 1 of 2" in text
    assert "isolated atoms: H -10.9235, O -118.3923 eV (computed by tblite GFN1-xTB)" in text


def test_without_isolated_atoms_the_log_says_what_the_energies_are_worth(labelled, tmp_path, capsys):
    outputs = run(labelled, tmp_path / "fitted", None)
    assert "an equal share per atom without physical meaning" in capsys.readouterr().out
    _, found = energy_of(gpip.calculator(outputs.checkpoint, device="cpu"), Atoms("H"))
    assert "tens of eV" in str(found[0].message)


def test_anchors_change_no_energy_and_no_force_of_the_training_frames(water_frames):
    anchors = Anchors({"H": -1.0, "O": -2.0}, "by hand")
    plain = initial_potential(BACKBONE, Initialisation(), None, water_frames, seed=1)[0]
    anchored = initial_potential(BACKBONE, Initialisation(), None, water_frames, 1, anchors)[0]
    for before, after in zip(predict(plain, water_frames), predict(anchored, water_frames), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-8)
    shares = anchored.reference_energies.numpy() - anchors.array
    assert shares[1] == pytest.approx(shares[8], abs=1e-9)
    assert plain.reference_energies[1] == pytest.approx(float(plain.reference_energies[8]), abs=1e-9)


def test_isolated_atoms_of_another_level_stop_before_the_first_step(labelled, tmp_path):
    write_anchors(tmp_path / "isolated_atoms.json", Anchors({"H": -13.6, "O": -2041.8}, "wB97X"), {})
    with pytest.raises(InputError, match=r"labels of the training frames: energies are .* eV per atom .* \(wB97X\)"):
        run(labelled, tmp_path / "run", tmp_path / "isolated_atoms.json")
    assert not (tmp_path / "run" / "model.ckpt").exists()
