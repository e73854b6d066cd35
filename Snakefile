# From classical MD to a report on pre-trained potentials: see README.md and docs/architecture.md.
from snakemake.utils import min_version, validate

min_version("9.1")


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
