from gpip.config.labels import TBLiteLabels
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.run import merge_chunks

    merge_chunks(
        snakemake.input.chunks,
        snakemake.input.rejected,
        TBLiteLabels.model_validate(snakemake.params.settings),
        snakemake.output.labels,
        snakemake.output.rejected,
    )
