"""Which frames of a data set are labelled, and which job labels which."""

import numpy as np

from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset


def select_frames(dataset: Dataset, system: str, temperature_kelvin: float, n_frames: int) -> np.ndarray:
    """Indices in the file of `n_frames` frames, evenly over the run of one system at one temperature.

    Raises:
        InputError: no such system or temperature, or fewer frames than wanted.
    """
    first = dataset.first_frame(system)
    temperature = dataset.systems[system].temperature
    run = np.flatnonzero(np.isclose(temperature, temperature_kelvin, rtol=0, atol=1e-6))
    if len(run) < n_frames:
        raise InputError(
            f"{dataset.path}: {n_frames} frames of {system} at {temperature_kelvin:g} K are wanted, but "
            f"it has {len(run)} (temperatures {np.unique(temperature).tolist()}): lengthen it or ask for less"
        )
    middles = (np.arange(n_frames) + 0.5) * len(run) / n_frames
    return first + run[middles.astype(int)]


def chunk_of(frames: np.ndarray, chunk: int, frames_per_job: int) -> np.ndarray:
    """The frames of job number `chunk`, counted from 0; the last job may have fewer."""
    part = frames[chunk * frames_per_job : (chunk + 1) * frames_per_job]
    if chunk < 0 or not len(part):
        raise InputError(f"labelling job {chunk}: {len(frames)} frames are {-(-len(frames) // frames_per_job)} jobs")
    return part
