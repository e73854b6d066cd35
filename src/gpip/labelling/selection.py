"""Which configurations are labelled: chosen from classical runs, without near-duplicates, the same for the same seed.

A strategy proposes candidates one after the other; `select` takes them until there are enough and skips those too
close to one that was taken. Whatever chooses configurations (sampling now, an uncertainty later) ends in the same two
files: the configurations, and a table of where each comes from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpip.config.labels import Selection
from gpip.core.errors import InputError
from gpip.core.files import write_json
from gpip.core.provenance import provenance
from gpip.core.seeds import generator_for
from gpip.datasets.writer import ClassicalRun, dataset_writer, read_run
from gpip.labelling.candidates import Candidates
from gpip.labelling.descriptors import describe_frames
from gpip.labelling.duplicates import rmsd_angstrom


class Skipped(NamedTuple):
    """A candidate that was proposed but is too close to a selected one."""

    candidate: int
    nearest: int
    measure: str
    distance: float


@dataclass
class Selected:
    """Candidates by their number, in the order in which they were chosen."""

    chosen: list[int]
    skipped: list[Skipped]


def select_configurations(
    runs: Sequence[ClassicalRun],
    settings: Selection,
    seed: int,
    configurations: str | Path,
    indices: str | Path,
    checkpoint: Path | None = None,
) -> None:
    """Select configurations and write them, with where each comes from.

    Args:
        runs: the classical runs to select from.
        settings: method, number of frames, limits of near-duplicates.
        seed: of this selection.
        configurations: dataset file; `source_frame` is the frame's number in its trajectory. Frames are sorted by
            system, temperature and time.
        indices: JSON, see `write_indices`.
        checkpoint: of the network whose features are the descriptor, where the settings name one.

    Raises:
        InputError: too few frames, or too few that differ.
    """
    ordered = sorted(runs, key=lambda run: (run.system, run.temperature_kelvin))
    candidates = Candidates(ordered, [read_run(run) for run in ordered])
    descriptor = None
    if settings.descriptor is not None:
        descriptor = describe_frames(settings.descriptor, candidates, checkpoint)
    found = select(candidates, settings, seed, descriptor)
    inputs = [run.trajectory for run in ordered] + ([checkpoint] if checkpoint else [])
    record = provenance("labels", settings, seed, inputs)
    write_indices(indices, candidates, found, settings, record)
    with dataset_writer(configurations, record) as writer:
        for number, run in enumerate(ordered):
            frames = sorted(candidates.frame_of[index] for index in found.chosen if candidates.run_of[index] == number)
            if frames:
                writer.append(run.system, **candidates.fields(number, frames))
    print(f"selected {len(found.chosen)} of {len(candidates)} configurations; {len(found.skipped)} near-duplicates")


def select(candidates: Candidates, settings: Selection, seed: int, descriptor: np.ndarray | None = None) -> Selected:
    """Take the proposals of the method until there are enough, without near-duplicates.

    Args:
        candidates: all frames that may be chosen.
        settings: method, number of frames, limits.
        seed: of `random`, and of the first frame of `farthest`.
        descriptor: [n_candidates, n_components], for `farthest`.

    Raises:
        InputError: too few candidates that differ.
    """
    found = Selected([], [])
    if settings.method == "even":
        for run, wanted in enumerate(shares(settings.n_frames, len(candidates.runs))):
            members = np.flatnonzero(candidates.run_of == run)
            _take_even(found, candidates, members, wanted, settings)
        return found
    if settings.method == "random":
        proposals = iter(generator_for(seed, "random").permutation(len(candidates)).tolist())
    else:
        proposals = farthest_points(descriptor, int(generator_for(seed, "farthest").integers(len(candidates))))
    for candidate in proposals:
        if len(found.chosen) == settings.n_frames:
            return found
        _consider(found, candidates, candidate, settings, descriptor)
    _check_enough(len(found.chosen), settings.n_frames, found, candidates, "these runs")
    return found


def shares(n_frames: int, n_runs: int) -> list[int]:
    """How many frames each run gives: equal numbers, the first runs one more where it does not divide."""
    return [n_frames // n_runs + (run < n_frames % n_runs) for run in range(n_runs)]


def evenly(n_wanted: int, n_frames: int) -> list[int]:
    """Middles of `n_wanted` equal stretches of `n_frames` frames."""
    return [int((index + 0.5) * n_frames / n_wanted) for index in range(n_wanted)]


def farthest_points(points: np.ndarray, first: int) -> Iterator[int]:
    """All points, each the one farthest from those before it (Gonzalez 1985); ties go to the lowest number.

    Args:
        points: [n_points, n_components].
        first: the point to begin with.
    """
    distance = np.full(len(points), np.inf)
    current = first
    for _ in range(len(points)):
        yield current
        distance = np.minimum(distance, np.linalg.norm(points - points[current], axis=1))
        distance[current] = -1.0
        current = int(np.argmax(distance))


def _take_even(
    found: Selected, candidates: Candidates, members: np.ndarray, n_wanted: int, settings: Selection
) -> None:
    """Frames evenly in time of one run; a near-duplicate is replaced by the frame nearest in time that is none."""
    run = candidates.runs[candidates.run_of[members[0]]]
    place = f"{run.system} at {run.temperature_kelvin:g} K"
    if n_wanted > len(members):
        raise InputError(
            f"{run.trajectory}: {n_wanted} frames of {place} are wanted, but it has {len(members)}: lengthen the run "
            "or ask for fewer"
        )
    wanted = [int(members[index]) for index in evenly(n_wanted, len(members))]
    tried: set[int] = set()
    before = len(found.chosen)
    for target in wanted:
        for candidate in _outward(target, int(members[0]), int(members[-1])):
            if candidate in tried or (candidate != target and candidate in wanted):
                continue
            tried.add(candidate)
            if _consider(found, candidates, candidate, settings, None):
                break
    _check_enough(len(found.chosen) - before, n_wanted, found, candidates, place)


def _outward(target: int, first: int, last: int) -> Iterator[int]:
    """All numbers from `first` to `last`, those nearest to the target first, the lower of two equally near before."""
    yield target
    for distance in range(1, last - first + 1):
        yield from (number for number in (target - distance, target + distance) if first <= number <= last)


def _consider(
    found: Selected, candidates: Candidates, candidate: int, settings: Selection, descriptor: np.ndarray | None
) -> bool:
    """Take the candidate, or list it as skipped because it is too close to one that was taken."""
    same = [one for one in found.chosen if candidates.system_of(one) == candidates.system_of(candidate)]
    if same:
        distances = rmsd_angstrom(
            candidates.positions(candidate),
            np.stack([candidates.positions(one) for one in same]),
            candidates.cell(candidate),
            candidates.pbc(candidate),
        )
        nearest = int(np.argmin(distances))
        if distances[nearest] <= settings.min_rmsd_angstrom:
            found.skipped.append(Skipped(candidate, same[nearest], "rmsd_angstrom", float(distances[nearest])))
            return False
    if descriptor is not None and found.chosen:
        distances = np.linalg.norm(descriptor[found.chosen] - descriptor[candidate], axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] < settings.min_descriptor_distance:
            close = Skipped(candidate, found.chosen[nearest], "descriptor", float(distances[nearest]))
            found.skipped.append(close)
            return False
    found.chosen.append(candidate)
    return True


def _check_enough(n_found: int, n_wanted: int, found: Selected, candidates: Candidates, place: str) -> None:
    if n_found < n_wanted:
        raise InputError(
            f"selection: {n_wanted} configurations of {place} are wanted, but only {n_found} differ by more than "
            f"min_rmsd_angstrom and min_descriptor_distance allow ({len(found.skipped)} near-duplicates of "
            f"{len(candidates)} candidates): lengthen the runs, ask for fewer, or lower the limits"
        )


def write_indices(
    path: str | Path, candidates: Candidates, found: Selected, settings: Selection, record: dict[str, Any]
) -> None:
    """Write where each configuration comes from.

    `frames` holds system, temperature_kelvin, file and frame (counted from 0) of each, in the order of choice;
    `skipped` likewise the near-duplicates, with the frame each is close to, the measure and its value.
    """
    write_json(
        path,
        {
            "method": settings.method,
            "frames": [candidates.origin(index) for index in found.chosen],
            "skipped": [
                candidates.origin(one.candidate)
                | {"close_to": candidates.origin(one.nearest), "measure": one.measure, "distance": one.distance}
                for one in found.skipped
            ],
            "provenance": record,
        },
    )
