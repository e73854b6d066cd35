"""Labels by an engine: frames of a classical run in chunks that are jobs of their own, merged and checked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpip.config.labels import TBLiteLabels
from gpip.core.errors import InputError
from gpip.core.fields import FIELDS
from gpip.core.progress import progress
from gpip.core.provenance import provenance
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.labelling.checks import Rejection, read_rejected, write_checked_labels, write_rejected
from gpip.labelling.engine import Labeller, LabellingFailed
from gpip.labelling.select import chunk_of, select_frames
from gpip.labelling.tblite import TBLiteLabeller


def label_chunk(
    dataset: str | Path,
    settings: TBLiteLabels,
    chunk: int,
    output: str | Path,
    rejected: str | Path,
    labeller: Labeller | None = None,
) -> None:
    """Label the frames of one job. A frame that fails is listed with its reason and the rest goes on.

    Args:
        dataset: file that the frames are drawn from.
        settings: engine, system, temperature and number of frames.
        chunk: number of the job, from 0 to settings.n_jobs - 1.
        output: dataset file of this chunk; it may hold no frame.
        rejected: CSV of the frames that failed.
        labeller: engine; made from the settings when not given.

    Raises:
        InputError: the data set lacks the frames, or the system is none that the engine can treat.
    """
    source = Dataset(dataset)
    labeller = labeller or TBLiteLabeller(settings)
    selected = select_frames(source, settings.system, settings.temperature_kelvin, settings.n_frames)
    indices = chunk_of(selected, chunk, settings.frames_per_job)
    done, failed = [], []
    labels = []
    for index in progress(indices.tolist(), len(indices), f"labels, job {chunk}", "frame"):
        try:
            labels.append(labeller.label(source[index]))
            done.append(index)
        except LabellingFailed as reason:
            print(f"frame {index} could not be labelled: {reason}", flush=True)
            failed.append(Rejection(index, f"engine failed: {reason}"))
    fields = source.subset(done).arrays(settings.system)
    fields["energy"] = np.array([energy for energy, _ in labels])
    fields["forces"] = np.array([forces for _, forces in labels]).reshape(-1, len(fields["species"]), 3)
    fields["source_frame"] = np.array(done, dtype=np.int64)
    used = {name: value for name, value in settings.used().items() if name != "checks"}  # those come with the merging
    write_dataset(output, {settings.system: fields}, provenance("labels", used, inputs=[dataset]))
    write_rejected(rejected, failed)


def merge_chunks(
    chunks: Sequence[str | Path],
    chunks_rejected: Sequence[str | Path],
    settings: TBLiteLabels,
    output: str | Path,
    rejected: str | Path,
) -> None:
    """Join the chunks, check every frame, and write the labels and the list of frames that were left out.

    Raises:
        InputError: no frame is left, or frames are missing or twice in the chunks.
    """
    parts = [Dataset(chunk).arrays(settings.system) for chunk in chunks]
    failed = [one for path in chunks_rejected for one in read_rejected(path)]
    fields = {
        name: np.concatenate([part[name] for part in parts]) if FIELDS[name].axes[0] == "n_frames" else values
        for name, values in parts[0].items()
    }
    seen = [*fields["source_frame"].tolist(), *(one.source_frame for one in failed)]
    if len(seen) != settings.n_frames or len(set(seen)) != len(seen):
        raise InputError(
            f"{output}: {settings.n_frames} frames were to be labelled, but the chunks hold {len(seen)}, "
            f"{len(set(seen))} of them distinct: delete the chunks and label again"
        )
    record = provenance("labels", settings, inputs=chunks)
    write_checked_labels(output, rejected, settings.system, fields, settings.checks, failed, record)
