"""NPZ archives: synthesised ones exactly, wrong ones refused, and published ethanol and aspirin."""

import os
from pathlib import Path

import numpy as np
import pytest

from gpip.config.labels import Checks
from gpip.config.readers import NPZLabels
from gpip.core.errors import InputError
from gpip.core.files import digest
from gpip.datasets.reader import Dataset
from gpip.labelling.checks import read_rejected
from gpip.labelling.read import read_labels
from gpip.labelling.readers.npz import read_npz
from gpip.labelling.registry import make_reader

SETTINGS = NPZLabels(source="npz", path="x.npz", temperature_kelvin=500)
NAMES = {
    "sgdml": ("R", "E", "F", "z"),
    "rmd17": ("coords", "energies", "forces", "nuclear_charges"),
    "long": ("positions", "energy", "forces", "atomic_numbers"),
}
needs_data = pytest.mark.skipif("GPIP_DATA" not in os.environ, reason="needs published labels: set GPIP_DATA")


def arrays(names=NAMES["sgdml"]) -> dict[str, np.ndarray]:
    """Four frames of water in kcal/mol and Å."""
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(4, 3, 3)) * 20
    water = np.array([[0.76, 0.59, 0.0], [0.0, 0.0, 0.0], [-0.76, 0.59, 0.0]])
    values = (
        water + rng.normal(size=(4, 3, 3)) * 0.02,
        np.arange(4.0).reshape(4, 1) - 47000,
        forces - forces.mean(axis=1, keepdims=True),
        np.array([1, 8, 1], dtype=np.uint8),
    )
    return dict(zip(names, values, strict=True))


def written(folder: Path, given: dict[str, np.ndarray]) -> Path:
    np.savez(folder / "molecule.npz", **given)
    return folder / "molecule.npz"


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_all_spellings_give_the_same_labels(tmp_path: Path, names) -> None:
    path = written(tmp_path, arrays(names) | {"name": np.array("water"), "old_indices": np.arange(4)})
    assert make_reader(SETTINGS, path).count_frames() == 4
    read_labels(SETTINGS, path, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    labels = Dataset(tmp_path / "labels.h5")
    read, given = labels.arrays("water"), arrays()
    np.testing.assert_array_equal(read["species"], [1, 8, 1])
    assert not read["pbc"].any()
    assert not read["cell"].any()
    np.testing.assert_array_equal(read["positions"], given["R"].astype(np.float32))
    # 1 kcal/mol is 1 / 23.06055 eV.
    np.testing.assert_allclose(read["energy"], given["E"].ravel() * 0.0433641042, rtol=1e-9)
    np.testing.assert_allclose(read["forces"], given["F"] * 0.0433641042, rtol=1e-6)
    np.testing.assert_array_equal(read["temperature"], [500] * 4)
    np.testing.assert_array_equal(read["source_frame"], range(4))
    np.testing.assert_array_equal(read["molecule"], [0, 0, 0])
    assert labels.provenance["inputs"] == {"molecule.npz": digest(path)}
    assert make_reader(SETTINGS, path).files() == [path]


def test_hartree_and_bohr(tmp_path: Path) -> None:
    settings = NPZLabels(source="npz", path="x", energy_unit="hartree", length_unit="bohr")
    given = arrays()
    fields = read_npz(settings, written(tmp_path, given | {"e_unit": np.array("Hartree"), "r_unit": np.array("bohr")}))
    np.testing.assert_allclose(fields["positions"], given["R"] * 0.529177211, rtol=1e-8)
    np.testing.assert_allclose(fields["energy"], given["E"].ravel() * 27.2113862, rtol=1e-8)
    np.testing.assert_allclose(fields["forces"], given["F"] * 51.4220675, rtol=1e-8)


def test_atoms_may_be_given_for_each_frame(tmp_path: Path) -> None:
    fields = read_npz(SETTINGS, written(tmp_path, arrays() | {"z": np.tile([1, 8, 1], (4, 1))}))
    np.testing.assert_array_equal(fields["species"], [1, 8, 1])


def test_keys_name_the_arrays_where_others_are_there(tmp_path: Path) -> None:
    given = arrays()
    path = written(tmp_path, given | {"E_training": given["E"] + 1})
    settings = SETTINGS.model_copy(update={"keys": {"energy": "E_training"}})
    difference = read_npz(settings, path)["energy"] - read_npz(SETTINGS, path)["energy"]
    np.testing.assert_allclose(difference, 0.0433641042, rtol=1e-6)


def test_suspicious_frames_are_listed_and_left_out(tmp_path: Path) -> None:
    given = arrays()
    given["F"][2] += 30
    path = written(tmp_path, given)
    read_labels(SETTINGS, path, "water", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    np.testing.assert_array_equal(Dataset(tmp_path / "labels.h5").systems["water"].source_frame, [0, 1, 3])
    (row,) = read_rejected(tmp_path / "rejected.csv")
    assert (row.source_frame, row.reason) == (2, "net force, eV/Å")
    strict = SETTINGS.model_copy(update={"checks": Checks(min_distance_angstrom=2)})
    with pytest.raises(InputError, match="none of 4 labelled frames passed"):
        read_labels(strict, path, "water", tmp_path / "none.h5", tmp_path / "none.csv")


def nan_forces() -> np.ndarray:
    forces = arrays()["F"]
    forces[1, 2, 0] = np.nan
    return forces


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"F": None}, r"no forces in it; expected one of F, forces, the file has R, E, z"),
        ({"E": None}, r"no energy in it; expected one of E, energy, energies, the file has R, F, z"),
        ({"z": None}, r"no species in it"),
        ({"coords": np.zeros(3)}, r"positions may be R or coords; say which one under keys"),
        ({"R": np.zeros((3, 3, 3))}, r"positions have shape \(3, 3, 3\), expected .* with 4 frames"),
        ({"R": np.zeros((4, 9))}, r"positions have shape \(4, 9\)"),
        ({"F": np.zeros((4, 2, 3))}, r"forces have shape \(4, 2, 3\), expected \(4, 3, 3\)"),
        ({"z": np.array([1, 8])}, r"atomic numbers have shape \(2,\), expected \(3,\) or \(4, 3\)"),
        ({"z": np.array([1, 8, 0])}, r"expected integers 1 to 118"),
        ({"z": np.array([1, 8, 1.5])}, r"expected integers 1 to 118"),
        ({"z": np.array(["H", "O", "H"])}, r"expected integers 1 to 118"),
        ({"z": np.array([[1, 8, 1]] * 3 + [[8, 1, 1]])}, r"the atoms of frame 3 are \[8, 1, 1\]"),
        ({"F": nan_forces()}, r"forces holds NaN or infinity, first at index 1"),
        ({"E": np.full(4, np.inf)}, r"energy holds NaN or infinity"),
        ({"e_unit": np.array("eV")}, r"e_unit is 'eV', but energy_unit is 'kcal/mol'"),
        ({"r_unit": np.array("bohr")}, r"r_unit is 'bohr', but length_unit is 'angstrom'"),
        ({"lattice": np.eye(3)}, r"has a box \(lattice\)"),
        ({"R": np.array([None] * 4)}, r"not a complete .npz file of plain arrays"),
    ],
)
def test_a_wrong_archive_is_refused(tmp_path: Path, changes, message: str) -> None:
    given = {key: value for key, value in (arrays() | changes).items() if value is not None}
    path = written(tmp_path, given)
    with pytest.raises(InputError, match=message) as caught:
        read_npz(SETTINGS, path)
    assert str(path) in str(caught.value)


