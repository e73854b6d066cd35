"""DeePMD folders: synthesised ones exactly, wrong ones refused, and published PBE0+TS water."""

import os
from pathlib import Path

import numpy as np
import pytest

from gpip.config.labels import Checks
from gpip.config.readers import DeePMDLabels
from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset
from gpip.labelling.checks import read_rejected
from gpip.labelling.read import read_labels
from gpip.labelling.readers.deepmd import count_frames, read_deepmd
from gpip.labelling.registry import make_reader

WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
SETTINGS = DeePMDLabels(source="deepmd", path="x", temperature_kelvin=330)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "deepmd"
    for number, n_frames in enumerate((3, 2)):
        part = folder / f"set.{number:03}"
        part.mkdir(parents=True)
        forces = rng.normal(size=(n_frames, 3, 3))
        forces -= forces.mean(axis=1, keepdims=True)
        coord = WATER[[1, 0, 2]] + rng.normal(size=(n_frames, 3, 3)) * 0.02
        np.save(part / "coord.npy", coord.reshape(n_frames, 9).astype(np.float32))
        np.save(part / "force.npy", forces.reshape(n_frames, 9).astype(np.float32))
        np.save(part / "box.npy", np.tile(np.diag([6.0, 7.0, 8.0]).reshape(9), (n_frames, 1)))
        np.save(part / "energy.npy", (10 * number + np.arange(n_frames)).reshape(-1, 1).astype(np.float64))
    (folder / "type.raw").write_text("0\n1\n0\n")
    (folder / "type_map.raw").write_text("H\nO\n")
    return folder


def test_all_sets_are_read_in_order(folder: Path, tmp_path: Path) -> None:
    assert count_frames(folder) == 5
    read_labels(SETTINGS, folder, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    labels = Dataset(tmp_path / "labels.h5")
    read = labels.arrays("water")
    np.testing.assert_array_equal(read["species"], [1, 8, 1])
    np.testing.assert_array_equal(read["energy"], [0, 1, 2, 10, 11])
    np.testing.assert_array_equal(read["source_frame"], range(5))
    np.testing.assert_array_equal(read["temperature"], [330] * 5)
    np.testing.assert_array_equal(read["cell"][4], np.diag([6.0, 7.0, 8.0]))
    np.testing.assert_array_equal(read["molecule"], [0, 0, 0])
    second = np.load(folder / "set.001" / "coord.npy").reshape(2, 3, 3)
    np.testing.assert_array_equal(read["positions"][3:], second)
    assert labels.provenance["inputs"].keys() >= {"type.raw", "set.001/force.npy"}


def test_every_file_that_decides_the_labels_is_named(folder: Path) -> None:
    names = {str(file.relative_to(folder)) for file in make_reader(SETTINGS, folder).files()}
    arrays = {f"set.00{number}/{name}.npy" for number in (0, 1) for name in ("coord", "box", "energy", "force")}
    assert names == arrays | {"type.raw", "type_map.raw"}
    (folder / "nopbc").touch()
    assert folder / "nopbc" in make_reader(SETTINGS, folder).files()


def test_suspicious_frames_are_listed_and_left_out(folder: Path, tmp_path: Path) -> None:
    forces = np.load(folder / "set.001" / "force.npy")
    forces[0] += 1
    np.save(folder / "set.001" / "force.npy", forces)
    read_labels(SETTINGS, folder, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    np.testing.assert_array_equal(Dataset(tmp_path / "labels.h5").systems["water"].source_frame, [0, 1, 2, 4])
    (row,) = read_rejected(tmp_path / "rejected.csv")
    assert (row.source_frame, row.reason, row.limit) == (3, "net force, eV/Å", 1.0)
    assert row.value == pytest.approx(3 * np.sqrt(3), rel=1e-5)
    strict = SETTINGS.model_copy(update={"checks": Checks(min_distance_angstrom=2)})
    with pytest.raises(InputError, match="none of 5 labelled frames passed"):
        read_labels(strict, folder, "water", tmp_path / "none.h5", tmp_path / "none.csv")


def test_nopbc_means_no_box(folder: Path) -> None:
    (folder / "nopbc").touch()
    for part in folder.glob("set.*"):
        (part / "box.npy").unlink()
    fields = read_deepmd(folder)
    assert not fields["pbc"].any()
    assert not fields["cell"].any()


def test_molecules_are_not_marked_where_bonds_break(folder: Path, tmp_path: Path, capsys) -> None:
    coord = np.load(folder / "set.001" / "coord.npy")
    coord[1, 0] += 1.5
    np.save(folder / "set.001" / "coord.npy", coord)
    read_labels(SETTINGS, folder, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    np.testing.assert_array_equal(Dataset(tmp_path / "labels.h5").systems["water"].molecule, [-1, -1, -1])
    assert "bonds form or break" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("type.raw", None, "type.raw is missing"),
        ("type_map.raw", None, "type_map.raw is missing"),
        ("type_map.raw", "H Ox", "'Ox' is not known; did you mean"),
        ("type.raw", "0 1 2", r"types \['2'\] are none of 0 to 1"),
        ("type.raw", "0 1", r"coord.npy: shape \(3, 9\) does not hold \(3, 2, 3\)"),
        ("set.000/force.npy", None, "force.npy is missing"),
        ("set.001/box.npy", None, "box.npy is missing"),
        ("set.000/energy.npy", np.zeros(4), r"energy.npy: shape \(4,\) does not hold \(3,\)"),
        ("set.000/force.npy", np.full((3, 9), np.nan), "forces holds NaN"),
        ("set.000/coord.npy", "text", "not a complete .npy file"),
        ("set.000/real_atom_types.npy", np.zeros((3, 3)), "mixed-type sets are not supported"),
    ],
)
def test_a_wrong_folder_is_refused(folder: Path, file: str, content, message: str) -> None:
    if content is None:
        (folder / file).unlink()
    elif isinstance(content, str):
        (folder / file).write_text(content)
    else:
        np.save(folder / file, content)
    with pytest.raises(InputError, match=message) as caught:
        read_deepmd(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "type.raw").write_text("0")
    (tmp_path / "type_map.raw").write_text("O")
    with pytest.raises(InputError, match="expected a DeePMD folder"):
        read_deepmd(tmp_path)


@pytest.mark.skipif("GPIP_DATA" not in os.environ, reason="needs published labels: set GPIP_DATA to their folder")
def test_published_water_is_read(tmp_path: Path) -> None:
    folder = Path(os.environ["GPIP_DATA"]) / "water_pbe0ts"
    read_labels(SETTINGS, folder, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    labels = Dataset(tmp_path / "labels.h5")
    labels.check()
    water = labels.systems["water"]
    assert (water.n_frames, water.n_atoms) == (310, 192)
    assert np.bincount(water.molecule).tolist() == [3] * 64
    assert read_rejected(tmp_path / "rejected.csv") == []
    assert water.energy.mean() / 192 == pytest.approx(-155.956, abs=1e-3)
