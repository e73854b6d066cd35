# The checked configuration, what each name may be, and the files that follow from it.
import re
from pathlib import Path

from gpip.config import plan, project_from
from gpip.config.labels import BackboneDescriptor, ComputedLabels
from gpip.core.errors import InputError
from gpip.core.seeds import seed_for
from gpip.core.versions import STAGE_VERSIONS
from gpip.config.systems import temperature_label
from gpip.labelling.available import check_engines, check_labels
from gpip.labelling.registry import make_reader
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

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
    if workflow.is_main_process:  # the jobs it starts read this file, too
        from gpip.systems.check import check_systems

        by_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
        for warning in check_systems(project, openff_by_conda=by_conda):
            logger.warning(f"warning: {warning}")
        check_engines(project)
except InputError as error:
    raise WorkflowError(str(error)) from None


def names(known):
    """Pattern that matches just these names."""
    return "|".join(re.escape(name) for name in sorted(known)) or "(?!)"


wildcard_constraints:
    system=names(project.systems),
    set=names(project.sets),
    recipe=names(project.pretraining.recipes),
    backbone=names(project.backbones),
    baseline=names(project.baselines),
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


def force_field_of(system):
    """The OpenMM system of the annealing, the sampling and the classical labels: in the mean box where there is one."""
    return f"results/systems/{system}/{'npt/' if project.systems[system].npt else ''}system.xml"


def start_of_annealing(system):
    """The topology whose positions the first dynamics at constant volume starts from."""
    return f"results/systems/{system}/{'npt' if project.systems[system].npt else 'minimised'}/topology.pdb"


def start_of_sampling(system):
    """The topology whose positions the sampling at each temperature starts from."""
    if project.systems[system].annealing:
        return f"results/systems/{system}/annealed/topology.pdb"
    return start_of_annealing(system)


RUN = "{experiment}/{backbone}/{arm}/n{n_train}/seed{seed}"
PRETRAINING_RUN = "{set}/{backbone}/{recipe}/seed{seed}"
STEP_COSTS = "{experiment}/{backbone}/{recipe}/n{n_train}"
BASELINE_RUN = "{experiment}/{baseline}/n{n_train}/seed{seed}"


def runs_of_set(wildcards):
    """System and temperature label of the classical runs in a pre-training set."""
    return plan.classical_runs(project, project.sets[wildcards.set])


COMPUTED_LABELS = {name for name, labels in project.labels.items() if isinstance(labels, ComputedLabels)}


def selected_runs(wildcards):
    """System and temperature label of each classical run that labels are selected from."""
    runs = project.selected_runs(project.labels[wildcards.labels])
    return [(system, temperature_label(temperature_kelvin)) for system, temperature_kelvin in runs]


def checkpoint_of_descriptor(wildcards):
    """The pre-trained network whose features configurations are selected by; nothing for other methods."""
    descriptor = project.labels[wildcards.labels].selected.descriptor
    if not isinstance(descriptor, BackboneDescriptor):
        return []
    run = descriptor.model_dump() | {"set": descriptor.pretraining_set}
    return f"results/pretraining/{PRETRAINING_RUN}/model.ckpt".format(**run)


def labelled_path(wildcards):
    """The file or folder of labels that are read, not computed."""
    return project.data_path(project.labels[wildcards.labels].path)


def labels_of_experiment(wildcards):
    return f"results/labels/{project.experiments[wildcards.experiment].labels}/labels.h5"


def isolated_atoms_of_experiment(wildcards):
    """Energies of isolated atoms at the level of theory of the labels."""
    return f"results/labels/{project.experiments[wildcards.experiment].labels}/isolated_atoms.json"


def arm_of(wildcards):
    return project.experiments[wildcards.experiment].arms[wildcards.arm]


def pretrained_of(wildcards):
    """The checkpoint an arm starts from; nothing for an arm from scratch."""
    folder = pretraining_folder(dict(wildcards.items()))
    return f"{folder}/model.ckpt" if folder else []


