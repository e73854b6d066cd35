"""Labels by an engine: selected configurations in chunks that are jobs of their own, merged and checked."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np

from gpip.config.labels import ComputedLabels
from gpip.core.errors import InputError
from gpip.core.fields import FIELDS
from gpip.core.frame import Frame
from gpip.core.progress import progress
from gpip.core.provenance import provenance
from gpip.core.versions import STAGE_VERSIONS
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.labelling.checks import Rejection, read_rejected, write_checked_labels, write_rejected
from gpip.labelling.engines.base import LabellingFailed
from gpip.labelling.process import EngineProcess
from gpip.labelling.store import Result, ResultStore

FAILED = "engine failed: "
NOT_OF_A_RESULT = {
    "checks",
    "reference_energies",
    "selection",
    "system",
    "temperature_kelvin",
    "n_frames",
    "frames_per_job",
    "time_limit_seconds",
    "max_failed_fraction",
    "cores",
    "charge",
    "multiplicity",
}
"""Settings that the energy and the forces of a frame do not depend on, or that are given beside it."""


class Labeller(Protocol):
    """An engine, in this process or in one of its own."""

    fallback: str | None

    def label(
        self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False
    ) -> tuple[float, np.ndarray]: ...


def label_chunk(
    configurations: str | Path,
    settings: ComputedLabels,
    chunk: int,
    output: str | Path,
    rejected: str | Path,
    charges: Mapping[str, int] | None = None,
    labeller: Labeller | None = None,
) -> None:
    """Label the frames of one job. A frame that fails is listed with its reason and the rest continues.

    The result of each frame is stored at once; a job that was killed continues with the first frame that has none.

    Args:
        configurations: file of the selected configurations, all of which are labelled.
        settings: engine, frames per job, time limit.
        chunk: number of the job, from 0 to settings.n_jobs - 1.
        output: dataset file of this chunk; it may hold no frame.
        rejected: CSV of the frames that failed.
        charges: total charge in e by system; 0 for a system that is not named.
        labeller: the engine; started in a process of its own when not given.

    Raises:
        InputError: there is no such chunk, or a system is none that the engine can treat.
    """
    source = Dataset(configurations)
    indices = chunk_of(len(source), chunk, settings.frames_per_job)
    spins = {system: settings.n_unpaired_of(system) for system in source.systems}
    charges = {system: (charges or {}).get(system, 0) for system in source.systems}
    fingerprint = {
        "settings": settings.model_dump(mode="json", exclude=NOT_OF_A_RESULT),
        "charges": charges,
        "n_unpaired": spins,
        "version": STAGE_VERSIONS["labels"],
    }
    store = ResultStore(output, fingerprint, settings.time_limit_seconds)
    results: dict[int, Result] = {}
    for index in indices:
        if (stored := store.load(source[index])) is not None:
            results[index] = stored
    if results:
        print(f"{len(results)} of {len(indices)} frames were labelled before; continuing", flush=True)
    missing = [index for index in indices if index not in results]
    with nullcontext(labeller) if labeller is not None else EngineProcess(settings) as engine:
        for index in progress(missing, len(missing), f"labels, job {chunk}", "frame"):
            frame = source[index]
            result = label_frame(engine, frame, charges[frame.system], spins[frame.system])
            if result.failed:
                print(f"frame {index} ({frame.system}) could not be labelled: {result.reason}", flush=True)
            store.save(frame, result)
            results[index] = result
    # The checks and the allowed failures are applied when the chunks are merged.
    used = {name: value for name, value in settings.used().items() if name not in ("checks", "max_failed_fraction")}
    record = provenance("labels", used, inputs=[configurations])
    record |= {"charges": charges, "n_unpaired": spins}
    systems = {
        name: _fields(source, name, results) for name in dict.fromkeys(source[index].system for index in indices)
    }
    write_dataset(output, systems, record)
    write_rejected(rejected, [_rejection(source, index, results[index]) for index in indices if results[index].failed])
    store.remove()


def label_frame(engine: Labeller, frame: Frame, charge: int, n_unpaired: int) -> Result:
    """Energy and forces of one frame; where the engine fails, by its fallback, once; else the reasons."""
    try:
        return Result(*engine.label(frame, charge, n_unpaired))
    except LabellingFailed as error:
        first = str(error)
    if engine.fallback is None:
        return Result(reason=first)
    print(f"{first}; trying again with {engine.fallback}", flush=True)
    try:
        return Result(*engine.label(frame, charge, n_unpaired, careful=True))
    except LabellingFailed as error:
        return Result(reason=f"{first}; again with {engine.fallback}: {error}")


def chunk_of(n_frames: int, chunk: int, frames_per_job: int) -> range:
    """The frames of job number `chunk`, counted from 0; the last job may have fewer."""
    part = range(n_frames)[chunk * frames_per_job : (chunk + 1) * frames_per_job]
    if chunk < 0 or not len(part):
        raise InputError(f"labelling job {chunk}: {n_frames} frames are {-(-n_frames // frames_per_job)} jobs")
    return part


def merge_chunks(
    chunks: Sequence[str | Path],
    chunks_rejected: Sequence[str | Path],
    settings: ComputedLabels,
    output: str | Path,
    rejected: str | Path,
) -> None:
    """Join the chunks, check every frame, and write the labels and the list of frames that were left out.

    Raises:
        InputError: the engine failed for too many frames, no frame is left, or frames are missing or twice in the
            chunks.
    """
    parts: dict[str, list[dict[str, np.ndarray]]] = {}
    inherited = {}
    for chunk in chunks:
        dataset = Dataset(chunk)
        inherited = {key: dataset.provenance.get(key) for key in ("charges", "n_unpaired")}
        for name in dataset.systems:
            parts.setdefault(name, []).append(dataset.arrays(name))
    systems = {name: _joined(parts[name]) for name in sorted(parts)}
    failed = [one for path in chunks_rejected for one in read_rejected(path)]
    _check_complete(output, settings, systems, failed)
    n_frames = settings.selected.n_frames
    if len(failed) > settings.max_failed_fraction * n_frames:
        examples = "; ".join(dict.fromkeys(one.reason for one in failed))
        raise InputError(
            f"{output}: {len(failed)} of {n_frames} frames could not be labelled, more than max_failed_fraction "
            f"{settings.max_failed_fraction:g} allows: {examples[:400]}. Change the settings of the engine, or allow "
            "more failures"
        )
    record = provenance("labels", settings, inputs=chunks) | inherited
    write_checked_labels(output, rejected, systems.items(), settings.checks, failed, record)


def _check_complete(
    output: str | Path, settings: ComputedLabels, systems: dict[str, dict[str, np.ndarray]], failed: list[Rejection]
) -> None:
    seen = [(one.system, one.temperature_kelvin, one.source_frame) for one in failed]
    for name, fields in systems.items():
        seen += [(name, *one) for one in zip(fields["temperature"], fields["source_frame"], strict=True)]
    n_frames = settings.selected.n_frames
    if len(seen) != n_frames or len(set(seen)) != len(seen):
        raise InputError(
            f"{output}: {n_frames} frames were to be labelled, but the chunks hold {len(seen)}, "
            f"{len(set(seen))} of them distinct: delete the chunks and label again"
        )


def _fields(source: Dataset, system: str, results: dict[int, Result]) -> dict[str, np.ndarray]:
    """Fields of the labelled frames of one system, in the order of the file."""
    done = [index for index in sorted(results) if not results[index].failed and source[index].system == system]
    fields = source.subset(done).arrays(system)
    fields["energy"] = np.array([results[index].energy for index in done])
    forces = [results[index].forces for index in done]
    fields["forces"] = np.array(forces).reshape(-1, len(fields["species"]), 3)
    return fields


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([part[name] for part in parts]) if FIELDS[name].axes[0] == "n_frames" else values
        for name, values in parts[0].items()
    }


def _rejection(source: Dataset, index: int, result: Result) -> Rejection:
    frame = source[index]
    number = source.source_frame_of(index)
    return Rejection(number, FAILED + result.reason, None, None, frame.system, frame.temperature_kelvin)
