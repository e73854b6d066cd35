"""How many labelled frames a configuration can count on, before anything is run."""

from gpip.config.labels import PublishedLabels
from gpip.config.project import Project, check_split
from gpip.labelling.isolated import check_reference_energies
from gpip.labelling.published import count_frames


def check_labels(project: Project) -> dict[str, int]:
    """Frames of the labels that experiments use, by name; every split fits into them.

    Raises:
        InputError: published files are missing or damaged, its frames are fewer than an experiment splits, or
            isolated atoms are asked for at a level of theory without a table.
    """
    n_frames = {}
    for name, experiment in project.experiments.items():
        labels = project.labels[experiment.labels]
        check_reference_energies(f"labels.{experiment.labels}", labels)
        if isinstance(labels, PublishedLabels):
            n_frames[experiment.labels] = count_frames(labels, project.data_path(labels.path))
        else:
            n_frames[experiment.labels] = labels.n_frames
        check_split(f"experiments.{name}", experiment, n_frames[experiment.labels])
    return n_frames