def pretraining_folder(run):
    """Of the pre-training that a fine-tuning run starts from; None from scratch."""
    pretraining = plan.pretraining_of(project, run)
    return f"results/pretraining/{PRETRAINING_RUN}".format(**pretraining) if pretraining else None


def step_costs_of(wildcards):
    """What an arm of equal compute adds to its steps; nothing for the others."""
    recipe = arm_of(wildcards).equal_compute_to
    folder = f"results/step_costs/{wildcards.experiment}/{wildcards.backbone}/{recipe}"
    return f"{folder}/n{wildcards.n_train}.json" if recipe else []


def reference_of(wildcards):
    """The classical trajectory or the labelled frames that the metrics compare with."""
    reference = project.experiments[wildcards.experiment].metrics.reference
    if reference == "labels":
        return labels_of_experiment(wildcards)
    temperature = temperature_label(reference.temperature_kelvin)
    return f"results/classical_md/{reference.system}/{temperature}K/trajectory.h5"


def reference_step_fs(wildcards):
    """Time between the frames of the reference; nothing where they are no trajectory."""
    experiment = project.experiments[wildcards.experiment]
    if experiment.metrics.reference == "labels":
        return getattr(project.labels[experiment.labels], "time_step_fs", None)
    return project.systems[experiment.metrics.reference.system].sampling.sample_every_ps * 1000


FINE_TUNING_FILES = ("model.ckpt", "history.csv", "errors.json", "predictions.h5", "cost.json")
PRETRAINING_FILES = ("model.ckpt", "losses.csv", "cost.json")
# The file in which each package keeps its weights, loaded by its own programs.
BASELINE_MODELS = {"mace": "mace.model", "nequip": "nequip.ckpt"}
BASELINE_FILES = ("history.csv", "errors.json", "predictions.h5")
METRICS_FILES = ("metrics.json", "rdf.csv", "msd.csv", "traces.csv")


def system_files(system):
    """Paths of what is known of one system; None for a step that was not done."""
    settings, folder = project.systems[system], f"results/systems/{system}"
    return {
        "manifest": f"{folder}/manifest.json",
        "minimisation": f"{folder}/minimised/minimisation.json",
        "density": f"{folder}/npt/density.json" if settings.npt else None,
        "density_table": f"{folder}/npt/density.csv" if settings.npt else None,
        "annealing_table": f"{folder}/annealed/annealing.csv" if settings.annealing else None,
        "summary": f"{folder}/measured/summary.json",
        "rdf": f"{folder}/measured/rdf.csv",
        "coordination": f"{folder}/measured/coordination.csv",
        "gyration": f"{folder}/measured/gyration.csv",
        "runs": [
            {
                "temperature_kelvin": float(temperature),
                "trajectory": f"results/classical_md/{system}/{temperature}K/trajectory.h5",
                "log": f"results/classical_md/{system}/{temperature}K/log.csv",
            }
            for _, temperature in plan.classical_runs(project, [system])
        ],
    }


def system_page_inputs(wildcards):
    """Every file that the page of a system is made from."""
    files = system_files(wildcards.system)
    runs = files.pop("runs")
    return [*filter(None, files.values()), *(run[name] for run in runs for name in ("trajectory", "log"))]


