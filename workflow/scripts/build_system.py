from gpip.config.systems import Box
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.systems.build import build_system

    build_system(
        Box.model_validate(snakemake.params.settings),
        snakemake.params.seed,
        topology=snakemake.output.topology,
        system_xml=snakemake.output.system,
        manifest=snakemake.output.manifest,
    )
