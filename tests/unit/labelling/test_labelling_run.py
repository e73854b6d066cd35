"""Labelling in chunks: the right frames, failures and suspicious frames listed, the rest kept."""

from pathlib import Path

import numpy as np
import pytest

from gpip.config.engines import TBLiteLabels
from gpip.config.labels import Checks
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.labelling.checks import Rejection, check_labels, read_rejected
from gpip.labelling.engines.base import LabellingFailed
from gpip.labelling.run import chunk_of, label_chunk, merge_chunks

WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
FRAMES = np.array([21, 24, 27, 30, 32, 35, 38])
"""Where the selected frames come from."""


def settings(**changes) -> TBLiteLabels:
    given = {
        "source": "tblite",
        "system": "water",
        "temperature_kelvin": 300,
        "n_frames": 7,
        "frames_per_job": 3,
        "max_failed_fraction": 1.0,
    }
    return TBLiteLabels(**(given | changes))


def stretched(n_frames: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "species": np.array([8, 1, 1]),
        "positions": WATER + rng.normal(size=(n_frames, 3, 3)) * 0.03,
        "cell": np.tile(6 * np.eye(3), (n_frames, 1, 1)),
        "pbc": np.ones(3, dtype=bool),
        "temperature": np.full(n_frames, 300.0),
        "molecule": np.zeros(3),
        "source_frame": FRAMES[:n_frames],
    }


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "configurations.h5", {"water": stretched(7, 2)}, {})
    return tmp_path / "configurations.h5"


class Spring:
    """Every atom is tied to its place: a closed form. Frames may be set to fail, or to have a net force."""

    fallback = None

    def __init__(self, failing: tuple[int, ...] = (), pushed: tuple[int, ...] = (), first: int = 0) -> None:
        self.failing, self.pushed, self.n_calls, self.first = failing, pushed, 0, first

    def label(
        self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False
    ) -> tuple[float, np.ndarray]:
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
        label_chunk(dataset, wanted, chunk, chunks[-1], lists[-1], labeller=Spring(first=first, **engine))
    output, rejected = folder / "labels.h5", folder / "rejected.csv"
    merge_chunks(chunks, lists, wanted, output, rejected)
    return output, rejected


def test_chunks_hold_each_frame_once() -> None:
    chunks = [chunk_of(7, chunk, 3) for chunk in range(3)]
    assert [index for chunk in chunks for index in chunk] == list(range(7))
    assert len(chunks[-1]) == 1
    with pytest.raises(InputError, match="labelling job 3: 7 frames are 3 jobs"):
        chunk_of(7, 3, 3)


def test_labels_belong_to_the_frames_they_were_drawn_from(dataset: Path, tmp_path: Path) -> None:
    output, rejected = label_all(dataset, tmp_path, settings())
    labels, source = Dataset(output), Dataset(dataset)
    labels.check()
    record = labels.systems["water"]
    np.testing.assert_array_equal(record.source_frame, FRAMES)
    np.testing.assert_array_equal(record.molecule, [0, 0, 0])
    for frame, original in zip(labels, source, strict=True):
        np.testing.assert_array_equal(frame.positions, original.positions)
        energy, forces = Spring().label(original)
        assert frame.energy == energy
        np.testing.assert_allclose(frame.forces, forces, atol=1e-7)
        assert frame.temperature_kelvin == 300
    assert read_rejected(rejected) == []
    assert labels.provenance["settings"]["n_frames"] == 7


def test_failed_and_suspicious_frames_are_listed_and_left_out(dataset: Path, tmp_path: Path, capsys) -> None:
    output, rejected = label_all(dataset, tmp_path, settings(), failing=(0, 6), pushed=(4,))
    np.testing.assert_array_equal(Dataset(output).systems["water"].source_frame, FRAMES[[1, 2, 3, 5]])
    rows = read_rejected(rejected)
    assert [row.source_frame for row in rows] == FRAMES[[0, 4, 6]].tolist()
    assert rows[0].reason == "engine failed: SCF did not converge, in 250 cycles"
    assert rows[1].reason == "net force, eV/Å"
    assert rows[1].value == pytest.approx(6 * np.sqrt(3), rel=1e-6)
    assert rows[1].limit == 1.0
    assert {(row.system, row.temperature_kelvin) for row in rows} == {("water", 300.0)}
    assert rejected.read_text().splitlines()[0] == "source_frame,reason,value,limit,system,temperature_kelvin"
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
    fields = stretched(2, 3)
    fields["positions"][1, 2] = fields["positions"][1, 1]
    write_dataset(tmp_path / "d.h5", {"water": fields}, {})
    wanted = settings(n_frames=2, frames_per_job=2)
    label_chunk(tmp_path / "d.h5", wanted, 0, tmp_path / "c.h5", tmp_path / "c.csv")
    merge_chunks([tmp_path / "c.h5"], [tmp_path / "c.csv"], wanted, tmp_path / "l.h5", tmp_path / "r.csv")
    assert Dataset(tmp_path / "l.h5").systems["water"].source_frame.tolist() == [FRAMES[0]]
    (row,) = read_rejected(tmp_path / "r.csv")
    assert row.source_frame == FRAMES[1]
    assert row.reason.startswith("engine failed: ")
    assert "again with a start from the density" in row.reason
    strict = settings(n_frames=2, frames_per_job=2, max_failed_fraction=0.4)
    with pytest.raises(InputError, match=r"1 of 2 frames could not be labelled, more than max_failed_fraction 0\.4"):
        merge_chunks([tmp_path / "c.h5"], [tmp_path / "c.csv"], strict, tmp_path / "l.h5", tmp_path / "r.csv")