def report_files():
    """The runs that the report shows, stage by stage, with the paths of their files."""
    return {
        "fine_tuning": [
            run | {"folder": f"results/finetuning/{RUN}".format(**run)} | {"pretraining": pretraining_folder(run)}
            for run in plan.fine_tuning_runs(project)
        ],
        "baselines": [
            run
            | {"backbone": run["baseline"], "arm": "scratch"}
            | {"folder": f"results/baselines/{BASELINE_RUN}".format(**run)}
            for run in plan.baseline_runs(project)
        ],
        "ml_md": [
            run
            | {"trajectory": f"results/ml_md/{RUN}/trajectory.h5".format(**run)}
            | {"metrics": f"results/metrics/{RUN}".format(**run)}
            for run in plan.ml_md_runs(project)
        ],
        "pretraining": [
            run | {"folder": f"results/pretraining/{PRETRAINING_RUN}".format(**run)}
            for run in plan.pretraining_runs(project)
        ],
        "classical": [
            {
                "system": system,
                "temperature_kelvin": float(temperature),
                "log": f"results/classical_md/{system}/{temperature}K/log.csv",
            }
            for system, temperature in plan.all_classical_runs(project)
        ],
        "labels": [
            {
                "name": name,
                "file": f"results/labels/{name}/labels.h5",
                "rejected": f"results/labels/{name}/rejected.csv",
            }
            for name in plan.used_labels(project)
        ],
        "systems": [
            {"name": system} | {key: system_files(system)[key] for key in ("manifest", "summary")}
            for system in project.systems
        ],
        "datasets": [{"name": name, "file": f"results/datasets/{name}.h5"} for name in project.sets],
        "benchmarks": benchmark_files(),
    }


def benchmark_files():
    """What Snakemake measured of each job that the report depends on."""
    runs = plan.all_classical_runs(project)
    systems = sorted({system for system, _ in runs})
    files = [f"build_system/{system}" for system in systems]
    files += [f"minimise_system/{system}" for system in systems]
    files += [f"equilibrate_density/{system}" for system in systems if project.systems[system].npt]
    files += [f"anneal_system/{system}" for system in systems if project.systems[system].annealing]
    files += [f"run_classical_md/{system}/{temperature}K" for system, temperature in runs]
    files += [f"measure_system/{system}" for system in systems]
    files += [f"make_dataset/{name}" for name in project.sets]
    for name in plan.used_labels(project):
        if name in COMPUTED_LABELS:
            files += [f"select_configurations/{name}", f"merge_labels/{name}"]
            files += [f"label_chunk/{name}/{chunk}" for chunk in range(project.labels[name].n_jobs)]
        else:
            files += [f"read_labels/{name}"]
        files += [f"label_isolated_atoms/{name}"]
    files += [f"pretrain/{PRETRAINING_RUN}".format(**run) for run in plan.pretraining_runs(project)]
    files += [f"measure_step_costs/{STEP_COSTS}".format(**run) for run in plan.step_cost_runs(project)]
    files += [f"fine_tune/{RUN}".format(**run) for run in plan.fine_tuning_runs(project)]
    files += [
        "train_{package}/".format(package=project.baselines[run["baseline"]].package) + BASELINE_RUN.format(**run)
        for run in plan.baseline_runs(project)
    ]
    rules_of_ml_md = ("run_ml_md", "measure_ml_md")
    files += [f"{rule}/{RUN}".format(**run) for run in plan.ml_md_runs(project) for rule in rules_of_ml_md]
    return [f"results/benchmarks/{file}.tsv" for file in files]


def report_inputs(_):
    """Every file that the report is made from."""
    files = report_files()
    return [
        *(f"{run['folder']}/{name}" for run in files["fine_tuning"] for name in FINE_TUNING_FILES),
        *(f"{run['folder']}/{name}" for run in files["baselines"] for name in BASELINE_FILES),
        *(run["trajectory"] for run in files["ml_md"]),
        *(f"{run['metrics']}/{name}" for run in files["ml_md"] for name in METRICS_FILES),
        *(f"{run['folder']}/{name}" for run in files["pretraining"] for name in PRETRAINING_FILES),
        *(run["log"] for run in files["classical"]),
        *(run[name] for run in files["labels"] for name in ("file", "rejected")),
        *(run[name] for run in files["systems"] for name in ("manifest", "summary")),
        *(f"results/report/systems/{run['name']}.html" for run in files["systems"]),
        *(run["file"] for run in files["datasets"]),
        *files["benchmarks"],
    ]
