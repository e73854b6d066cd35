from gpip.config.systems import Annealing
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.simulation.annealing import anneal_system

    anneal_system(
        snakemake.wildcards.system,
        Annealing.model_validate(snakemake.params.settings),
        snakemake.params.seed,
        snakemake.input.topology,
        snakemake.input.system,
        snakemake.output.topology,
        snakemake.output.temperature_table,
        snakemake.output.summary,
        n_threads=snakemake.threads,
        platform="gpu" if snakemake.resources.gpu else "cpu",
    )
