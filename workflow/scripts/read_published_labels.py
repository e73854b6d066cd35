from gpip.config.labels import PUBLISHED
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.published import read_published_labels

    settings = snakemake.params.settings
    read_published_labels(
        PUBLISHED[settings["source"]].model_validate(settings),
        snakemake.params.path,
        snakemake.wildcards.labels,
        snakemake.output.labels,
        snakemake.output.rejected,
    )
