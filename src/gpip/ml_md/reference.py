"""What ML-driven runs are compared with, read from a classical run or from labelled frames."""

from pathlib import Path

import numpy as np

from gpip.config.experiments import ClassicalReference
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun, read_run
from gpip.metrics.reference import Reference


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


def labelled_reference(labels: Path, name: str, time_step_fs: float | None) -> Reference:
    """Labelled frames; in time where they are `time_step_fs` apart and none of them was left out."""
    dataset = Dataset(labels)
    (system,) = dataset.systems.values()
    fields = dataset.arrays(system.name)
    source = fields.get("source_frame")
    in_order = source is None or bool((np.diff(source) == 1).all())
    return Reference(
        fields["species"],
        fields["positions"],
        fields["cell"],
        fields.get("molecule"),
        time_step_fs if in_order else None,
        f"the labelled frames {name}",
    )
