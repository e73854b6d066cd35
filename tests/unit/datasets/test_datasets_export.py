"""Export to extended XYZ and the summary of a file."""

from pathlib import Path

import ase.io
import numpy as np
import pytest

from gpip.core.errors import InputError
from gpip.datasets.export import export_extxyz
from gpip.datasets.info import describe
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset

WATER = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    box = {
        "species": [8, 1, 1],
        "positions": WATER + rng.normal(size=(4, 3, 3)) * 0.01 + 20,
        "cell": np.tile([[4, 0, 0], [1, 5, 0], [0, 0, 6.0]], (4, 1, 1)),
        "pbc": [True, True, True],
        "temperature": [300, 300, 400, np.nan],
        "energy": [-10.0, -11.0, -9.5, -10.123456789],
        "forces": rng.normal(size=(4, 3, 3)),
        "molecule": [0, 0, 0],
    }
    gas = {
        "species": [1, 1],
        "positions": [[[0, 0, 0], [0, 0, 0.74]]],
        "cell": np.zeros((1, 3, 3)),
        "pbc": [False, False, False],
        "temperature": [np.nan],
    }
    write_dataset(tmp_path / "d.h5", {"box": box, "gas": gas}, {"stage": "dataset", "seed": 7})
    return tmp_path / "d.h5"


def test_ase_reads_what_was_exported(path: Path, tmp_path: Path) -> None:
    dataset = Dataset(path)
    export_extxyz(dataset, len(dataset), tmp_path / "out.extxyz")
    read = ase.io.read(tmp_path / "out.extxyz", ":")
    assert len(read) == 5
    for frame, atoms in zip(dataset, read, strict=True):
        np.testing.assert_array_equal(atoms.numbers, frame.species)
        np.testing.assert_allclose(atoms.positions, frame.positions, atol=1e-7)
        np.testing.assert_allclose(atoms.cell[:], frame.cell, atol=1e-12)
        np.testing.assert_array_equal(atoms.pbc, frame.pbc)
        assert atoms.info["system"] == frame.system
    np.testing.assert_allclose(read[3].get_potential_energy(), -10.123456789, rtol=1e-12)
    np.testing.assert_allclose(read[3].get_forces(), dataset[3].forces, atol=1e-7)
    assert read[2].info["temperature_kelvin"] == 400
    assert "temperature_kelvin" not in read[3].info
    assert read[4].calc is None


def test_the_summary_says_what_is_inside(path: Path) -> None:
    text = describe(path)
    for line in (
        "5 frames, schema version 1",
        "4 frames of 3 atoms, H2O",
        "temperatures: 300 K (2 frames), 400 K (1 frames), unknown (1 frames)",
        "edges 4.0000 × 5.0990 × 6.0000 Å",
        "density: 0.2493 g/cm³",
        "energy: mean -10.1559",
        "1 frames of 2 atoms, H2",
        "box: none",
        "closest contact: 0.740 Å in 1 frames",
        "forces: none",
        "forces eV/angstrom",
        "seed: 7",
    ):
        assert line in text, text


def test_the_summary_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such dataset file"):
        describe(tmp_path / "none.h5")
