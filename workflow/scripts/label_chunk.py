from gpip.config.label_sources import label_settings
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.run import label_chunk

    label_chunk(
        snakemake.input.configurations,
        label_settings(snakemake.params.settings),
        int(snakemake.wildcards.chunk),
        snakemake.output.chunk,
        snakemake.output.rejected,
        snakemake.params.charges,
    )
