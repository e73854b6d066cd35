"""What ML-driven runs are compared with, read from a classical run or from labelled frames."""

from pathlib import Path

import numpy as np

from gpip.config.experiments import ClassicalReference
from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun, read_run
from gpip.metrics.reference import Reference
from gpip.ml_md.start import the_system


def classical_reference(settings: ClassicalReference, trajectory: Path, time_step_fs: float) -> Reference:
    """A classical run, its frames `time_step_fs` apart."""
    fields = read_run(ClassicalRun(settings.system, settings.temperature_kelvin, trajectory))
    return Reference(
        fields["species"],
        fields["positions"],
        fields["cell"],
        fields["molecule"],
        time_step_fs,
        f"classical MD of {settings.system} at {settings.temperature_kelvin:g} K",
    )


def labelled_reference(
    labels: Path,
    name: str,
    time_step_fs: float | None,
    system: str | None = None,
    temperature_kelvin: float | None = None,
) -> Reference:
    """Labelled frames of one system; in time where they are `time_step_fs` apart and none of them was left out.

    Args:
        labels: dataset file of labels.
        name: of the labels, for the description.
        time_step_fs: between frames, where they are one trajectory.
        system: whose frames; None where the labels hold just one.
        temperature_kelvin: of the run that is compared; frames at this temperature are taken where there are several.

    Raises:
        InputError: it is not clear which system is meant, or no frames are of that temperature.
    """
    dataset = Dataset(labels)
    system = the_system(dataset, system, "ml_md.system")
    runs = [(kelvin, frames) for of, kelvin, frames in dataset.runs() if of == system]
    description = f"the labelled frames {name}" + (f" of {system}" if len(dataset.systems) > 1 else "")
    if len(runs) > 1 and temperature_kelvin is not None:
        fitting = [frames for kelvin, frames in runs if abs(kelvin - temperature_kelvin) < 1e-6]
        if not fitting:
            temperatures = ", ".join(f"{kelvin:g}" for kelvin, _ in runs)
            raise InputError(
                f"{labels}: frames of {system} are at {temperatures} K, but the dynamics runs at "
                f"{temperature_kelvin:g} K: name a classical run as metrics.reference, or change the temperature"
            )
        dataset = dataset.subset(index for frames in fitting for index in frames)
        description += f" at {temperature_kelvin:g} K"
    fields = dataset.arrays(system)
    source = fields.get("source_frame")
    in_order = source is None or bool((np.diff(source) == 1).all())
    return Reference(
        fields["species"],
        fields["positions"],
        fields["cell"],
        fields.get("molecule"),
        time_step_fs if in_order else None,
        description,
    )
