"""Which runs a project asks for, stage by stage: plain lists that the workflow turns into files."""

from typing import Any

from gpip.config.labels import ComputedLabels
from gpip.config.project import Project
from gpip.config.readers import NPZLabels
from gpip.config.systems import temperature_label

Run = dict[str, Any]


def classical_runs(project: Project, systems: list[str]) -> list[tuple[str, str]]:
    """System and temperature label of every classical run of these systems."""
    return [(name, temperature_label(t)) for name in systems for t in project.systems[name].temperatures_kelvin]


def pretraining_runs(project: Project) -> list[Run]:
    """Set, backbone, recipe and seed of every pre-training that an experiment starts from."""
    runs = {
        (experiment.pretraining_set, backbone, arm.recipe, experiment.pretraining_seed(seed))
        for experiment in project.experiments.values()
        for backbone in experiment.backbones
        for arm in experiment.arms.values()
        if arm.recipe
        for seed in experiment.seeds
    }
    return [dict(zip(("set", "backbone", "recipe", "seed"), run, strict=True)) for run in sorted(runs)]


def pretraining_of(project: Project, run: Run) -> Run | None:
    """The pre-training that a fine-tuning run starts from; None for an arm from scratch."""
    experiment = project.experiments[run["experiment"]]
    recipe = experiment.arms[run["arm"]].recipe
    if recipe is None:
        return None
    seed = experiment.pretraining_seed(int(run["seed"]))
    return {"set": experiment.pretraining_set, "backbone": run["backbone"], "recipe": recipe, "seed": seed}


def step_cost_runs(project: Project) -> list[Run]:
    """Every comparison of the cost of steps that an arm of equal compute needs."""
    return [
        {"experiment": name, "backbone": backbone, "recipe": recipe, "n_train": n_train}
        for name, experiment in project.experiments.items()
        for recipe in sorted({arm.equal_compute_to for arm in experiment.arms.values() if arm.equal_compute_to})
        for backbone in experiment.backbones
        for n_train in experiment.n_train
    ]


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


def baseline_runs(project: Project) -> list[Run]:
    """Every training of another package's network in every experiment."""
    return [
        {"experiment": name, "baseline": baseline, "n_train": n_train, "seed": seed}
        for name, experiment in project.experiments.items()
        for baseline in experiment.baselines
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


def all_classical_runs(project: Project) -> list[tuple[str, str]]:
    """Every classical run: each system at each of its temperatures."""
    return classical_runs(project, list(project.systems))


def thermostat_warnings(project: Project) -> list[str]:
    """One for each experiment whose thermostat does not suit a molecule without a box; printed by `gpip check`."""
    found = []
    for name, experiment in project.experiments.items():
        labels, ml_md = project.labels[experiment.labels], experiment.ml_md
        if not ml_md:
            continue
        if isinstance(labels, ComputedLabels):
            periodic = all(
                project.systems[one].periodic for one in ([ml_md.system] if ml_md.system else labels.systems)
            )
        else:
            # Of other files only the frames themselves say whether there is a box; the run then warns in its log.
            periodic = not isinstance(labels, NPZLabels)
        if warning := ml_md.thermostat_warning(periodic):
            found.append(f"experiments.{name}.ml_md: {warning}")
    return found