class Interrupted(Exception):
    """Stands for the end of the process."""


class Fragile(Spring):
    """Ends the job at one of its frames."""

    def __init__(self, end_at: int) -> None:
        super().__init__()
        self.end_at = end_at

    def label(self, frame: Frame, *arguments, **more) -> tuple[float, np.ndarray]:
        if self.n_calls == self.end_at:
            raise Interrupted
        return super().label(frame, *arguments, **more)


def test_a_killed_job_loses_one_frame_at_most(dataset: Path, tmp_path: Path, capsys) -> None:
    wanted = settings(frames_per_job=7)
    output, rejected = tmp_path / "c.h5", tmp_path / "c.csv"
    with pytest.raises(Interrupted):
        label_chunk(dataset, wanted, 0, output, rejected, labeller=Fragile(5))
    again = Spring(first=5, failing=(6,))
    label_chunk(dataset, wanted, 0, output, rejected, labeller=again)
    assert again.n_calls == 2
    assert "5 of 7 frames were labelled before" in capsys.readouterr().out
    whole, whole_rejected = tmp_path / "whole.h5", tmp_path / "whole.csv"
    label_chunk(dataset, wanted, 0, whole, whole_rejected, labeller=Spring(failing=(6,)))
    one, other = (Dataset(path).arrays("water") for path in (output, whole))
    assert set(one) == set(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    assert rejected.read_text() == whole_rejected.read_text()
    assert not list(tmp_path.glob("*.work"))


def test_results_of_other_settings_or_damaged_ones_are_not_taken_over(dataset: Path, tmp_path: Path, capsys) -> None:
    output, rejected = tmp_path / "c.h5", tmp_path / "c.csv"
    for changes in ({}, {"accuracy": 0.1}):
        with pytest.raises(Interrupted):
            label_chunk(dataset, settings(frames_per_job=7, **changes), 0, output, rejected, labeller=Fragile(5))
    assert "results of other settings" in capsys.readouterr().out
    stored = sorted((tmp_path / "c.h5.work").glob("*.npz"))
    assert len(stored) == 5
    stored[0].write_bytes(stored[0].read_bytes()[:100])
    again = Spring(first=4)
    label_chunk(dataset, settings(frames_per_job=7, accuracy=0.1), 0, output, rejected, labeller=again)
    assert again.n_calls == 3
    assert "is damaged" in capsys.readouterr().out


class SecondTime(Spring):
    """Converges only with the fallback."""

    fallback = "smaller steps"

    def label(self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False):
        if not careful:
            raise LabellingFailed("SCF did not converge")
        return super().label(frame)


def test_the_fallback_is_tried_once(dataset: Path, tmp_path: Path) -> None:
    wanted = settings(frames_per_job=7)
    engine = SecondTime(failing=(3,))
    label_chunk(dataset, wanted, 0, tmp_path / "c.h5", tmp_path / "c.csv", labeller=engine)
    assert engine.n_calls == 7
    (row,) = read_rejected(tmp_path / "c.csv")
    expected = "SCF did not converge; again with smaller steps: SCF did not converge, in 250 cycles"
    assert row.reason == f"engine failed: {expected}"
    assert row.source_frame == FRAMES[3]


class Recorder(Spring):
    """Remembers charges and unpaired electrons."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int, int]] = []

    def label(self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False):
        self.seen.append((frame.system, charge, n_unpaired))
        return 1.0, np.zeros((frame.n_atoms, 3))


def test_labels_of_several_systems_and_temperatures(tmp_path: Path) -> None:
    """Systems of different atoms in one file; the same frame number at two temperatures; chunks across systems."""
    cold, hot = stretched(2, 4), stretched(2, 5)
    hot["temperature"] = np.full(2, 500.0)
    per_frame = ("positions", "cell", "temperature", "source_frame")
    water = {name: np.concatenate([cold[name], hot[name]]) if name in per_frame else cold[name] for name in cold}
    ion = {
        "species": np.array([17]),
        "positions": np.zeros((3, 1, 3)),
        "cell": np.zeros((3, 3, 3)),
        "pbc": np.zeros(3, dtype=bool),
        "temperature": np.full(3, 300.0),
        "molecule": np.zeros(1),
        "source_frame": np.arange(3),
    }
    write_dataset(tmp_path / "c.h5", {"chloride": ion, "water": water}, {})
    selection = {
        "n_frames": 7,
        "from": [{"system": "water", "temperatures_kelvin": [300, 500]}, {"system": "chloride"}],
    }
    wanted = TBLiteLabels.model_validate(
        {"source": "tblite", "selection": selection, "frames_per_job": 4, "multiplicity": {"water": 3}}
    )
    chunks, lists, engine = [], [], Recorder()
    for chunk in range(wanted.n_jobs):
        chunks.append(tmp_path / f"{chunk}.h5")
        lists.append(tmp_path / f"{chunk}.csv")
        label_chunk(tmp_path / "c.h5", wanted, chunk, chunks[-1], lists[-1], {"chloride": -1, "water": 0}, engine)
    assert engine.seen == 3 * [("chloride", -1, 0)] + 4 * [("water", 0, 2)]
    merge_chunks(chunks, lists, wanted, tmp_path / "labels.h5", tmp_path / "rejected.csv")
    labels = Dataset(tmp_path / "labels.h5")
    assert {name: one.n_frames for name, one in labels.systems.items()} == {"chloride": 3, "water": 4}
    assert labels.provenance["charges"] == {"chloride": -1, "water": 0}
    assert labels.runs() == [
        ("chloride", 300.0, range(0, 3)),
        ("water", 300.0, range(3, 5)),
        ("water", 500.0, range(5, 7)),
    ]
