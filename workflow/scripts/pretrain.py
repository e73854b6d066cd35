from pathlib import Path

from gpip.config.backbones import MODELS
from gpip.config.pretraining import Recipe
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.pretraining.run import pretrain

    backbone = snakemake.params.backbone
    pretrain(
        Path(snakemake.input.dataset),
        MODELS[backbone["model"]].model_validate(backbone),
        Recipe.model_validate(snakemake.params.recipe),
        seed=snakemake.params.seed,
        n_threads=snakemake.threads,
        device="cuda" if snakemake.resources.gpu else "cpu",
        checkpoint=Path(snakemake.output.checkpoint),
        losses=Path(snakemake.output.losses),
        cost=Path(snakemake.output.cost),
    )
