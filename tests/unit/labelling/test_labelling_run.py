"""Labelling in chunks: the right frames, failures and suspicious frames listed, the rest kept."""

from pathlib import Path

import numpy as np
import pytest

from gpip.config.labels import Checks, TBLiteLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.labelling.checks import Rejection, check_labels, read_rejected
from gpip.labelling.engine import LabellingFailed
from gpip.labelling.run import label_chunk, merge_chunks
from gpip.labelling.select import chunk_of, select_frames

WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
N_RUN = 20
"""Frames of each temperature in the data set."""


def settings(**changes) -> TBLiteLabels:
    given = {
        "source": "tblite",
        "system": "water",
        "temperature_kelvin": 300,
        "n_frames": 7,
        "frames_per_job": 3,
    }
    return TBLiteLabels(**(given | changes))


def stretched(n_frames: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "species": np.array([8, 1, 1]),
        "positions": WATER + rng.normal(size=(n_frames, 3, 3)) * 0.03,
        "cell": np.tile(6 * np.eye(3), (n_frames, 1, 1)),
        "pbc": np.ones(3, dtype=bool),
        "temperature": np.repeat([200.0, 300.0], n_frames // 2),
        "molecule": np.zeros(3),
    }


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    systems = {"other": stretched(4, 1), "water": stretched(2 * N_RUN, 2)}
    write_dataset(tmp_path / "dataset.h5", systems, {})
    return tmp_path / "dataset.h5"


class Spring:
    """Every atom is tied to its place: a closed form. Frames may be set to fail, or to have a net force."""

    def __init__(self, failing: tuple[int, ...] = (), pushed: tuple[int, ...] = (), first: int = 0) -> None:
        self.failing, self.pushed, self.n_calls, self.first = failing, pushed, 0, first

    def label(self, frame: Frame) -> tuple[float, np.ndarray]:
        number = self.first + self.n_calls
        self.n_calls += 1
        if number in self.failing:
            raise LabellingFailed("SCF did not converge, in 250 cycles")
        moved = frame.positions.astype(np.float64) - WATER
        moved -= moved.mean(axis=0)
        return 0.5 * float((moved**2).sum()), -moved + (2.0 if number in self.pushed else 0.0)


def label_all(dataset: Path, folder: Path, wanted: TBLiteLabels, **engine) -> tuple[Path, Path]:
    chunks, lists = [], []
    for chunk in range(wanted.n_jobs):
        chunks.append(folder / f"chunk-{chunk}.h5")
        lists.append(folder / f"chunk-{chunk}.csv")
        first = chunk * wanted.frames_per_job
        label_chunk(dataset, wanted, chunk, chunks[-1], lists[-1], Spring(first=first, **engine))
    output, rejected = folder / "labels.h5", folder / "rejected.csv"
    merge_chunks(chunks, lists, wanted, output, rejected)
    return output, rejected


def test_frames_are_drawn_evenly_from_one_temperature(dataset: Path) -> None:
    source = Dataset(dataset)
    selected = select_frames(source, "water", 300, 7)
    np.testing.assert_array_equal(selected, 4 + N_RUN + np.array([1, 4, 7, 10, 12, 15, 18]))
    np.testing.assert_array_equal(select_frames(source, "water", 300, N_RUN), np.arange(24, 44))
    assert all(source[index].temperature_kelvin == 300 for index in selected)
    assert [len(chunk_of(selected, chunk, 3)) for chunk in range(3)] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate([chunk_of(selected, chunk, 3) for chunk in range(3)]), selected)


def test_frames_that_are_not_there_are_refused(dataset: Path) -> None:
    source = Dataset(dataset)
    with pytest.raises(InputError, match=r"21 frames of water at 300 K.*has 20"):
        select_frames(source, "water", 300, 21)
    with pytest.raises(InputError, match=r"at 250 K.*temperatures \[200.0, 300.0\]"):
        select_frames(source, "water", 250, 1)
    with pytest.raises(InputError, match="did you mean 'water'"):
        select_frames(source, "watr", 300, 1)
    with pytest.raises(InputError, match="labelling job 3: 7 frames are 3 jobs"):
        chunk_of(np.arange(7), 3, 3)


