"""MACE and NequIP themselves, by their own commands, on boxes of eight water molecules.

Each needs its package: on PATH, or in the folder that GPIP_MACE_BIN or GPIP_NEQUIP_BIN names.
"""

import ast
import os
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from gpip.baselines import mace, nequip
from gpip.baselines.run import Outputs, train_baseline
from gpip.config.baselines import MACESettings, NequIPSettings
from gpip.core.errors import InputError
from gpip.core.files import read_json
from gpip.core.reference_energies import Anchors, write_anchors
from gpip.datasets.splits import SplitIndices, write_split
from gpip.datasets.writer import write_dataset

SMALL = {
    "mace": {"num_channels": 8, "max_L": 1, "correlation": 2, "extra": {"max_ell": 2, "MLP_irreps": "8x0e"}},
    "nequip": {
        "num_layers": 2,
        "num_features": 8,
        "extra": {"training_module": {"model": {"radial_mlp_width": 16, "num_bessels": 6}}},
    },
}
SETTINGS = {"mace": MACESettings, "nequip": NequIPSettings}
COMMANDS = {"mace": mace.TRAIN, "nequip": nequip.TRAIN}
SPLIT = SplitIndices([4, 0, 5], [1], [3, 2])


def folder_of(package):
    variable = f"GPIP_{package.upper()}_BIN"
    folder = os.environ.get(variable)
    if not shutil.which(COMMANDS[package], path=folder):
        where = f"{variable}={folder}" if folder else f"PATH, and {variable} is not set"
        pytest.skip(f"{COMMANDS[package]} is not in {where}")
    return folder


def train(package, folder, tmp_path, water_frames, isolated_atoms=None, **changes):
    """Run one baseline; returns its outputs."""
    fields = {
        "species": water_frames[0].species,
        "positions": np.stack([frame.positions for frame in water_frames]),
        "cell": np.stack([frame.cell for frame in water_frames]),
        "pbc": water_frames[0].pbc,
        "forces": np.stack([frame.forces for frame in water_frames]),
        "energy": np.array([frame.energy for frame in water_frames]),
        "temperature": np.full(len(water_frames), 300.0),
    }
    write_dataset(tmp_path / "labels.h5", {"water": fields}, {})
    write_split(tmp_path / "split.json", SPLIT, {})
    given = {"package": package, "command_folder": folder, "cutoff_angstrom": 3.0, **SMALL[package], **changes}
    names = {"model": "model", "history": "history.csv", "errors": "errors.json", "predictions": "predictions.h5"}
    outputs = Outputs(**{name: tmp_path / "out" / file for name, file in names.items()})
    train_baseline(
        name=f"{package}-small",
        labels=tmp_path / "labels.h5",
        split=tmp_path / "split.json",
        settings=SETTINGS[package].model_validate(given),
        n_epochs=4,
        batch_size=2,
        energy_weight=0.01,
        force_weight=100.0,
        seed=11,
        n_threads=1,
        device="cpu",
        log=tmp_path / "job.log",
        outputs=outputs,
        isolated_atoms=isolated_atoms,
    )
    return outputs


@pytest.mark.parametrize("package", SETTINGS)
def test_a_package_trains_and_is_tested_on_the_same_frames(package, tmp_path, water_frames):
    outputs = train(package, folder_of(package), tmp_path, water_frames)
    test = [water_frames[index] for index in SPLIT.test]
    with h5py.File(outputs.predictions) as file:
        assert file["source_frame"][...].tolist() == SPLIT.test
        np.testing.assert_array_equal(file["energy_reference"][...], [frame.energy for frame in test])
        np.testing.assert_array_equal(file["forces_reference"][...], np.concatenate([frame.forces for frame in test]))
        np.testing.assert_array_equal(file["species"][...], np.concatenate([frame.species for frame in test]))
        forces = file["forces_predicted"][...].reshape(2, -1, 3)
        assert np.abs(forces).max() > 1e-3
        np.testing.assert_allclose(forces.sum(axis=1), 0, atol=1e-4, err_msg="forces of a potential sum to zero")
    errors = read_json(outputs.errors)
    assert errors["package"].startswith(f"{'mace-torch' if package == 'mace' else 'nequip'} 0.")
    assert errors["n_parameters"] > 100
    assert errors["n_train"] == 3
    assert set(errors["test"]) == set(errors["validation"]) == {*errors["step_0"], "force_max_mev_per_angstrom"}
    assert errors["provenance"]["packages"][errors["package"].split()[0]] == errors["package"].split()[1]
    # The weights that were kept give, through the files, the very errors that the package measured while it trained.
    history = pd.read_csv(outputs.history)
    assert history["step"].iloc[0] == 0
    assert errors["n_steps"] == history["step"].iloc[-1] == 4 * (1 if package == "mace" else 2)
    assert errors["frames_seen"] == 4 * (2 if package == "mace" else 3)
    kept = history[history["step"] == errors["best_step"]].iloc[0]
    for name in ("energy_mae_mev_per_atom", "force_mae_mev_per_angstrom"):
        assert errors["validation"][name] == pytest.approx(kept[name], rel=1e-3)
    assert outputs.model.stat().st_size > 1000
    assert sorted(path.name for path in outputs.model.parent.iterdir()) == sorted(
        path.name for path in (outputs.model, outputs.history, outputs.errors, outputs.predictions)
    )


@pytest.mark.parametrize("package", SETTINGS)
def test_a_failing_package_says_where_its_log_is_and_how_it_ended(package, tmp_path, water_frames):
    wrong = {"mace": {"number_of_channels": 3}, "nequip": {"training_module": {"model": {"layer_count": 3}}}}
    with pytest.raises(InputError, match=f"{COMMANDS[package]} failed with exit status") as caught:
        train(package, folder_of(package), tmp_path, water_frames, extra=wrong[package])
    assert str(tmp_path / "job.log") in str(caught.value)
    assert ("number_of_channels" if package == "mace" else "layer_count") in str(caught.value)
    assert not (tmp_path / "out/errors.json").exists()


@pytest.mark.parametrize("package", SETTINGS)
def test_isolated_atoms_are_taken_and_the_mean_energy_is_still_right(package, tmp_path, water_frames):
    """Water boxes are 3 eV per atom below these atoms; a package that did not shift would begin 3 eV per atom off."""
    folder = folder_of(package)
    mean = float(np.mean([frame.energy for frame in water_frames]))
    anchors = Anchors({"H": 0.5, "O": mean / 8 + 3 * 3.0 - 1.0}, "by hand")
    write_anchors(tmp_path / "isolated_atoms.json", anchors, {})
    outputs = train(package, folder, tmp_path, water_frames, tmp_path / "isolated_atoms.json")
    errors = read_json(outputs.errors)
    given = errors["provenance"]["settings"]["input"]
    if package == "mace":
        hydrogen = ast.literal_eval(given["E0s"])[1]
    else:
        hydrogen = given["training_module"]["model"]["per_type_energy_shifts"]["H"]
    assert hydrogen == pytest.approx(0.5 + (mean / 24 - (1.0 + mean / 8 + 8.0) / 3), abs=0.1)
    assert errors["step_0"]["energy_mae_mev_per_atom"] < 500
    assert errors["test"]["energy_mae_mev_per_atom"] < 500
