from gpip.config.labels import DeePMDLabels
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.deepmd import read_labels

    read_labels(
        DeePMDLabels.model_validate(snakemake.params.settings),
        snakemake.params.folder,
        snakemake.wildcards.labels,
        snakemake.output.labels,
        snakemake.output.rejected,
    )
