from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.simulation.minimisation import minimise_system

    minimise_system(
        snakemake.wildcards.system,
        snakemake.input.topology,
        snakemake.input.system,
        snakemake.output.topology,
        snakemake.output.summary,
        n_threads=snakemake.threads,
        platform="gpu" if snakemake.resources.gpu else "cpu",
    )
