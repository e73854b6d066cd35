from gpip.config.systems import NPT
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.simulation.density import equilibrate_density

    equilibrate_density(
        snakemake.wildcards.system,
        NPT.model_validate(snakemake.params.settings),
        snakemake.params.seed,
        snakemake.input.topology,
        snakemake.input.system,
        snakemake.output.topology,
        snakemake.output.system,
        snakemake.output.density_table,
        snakemake.output.summary,
        n_threads=snakemake.threads,
        platform="gpu" if snakemake.resources.gpu else "cpu",
    )
