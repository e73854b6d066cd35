"""Energies of isolated atoms in the input of MACE and NequIP."""

import ast
from pathlib import Path

import numpy as np
import pytest

from gpip.baselines.mace import mace_input
from gpip.baselines.nequip import nequip_input
from gpip.baselines.run import anchored_references
from gpip.baselines.training import Task
from gpip.config.baselines import MACESettings, NequIPSettings
from gpip.core.errors import InputError
from gpip.core.reference_energies import Anchors

MACE, NEQUIP = MACESettings(package="mace"), NequIPSettings(package="nequip")


def task(**references):
    given = {"folder": Path("/run"), "elements": ["H", "O"], "n_train": 4, "n_validation": 2, "n_epochs": 1}
    weights = {"batch_size": 2, "energy_weight": 1.0, "force_weight": 1.0, "seed": 0, "device": "cpu"}
    return Task(**given, **weights, **references)


def test_isolated_atoms_are_given_where_they_are_known(water_frames):
    mean = np.mean([frame.energy for frame in water_frames])
    anchors = Anchors({"H": -1.0, "O": mean / 8 + 2.0 + 3.0}, "by hand")  # 3 eV unbound: a share of -1 eV per atom
    references = anchored_references(anchors, water_frames)
    assert references == pytest.approx({"H": -2.0, "O": anchors.energies_ev["O"] - 1.0})
    known = task(reference_energies=references)
    assert ast.literal_eval(mace_input(MACE, known)["E0s"]) == {1: references["H"], 8: references["O"]}
    assert nequip_input(NEQUIP, known)["training_module"]["model"]["per_type_energy_shifts"] == references


def test_without_them_the_packages_fit(water_frames):
    assert anchored_references(Anchors(), water_frames) == {}
    assert mace_input(MACE, task())["E0s"] == "average"
    shifts = nequip_input(NEQUIP, task())["training_module"]["model"]["per_type_energy_shifts"]
    assert shifts == "${training_data_stats:per_atom_energy_mean}"


def test_atoms_of_another_level_of_theory_are_refused(water_frames):
    with pytest.raises(InputError, match="eV per atom"):
        anchored_references(Anchors({"H": -500.0, "O": -2000.0}, "by hand"), water_frames)
