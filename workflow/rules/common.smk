# The checked configuration, what each name may be, and the files that follow from it.
import re
from pathlib import Path

from gpip.config import project_from
from gpip.core.errors import InputError
from gpip.core.seeds import seed_for
from gpip.core.versions import STAGE_VERSIONS
from gpip.config.systems import temperature_label
from gpip.labelling.available import check_labels
from snakemake.exceptions import WorkflowError

SOURCE = Path(workflow.basedir) / "src"
# glibc gives memory back after each training step and faults it in again: keeping it halves the time of a step.
# PYTHONPATH is for environments that Snakemake makes by conda, into which gpip itself is not installed.
shell.prefix(
    f"export PYTHONPATH='{SOURCE}':$PYTHONPATH; "
    "export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456; "
)

try:
    project = project_from(config)
    check_labels(project)
except InputError as error:
    raise WorkflowError(str(error)) from None


def names(known):
    """Pattern that matches just these names."""
    return "|".join(re.escape(name) for name in sorted(known)) or "(?!)"


wildcard_constraints:
    system=names(project.systems),
    set=names(project.pretraining.sets),
    recipe=names(project.pretraining.recipes),
    backbone=names(project.backbones),
    labels=names(project.labels),
    experiment=names(project.experiments),
    arm=names(arm for experiment in project.experiments.values() for arm in experiment.arms),
    temperature=r"[0-9.e+]+",
    chunk=r"\d+",
    n_train=r"\d+",
    seed=r"-?\d+",


def dump(settings, **options):
    """Settings as plain values: what a rule's params hold and Snakemake compares."""
    return settings.model_dump(mode="json", **options)


def seed_of(stage):
    """Params function: the seed of one job of a stage, from the root seed and the job's wildcards."""
    return lambda wildcards: seed_for(project.seed, stage, *wildcards)


RUN = "{experiment}/{backbone}/{arm}/n{n_train}/seed{seed}"


def classical_runs(systems):
    """Every classical run of these systems: [(system, temperature label)]."""
    return [(name, temperature_label(t)) for name in systems for t in project.systems[name].temperatures_kelvin]


def fine_tuning_runs():
    """Wildcards of every fine-tuning run of every experiment."""
    return [
        {"experiment": name, "backbone": backbone, "arm": arm, "n_train": n_train, "seed": seed}
        for name, experiment in project.experiments.items()
        for backbone in experiment.backbones
        for arm in experiment.arms
        for n_train in experiment.n_train
        for seed in experiment.seeds
    ]


def ml_md_runs():
    """The fine-tuning runs whose networks drive dynamics: the largest training set, the first seeds."""
    return [
        run
        for run in fine_tuning_runs()
        if (experiment := project.experiments[run["experiment"]]).ml_md
        and run["n_train"] == max(experiment.n_train)
        and run["seed"] in experiment.seeds[: experiment.ml_md.n_seeds]
    ]


def pretraining_runs():
    """Set, backbone and recipe of every pre-training that an experiment starts from."""
    runs = {
        (experiment.pretraining_set, backbone, arm.recipe)
        for experiment in project.experiments.values()
        for backbone in experiment.backbones
        for arm in experiment.arms.values()
        if arm.recipe
    }
    return [dict(zip(("set", "backbone", "recipe"), run)) for run in sorted(runs)]
