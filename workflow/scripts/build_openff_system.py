from gpip.config.systems import Box
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.systems.openff import build_openff_system

    build_openff_system(
        snakemake.wildcards.system,
        Box.model_validate(snakemake.params.settings),
        snakemake.params.seed,
        snakemake.output.topology,
        snakemake.output.system,
        snakemake.output.manifest,
    )
