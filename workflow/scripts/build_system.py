from gpip.config.systems import Box
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.systems.build import build_system

    build_system(
        snakemake.wildcards.system,
        Box.model_validate(snakemake.params.settings),
        snakemake.params.seed,
        snakemake.output.topology,
        snakemake.output.system,
        snakemake.output.manifest,
    )
