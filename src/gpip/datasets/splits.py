"""Which frames train, validate and test: fixed by a seed, disjoint, stored as JSON.

Validation and test frames are the same for every number of training frames, and a smaller training set is the
beginning of a larger one, so that learning curves compare like with like.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gpip.config.experiments import Split
from gpip.core.errors import InputError
from gpip.core.files import read_json, write_json
from gpip.core.seeds import generator_for

PARTS = ("train", "validation", "test")


class SplitIndices(NamedTuple):
    """Indices of the frames of each part."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split_frames(
    n_frames: int | Sequence[int], settings: Split, n_train: int, seed: int, where: str = "split"
) -> SplitIndices:
    """Choose the frames of each part.

    Random: one permutation by the seed; test first, then validation, then training frames in its order.
    Time: the last `n_test` frames test, the `n_validation` before them validate, training frames come from
    the block before, each block `gap` frames from the next. They are spread over their block by the van der
    Corput sequence: any first n of it are nearly evenly spaced (no interval more than about twice another).
    The seed plays no part. Several trajectories (systems, temperatures) are each split so, and give test and
    validation frames in proportion to their length.

    Args:
        n_frames: number of frames, or that of each trajectory, which follow one another.
        settings: kind and sizes.
        n_train: number of training frames.
        seed: of a random split.
        where: named in errors.

    Raises:
        InputError: fewer frames than are asked for.
    """
    lengths = [n_frames] if isinstance(n_frames, int) else [int(length) for length in n_frames]
    total = sum(lengths)
    n_gap = 2 * settings.gap * len(lengths) if settings.kind == "time" else 0
    available = total - settings.n_validation - settings.n_test - n_gap
    if n_train > available:
        gaps = f" + {n_gap} left out in gaps" if n_gap else ""
        trajectories = f" of {len(lengths)} trajectories" if n_gap and len(lengths) > 1 else ""
        raise InputError(
            f"{where}: {n_train} training + {settings.n_validation} validation + {settings.n_test} test"
            f"{gaps}{trajectories} frames are wanted, but there are {total}: ask for fewer, or label more"
        )
    if settings.kind == "time":
        return _split_in_time(lengths, settings, n_train, where)
    order = generator_for(seed, "split", total).permutation(total).tolist()
    first_train = settings.n_test + settings.n_validation
    return SplitIndices(
        order[first_train : first_train + n_train],
        sorted(order[settings.n_test : first_train]),
        sorted(order[: settings.n_test]),
    )


def _split_in_time(lengths: Sequence[int], settings: Split, n_train: int, where: str) -> SplitIndices:
    tests, validations = proportional(settings.n_test, lengths), proportional(settings.n_validation, lengths)
    train, validation, test = [], [], []
    first = 0
    for length, n_test, n_validation in zip(lengths, tests, validations, strict=True):
        test_start = length - n_test
        validation_start = test_start - settings.gap - n_validation
        n_block = validation_start - settings.gap
        if n_block < 0:
            raise InputError(
                f"{where}: a trajectory of {length} frames is too short for its {n_validation} validation and {n_test} "
                f"test frames and 2 gaps of {settings.gap}: label more of it, or use kind random"
            )
        # By its place in its own block, so that any first n of all trajectories together are shared in proportion.
        train += [((place + 0.5) / n_block, first + frame) for place, frame in enumerate(_spread(n_block))]
        validation += range(first + validation_start, first + validation_start + n_validation)
        test += range(first + test_start, first + length)
        first += length
    return SplitIndices([frame for _, frame in sorted(train)[:n_train]], validation, test)


def proportional(n: int, lengths: Sequence[int]) -> list[int]:
    """`n` shared in proportion to `lengths`, by largest remainders; the first of equal ones gets more."""
    exact = [n * length / sum(lengths) for length in lengths]
    whole = [int(share) for share in exact]
    by_remainder = sorted(range(len(lengths)), key=lambda index: (whole[index] - exact[index], index))
    for index in by_remainder[: n - sum(whole)]:
        whole[index] += 1
    return whole


def _spread(n: int) -> list[int]:
    """All of 0 to n - 1, ordered so that any first few are nearly evenly spaced."""
    if n < 1:
        return []
    bits = max(1, (n - 1).bit_length())
    van_der_corput = (int(f"{index:0{bits}b}"[::-1], 2) / 2**bits for index in range(2**bits))
    return list(dict.fromkeys(int(fraction * n) for fraction in van_der_corput))


def write_split(path: str | Path, split: SplitIndices, provenance: Mapping[str, Any]) -> None:
    """Write {"train": [...], "validation": [...], "test": [...], "provenance": {...}}."""
    write_json(path, {**split._asdict(), "provenance": dict(provenance)})


def read_split(path: str | Path, n_frames: int | None = None) -> SplitIndices:
    """Read a split; check that its parts are disjoint, not empty, and below `n_frames` where that is given.

    Raises:
        InputError: the file is not a split, its parts share frames, or it was made for another file.
    """
    try:
        stored = read_json(path)
        split = SplitIndices(*([int(index) for index in stored[part]] for part in PARTS))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not a split file ({error!r}); expected lists {', '.join(PARTS)}") from None
    frames = [index for part in split for index in part]
    if len(set(frames)) < len(frames):
        raise InputError(f"{path}: a frame is in two parts, or twice in one; make the split again")
    for part, indices in split._asdict().items():
        if not indices:
            raise InputError(f"{path}: no {part} frames; make the split again")
    if min(frames) < 0 or (n_frames is not None and max(frames) >= n_frames):
        raise InputError(
            f"{path}: frames {min(frames)} to {max(frames)}, but the labels have {n_frames}: make it again"
        )
    return split
