# From classical MD to a report on pre-trained potentials: see README.md and docs/architecture.md.
from pathlib import Path

from gpip.config.files import read_config
from gpip.core.errors import InputError
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

min_version("9.1")

# Snakemake's own reader keeps the last of two equal keys and names neither file nor line of an error.
if workflow.is_main_process:
    try:
        for file in [*workflow.configfiles, *filter(Path.exists, [Path("config.yaml")])]:
            read_config(file)
    except InputError as error:
        raise WorkflowError(str(error)) from None


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/systems.smk"
include: "workflow/rules/openff.smk"
include: "workflow/rules/minimisation.smk"
include: "workflow/rules/density.smk"
include: "workflow/rules/annealing.smk"
include: "workflow/rules/classical_md.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/pretraining.smk"
include: "workflow/rules/finetuning.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/ml_md.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/report.smk"


validate(config, "workflow/schemas/config.schema.json", set_default=False)


rule all:
    default_target: True
    input:
        "results/report/index.html",
