"""What a configuration can count on before anything is run: engines that are installed, and frames in files."""

from gpip.config.labels import ComputedLabels
from gpip.config.project import Project, check_split
from gpip.labelling.levels import check_reference_energies
from gpip.labelling.registry import engine_class, make_reader


def check_labels(project: Project) -> dict[str, int]:
    """Frames of the labels that experiments use, by name; every split fits into them.

    Raises:
        InputError: files are missing or damaged, their frames are fewer than an experiment splits, or isolated atoms
            are asked for at a level of theory without a table.
    """
    n_frames = {}
    for name, experiment in project.experiments.items():
        labels = project.labels[experiment.labels]
        where = f"labels.{experiment.labels}"
        if isinstance(labels, ComputedLabels):
            amounts = [one for system in labels.systems for one in project.systems[system].amounts]
            check_reference_energies(where, labels, {symbol for one in amounts for symbol in one.elements})
            # The project has checked its split.
            n_frames[experiment.labels] = labels.selected.n_frames
            continue
        check_reference_energies(where, labels)
        n_frames[experiment.labels] = make_reader(labels, project.data_path(labels.path)).count_frames()
        check_split(f"experiments.{name}", experiment, n_frames[experiment.labels])
    return n_frames


def check_engines(project: Project) -> None:
    """Raise InputError when an engine that computes labels cannot run here or with its settings."""
    for labels in project.labels.values():
        if isinstance(labels, ComputedLabels):
            engine_class(labels.source).check(labels)