def test_labels_belong_to_the_frames_they_were_drawn_from(dataset: Path, tmp_path: Path) -> None:
    output, rejected = label_all(dataset, tmp_path, settings())
    labels, source = Dataset(output), Dataset(dataset)
    labels.check()
    record = labels.systems["water"]
    np.testing.assert_array_equal(record.source_frame, select_frames(source, "water", 300, 7))
    np.testing.assert_array_equal(record.molecule, [0, 0, 0])
    for frame, index in zip(labels, record.source_frame, strict=True):
        np.testing.assert_array_equal(frame.positions, source[int(index)].positions)
        energy, forces = Spring().label(source[int(index)])
        assert frame.energy == energy
        np.testing.assert_allclose(frame.forces, forces, atol=1e-7)
        assert frame.temperature_kelvin == 300
    assert read_rejected(rejected) == []
    assert labels.provenance["settings"]["n_frames"] == 7


def test_failed_and_suspicious_frames_are_listed_and_left_out(dataset: Path, tmp_path: Path, capsys) -> None:
    output, rejected = label_all(dataset, tmp_path, settings(), failing=(0, 6), pushed=(4,))
    selected = select_frames(Dataset(dataset), "water", 300, 7)
    np.testing.assert_array_equal(Dataset(output).systems["water"].source_frame, selected[[1, 2, 3, 5]])
    rows = read_rejected(rejected)
    assert [row.source_frame for row in rows] == selected[[0, 4, 6]].tolist()
    assert rows[0].reason == "engine failed: SCF did not converge, in 250 cycles"
    assert rows[1].reason == "net force, eV/Å"
    assert rows[1].value == pytest.approx(6 * np.sqrt(3), rel=1e-6)
    assert rows[1].limit == 1.0
    assert rejected.read_text().splitlines()[0] == "source_frame,reason,value,limit"
    assert "4 of 7 frames kept; 3 left out" in capsys.readouterr().out


def test_each_limit_is_applied(dataset: Path) -> None:
    positions = np.tile(WATER, (4, 1, 1))
    positions[3, 1] += [5.9, 0, 0]  # its image is 0.1 Å from where it was
    positions[2, 2] = positions[2, 1] - [0.5, 0, 0]
    forces = np.zeros((4, 3, 3))
    forces[0] = [[0.4, 0, 0]] * 3
    forces[1, :2, 0] = [40, -40]
    fields = {
        "species": np.array([8, 1, 1]),
        "positions": positions,
        "cell": np.tile(6 * np.eye(3), (4, 1, 1)),
        "pbc": np.ones(3, dtype=bool),
        "forces": forces,
        "source_frame": np.arange(10, 14),
    }
    found = check_labels(fields, Checks())
    expected = [
        Rejection(10, "net force, eV/Å", 1.2, 1.0),
        Rejection(11, "largest force, eV/Å", 40.0, 30.0),
        Rejection(12, "closest contact, Å", 0.5, 0.6),
    ]
    assert [(one.source_frame, one.reason) for one in found] == [(one.source_frame, one.reason) for one in expected]
    np.testing.assert_allclose([one.value for one in found], [one.value for one in expected])
    (added,) = set(check_labels(fields, Checks(min_distance_angstrom=0.95))[3:])
    assert added.source_frame == 13
    assert added.value == pytest.approx(np.hypot(0.66, 0.59))


def test_nothing_left_is_an_error_and_the_list_is_written(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of 7 labelled frames passed"):
        label_all(dataset, tmp_path, settings(), failing=tuple(range(7)))
    assert len(read_rejected(tmp_path / "rejected.csv")) == 7
    assert not (tmp_path / "labels.h5").exists()


def test_a_missing_chunk_is_an_error(dataset: Path, tmp_path: Path) -> None:
    label_all(dataset, tmp_path, settings())
    with pytest.raises(InputError, match="the chunks hold 6"):
        merge_chunks(
            [tmp_path / f"chunk-{i}.h5" for i in (0, 1)],
            [tmp_path / f"chunk-{i}.csv" for i in (0, 1)],
            settings(),
            tmp_path / "x.h5",
            tmp_path / "x.csv",
        )


def test_tblite_labels_a_chunk_and_lists_coincident_atoms(tmp_path: Path) -> None:
    fields = stretched(4, 3)
    fields["positions"][3, 2] = fields["positions"][3, 1]
    write_dataset(tmp_path / "d.h5", {"water": fields}, {})
    wanted = settings(n_frames=2, frames_per_job=2)
    label_chunk(tmp_path / "d.h5", wanted, 0, tmp_path / "c.h5", tmp_path / "c.csv")
    merge_chunks([tmp_path / "c.h5"], [tmp_path / "c.csv"], wanted, tmp_path / "l.h5", tmp_path / "r.csv")
    assert Dataset(tmp_path / "l.h5").systems["water"].source_frame.tolist() == [2]
    (row,) = read_rejected(tmp_path / "r.csv")
    assert row.source_frame == 3
    assert row.reason.startswith("engine failed: ")
