from gpip.config.label_sources import label_settings
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.labelling.isolated import write_isolated_atoms

    write_isolated_atoms(
        label_settings(snakemake.params.settings), snakemake.input.labels, snakemake.output.isolated_atoms
    )
