from pathlib import Path

from gpip.config.backbones import MODELS
from gpip.config.experiments import FineTuning
from gpip.config.pretraining import Recipe
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.finetuning.equal_compute import measure_step_costs

    files, params = snakemake.input, snakemake.params
    measure_step_costs(
        Path(files.dataset),
        Path(files.labels),
        Path(files.split),
        MODELS[params.backbone["model"]].model_validate(params.backbone),
        Recipe.model_validate(params.recipe),
        FineTuning.model_validate(params.settings),
        seed=params.seed,
        n_threads=snakemake.threads,
        device="cuda" if snakemake.resources.gpu else "cpu",
        output=Path(snakemake.output.costs),
    )
