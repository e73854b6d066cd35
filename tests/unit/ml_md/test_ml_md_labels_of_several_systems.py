"""Dynamics and its reference from labels that hold several systems and temperatures."""

from pathlib import Path

import numpy as np
import pytest

from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.ml_md.reference import labelled_reference
from gpip.ml_md.start import possible_starts


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    def system(n_atoms: int, temperatures: list[float]) -> dict[str, np.ndarray]:
        n_frames = len(temperatures)
        return {
            "species": np.full(n_atoms, 10),
            "positions": np.arange(n_frames * n_atoms * 3.0).reshape(n_frames, n_atoms, 3),
            "cell": np.tile(9 * np.eye(3), (n_frames, 1, 1)),
            "pbc": np.ones(3, dtype=bool),
            "temperature": np.array(temperatures),
            "source_frame": np.arange(n_frames),
        }

    systems = {"argon": system(2, [300, 300]), "neon": system(3, [100, 100, 300])}
    write_dataset(tmp_path / "labels.h5", systems, {})
    return tmp_path / "labels.h5"


def test_replicas_start_from_test_frames_of_their_system(labels: Path) -> None:
    dataset = Dataset(labels)
    assert possible_starts(dataset, [0, 2, 4], "neon", 2) == [2, 4]
    with pytest.raises(InputError, match=r"3 replicas are to start .* of neon, but the split has 2 of them"):
        possible_starts(dataset, [0, 2, 4], "neon", 3)
    with pytest.raises(InputError, match=r"holds argon, neon: say under ml_md\.system"):
        possible_starts(dataset, [0, 2, 4], None, 1)


def test_the_reference_is_of_one_system_at_one_temperature(labels: Path) -> None:
    reference = labelled_reference(labels, "both", 1.0, "neon", 100.0)
    np.testing.assert_array_equal(reference.positions, Dataset(labels).arrays("neon")["positions"][:2])
    assert reference.description == "the labelled frames both of neon at 100 K"
    assert len(labelled_reference(labels, "both", None, "argon", 500.0).positions) == 2
    with pytest.raises(InputError, match="frames of neon are at 100, 300 K, but the dynamics runs at 200 K"):
        labelled_reference(labels, "both", None, "neon", 200.0)
    with pytest.raises(InputError, match="holds argon, neon"):
        labelled_reference(labels, "both", None)
