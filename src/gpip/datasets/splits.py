"""Which frames train, validate and test: fixed by a seed, disjoint, stored as JSON.

Validation and test frames are the same for every number of training frames, and a smaller training set is the
beginning of a larger one, so that learning curves compare like with like.
"""

from collections.abc import Mapping
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


def split_frames(n_frames: int, settings: Split, n_train: int, seed: int, where: str = "split") -> SplitIndices:
    """Choose the frames of each part.

    Random: one permutation by the seed; test first, then validation, then training frames in its order.
    Time: the last `n_test` frames test, the `n_validation` before them validate, training frames come from
    the block before, each block `gap` frames from the next. They are spread over their block by the van der
    Corput sequence: any first n of it are nearly evenly spaced (no interval more than about twice another).
    The seed plays no part.

    Raises:
        InputError: fewer frames than are asked for.
    """
    n_gap = 2 * settings.gap if settings.kind == "time" else 0
    available = n_frames - settings.n_validation - settings.n_test - n_gap
    if n_train > available:
        raise InputError(
            f"{where}: {n_train} training + {settings.n_validation} validation + {settings.n_test} test"
            f"{f' + {n_gap} left out in gaps' if n_gap else ''} frames are wanted, but there are {n_frames}: "
            "ask for fewer, or label more"
        )
    if settings.kind == "time":
        test_start = n_frames - settings.n_test
        validation_start = test_start - settings.gap - settings.n_validation
        return SplitIndices(
            _spread(available)[:n_train],
            list(range(validation_start, validation_start + settings.n_validation)),
            list(range(test_start, n_frames)),
        )
    order = generator_for(seed, "split", n_frames).permutation(n_frames).tolist()
    first_train = settings.n_test + settings.n_validation
    return SplitIndices(
        order[first_train : first_train + n_train],
        sorted(order[settings.n_test : first_train]),
        sorted(order[: settings.n_test]),
    )


def _spread(n: int) -> list[int]:
    """All of 0 to n - 1, ordered so that any first few are nearly evenly spaced."""
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