def test_a_wrong_name_under_keys_says_what_is_there(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"keys": {"forces": "F_train"}})
    with pytest.raises(InputError, match=r"expected 'F_train' \(keys.forces\), the file has R, E, F, z"):
        read_npz(settings, written(tmp_path, arrays()))


def test_files_that_are_no_archives_are_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, arrays()).read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(whole[:400])
    (tmp_path / "text.npz").write_text("R E F z")
    for name in ("array.npy", "cut.npz", "text.npz", "."):
        with pytest.raises(InputError, match=r"not a complete \.npz file"):
            make_reader(SETTINGS, tmp_path / name).count_frames()


@needs_data
def test_published_ethanol_is_read(tmp_path: Path) -> None:
    path = Path(os.environ["GPIP_DATA"]) / "md17/md17_ethanol_2000b.npz"
    read_labels(SETTINGS, path, "ethanol", tmp_path / "labels.h5", tmp_path / "rejected.csv")
    labels = Dataset(tmp_path / "labels.h5")
    labels.check()
    ethanol = labels.systems["ethanol"]
    assert ethanol.n_frames == 2000
    assert sorted(ethanol.species) == [1] * 6 + [6, 6, 8]
    assert read_rejected(tmp_path / "rejected.csv") == []
    # PBE+TS of C2H5OH: 155 hartree.
    assert ethanol.energy.mean() == pytest.approx(-4214.6, abs=0.3)


@needs_data
def test_published_aspirin_is_read_by_keys() -> None:
    path = Path(os.environ["GPIP_DATA"]) / "md17/rmd17_aspirin_split01.npz"
    keys = {"positions": "R_validation", "energy": "formation_energy_validation", "forces": "F_validation"}
    fields = read_npz(SETTINGS.model_copy(update={"keys": keys}), path)
    assert fields["forces"].shape == (50, 21, 3)
    assert np.linalg.norm(fields["forces"].sum(axis=1), axis=-1).max() < 0.05
