from gpip.config.systems import Sampling
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.files import read_json
    from gpip.simulation.classical import run_classical_md

    run_classical_md(
        snakemake.wildcards.system,
        Sampling.model_validate(snakemake.params.settings),
        snakemake.params.temperature_kelvin,
        snakemake.params.seed,
        snakemake.input.topology,
        snakemake.input.system,
        snakemake.output.trajectory,
        snakemake.output.log_table,
        n_threads=snakemake.threads,
        platform="gpu" if snakemake.resources.gpu else "cpu",
        masses_amu=read_json(snakemake.input.manifest).get("masses_amu"),
    )
