"""Splits: disjoint, of the sizes asked for, nested over the number of training frames, blocks in time."""

from pathlib import Path

import numpy as np
import pytest

from gpip.config.experiments import Split
from gpip.core.errors import InputError
from gpip.core.files import write_json
from gpip.datasets.splits import read_split, split_frames, write_split


@pytest.mark.parametrize("kind", ["random", "time"])
@pytest.mark.parametrize("n_frames", [40, 64, 310])
def test_parts_are_disjoint_and_of_the_sizes_asked_for(kind: str, n_frames: int) -> None:
    settings = Split(kind=kind, n_validation=7, n_test=9, gap=3 if kind == "time" else 0)
    largest = n_frames - 16 - (6 if kind == "time" else 0)
    for n_train in (1, 10, largest):
        split = split_frames(n_frames, settings, n_train, seed=5)
        assert [len(part) for part in split] == [n_train, 7, 9]
        joined = [index for part in split for index in part]
        assert len(set(joined)) == len(joined)
        assert 0 <= min(joined) <= max(joined) < n_frames
    if kind == "random":
        assert sorted(joined) == list(range(n_frames))


@pytest.mark.parametrize("kind", ["random", "time"])
def test_a_smaller_training_set_begins_a_larger_one(kind: str) -> None:
    settings = Split(kind=kind, n_validation=10, n_test=20)
    large, small = (split_frames(200, settings, n_train, seed=1) for n_train in (150, 25))
    assert large.train[:25] == small.train
    assert large.validation == small.validation
    assert large.test == small.test


def test_blocks_in_time_keep_their_gap() -> None:
    settings = Split(kind="time", n_validation=30, n_test=60, gap=10)
    split = split_frames(310, settings, 200, seed=0)
    assert split.test == list(range(250, 310))
    assert split.validation == list(range(210, 240))
    assert sorted(split.train) == list(range(200))


@pytest.mark.parametrize("n_train", [2, 13, 32, 100, 173])
def test_training_frames_of_a_time_split_are_spread_over_their_block(n_train: int) -> None:
    settings = Split(kind="time", n_validation=10, n_test=10)
    train = np.sort(split_frames(220, settings, n_train, seed=0).train)
    edges = np.diff(np.concatenate([[0], train, [199]]))
    assert edges.max() <= 2 * 200 / n_train + 1


def test_the_seed_decides_a_random_split() -> None:
    settings = Split(n_validation=10, n_test=10)
    assert split_frames(100, settings, 50, seed=1) == split_frames(100, settings, 50, seed=1)
    one, other = (split_frames(100, settings, 50, seed=seed) for seed in (1, 2))
    assert one.test != other.test
    assert one.train != other.train


@pytest.mark.parametrize(("kind", "gap", "n_train"), [("random", 0, 81), ("time", 5, 71)])
def test_too_few_frames_are_refused(kind: str, gap: int, n_train: int) -> None:
    settings = Split(kind=kind, n_validation=10, n_test=10, gap=gap)
    split_frames(101 - 1, settings, n_train - 1, seed=0)
    with pytest.raises(InputError, match=f"labels x: {n_train} training .* 10 validation .* 10 test .* there are 100"):
        split_frames(100, settings, n_train, seed=0, where="labels x")


def test_a_split_is_stored_with_its_origin(tmp_path: Path) -> None:
    split = split_frames(50, Split(n_validation=5, n_test=5), 20, seed=3)
    write_split(tmp_path / "split.json", split, {"seed": 3})
    assert read_split(tmp_path / "split.json", n_frames=50) == split
    with pytest.raises(InputError, match="labels have 30"):
        read_split(tmp_path / "split.json", n_frames=30)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": [0, 1], "validation": [1], "test": [2]}, "in two parts"),
        ({"train": [0], "validation": [1], "test": []}, "no test frames"),
        ({"train": [0], "validation": [1]}, "not a split file"),
        ([1, 2], "not a split file"),
        ({"train": [-1], "validation": [1], "test": [2]}, "frames -1 to 2"),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path: Path, content, message: str) -> None:
    write_json(tmp_path / "split.json", content)
    with pytest.raises(InputError, match=message):
        read_split(tmp_path / "split.json")


def test_a_missing_split_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a split file"):
        read_split(tmp_path / "none.json")


@pytest.mark.parametrize("lengths", [[40, 40], [100, 10, 55], [7, 300]])
def test_a_time_split_of_several_trajectories_splits_each(lengths: list[int]) -> None:
    settings = Split(kind="time", n_validation=8, n_test=12, gap=1)
    largest = sum(lengths) - 20 - 2 * len(lengths)
    split = split_frames(lengths, settings, largest, seed=0)
    ends = np.cumsum(lengths)
    counts = []
    for start, end in zip(ends - lengths, ends, strict=True):
        train, validation, test = ([i for i in part if start <= i < end] for part in split)
        assert test == list(range(end - len(test), end))
        assert max(train) < min([*validation, *test, end + 2]) - 1
        counts.append((len(train), len(validation), len(test)))
    assert np.sum(counts, axis=0).tolist() == [largest, 8, 12]
    for _, n_validation, n_test in counts:
        assert n_test >= n_validation
    small = split_frames(lengths, settings, 20, seed=0)
    assert split.train[:20] == small.train
    shares = [sum(start <= i < end for i in small.train) for start, end in zip(ends - lengths, ends, strict=True)]
    np.testing.assert_allclose(shares, 20 * np.array(counts)[:, 0] / largest, atol=1)
    with pytest.raises(InputError, match=rf"gaps of {len(lengths)} trajectories"):
        split_frames(lengths, settings, largest + 1, seed=0)


def test_a_trajectory_too_short_for_its_gaps_is_refused() -> None:
    settings = Split(kind="time", n_validation=4, n_test=4, gap=5)
    with pytest.raises(InputError, match="a trajectory of 9 frames is too short"):
        split_frames([9, 91], settings, 1, seed=0)


def test_several_trajectories_change_nothing_in_a_random_split() -> None:
    settings = Split(n_validation=10, n_test=10)
    assert split_frames([30, 70], settings, 50, seed=1) == split_frames(100, settings, 50, seed=1)
