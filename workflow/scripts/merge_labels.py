from gpip.config.label_sources import label_settings
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.run import merge_chunks

    merge_chunks(
        snakemake.input.chunks,
        snakemake.input.rejected,
        label_settings(snakemake.params.settings),
        snakemake.output.labels,
        snakemake.output.rejected,
    )
