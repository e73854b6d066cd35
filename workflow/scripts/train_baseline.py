from pathlib import Path

from gpip.config.baselines import PACKAGES
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.baselines.run import Outputs, train_baseline

    settings = snakemake.params.settings
    train_baseline(
        name=snakemake.wildcards.baseline,
        labels=Path(snakemake.input.labels),
        split=Path(snakemake.input.split),
        settings=PACKAGES[settings["package"]].model_validate(settings),
        **snakemake.params.training,
        seed=snakemake.params.seed,
        n_threads=snakemake.threads,
        device="cuda" if snakemake.resources.gpu else "cpu",
        log=Path(snakemake.log[0]),
        isolated_atoms=Path(snakemake.input.isolated_atoms),
        outputs=Outputs(**{name: Path(path) for name, path in snakemake.output.items()}),
    )
