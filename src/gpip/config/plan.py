"""Which runs a project asks for, stage by stage: plain lists that the workflow turns into files."""

from typing import Any

from gpip.config.project import Project
from gpip.config.systems import temperature_label

Run = dict[str, Any]


def classical_runs(project: Project, systems: list[str]) -> list[tuple[str, str]]:
    """System and temperature label of every classical run of these systems."""
    return [(name, temperature_label(t)) for name in systems for t in project.systems[name].temperatures_kelvin]


def pretraining_runs(project: Project) -> list[Run]:
    """Set, backbone and recipe of every pre-training that an experiment starts from."""
    runs = {
        (experiment.pretraining_set, backbone, arm.recipe)
        for experiment in project.experiments.values()
        for backbone in experiment.backbones
        for arm in experiment.arms.values()
        if arm.recipe
    }
    return [dict(zip(("set", "backbone", "recipe"), run, strict=True)) for run in sorted(runs)]


def fine_tuning_runs(project: Project) -> list[Run]:
    """Every fine-tuning of every experiment."""
    return [
        {"experiment": name, "backbone": backbone, "arm": arm, "n_train": n_train, "seed": seed}
        for name, experiment in project.experiments.items()
        for backbone in experiment.backbones
        for arm in experiment.arms
        for n_train in experiment.n_train
        for seed in experiment.seeds
    ]


def ml_md_runs(project: Project) -> list[Run]:
    """The fine-tunings whose networks drive dynamics: the largest training set, the first seeds."""
    return [
        run
        for run in fine_tuning_runs(project)
        if (experiment := project.experiments[run["experiment"]]).ml_md
        and run["n_train"] == max(experiment.n_train)
        and run["seed"] in experiment.seeds[: experiment.ml_md.n_seeds]
    ]


def used_labels(project: Project) -> list[str]:
    """Labels that an experiment uses."""
    return sorted({experiment.labels for experiment in project.experiments.values()})


def used_classical_runs(project: Project) -> list[tuple[str, str]]:
    """Classical runs that something is made from: pre-training sets, labels, references of metrics."""
    sets = {run["set"] for run in pretraining_runs(project)}
    runs = {run for name in sets for run in classical_runs(project, project.pretraining.sets[name])}
    for experiment in project.experiments.values():
        labels, reference = project.labels[experiment.labels], experiment.metrics.reference
        drawn_from = [labels] if labels.source == "tblite" else []
        if experiment.ml_md and reference != "labels":
            drawn_from.append(reference)
        runs |= {(one.system, temperature_label(one.temperature_kelvin)) for one in drawn_from}
    return sorted(runs, key=lambda run: (run[0], float(run[1])))
