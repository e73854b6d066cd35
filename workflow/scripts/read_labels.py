from gpip.config.label_sources import label_settings
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.read import read_labels

    read_labels(
        label_settings(snakemake.params.settings),
        snakemake.params.path,
        snakemake.wildcards.labels,
        snakemake.output.labels,
        snakemake.output.rejected,
    )
