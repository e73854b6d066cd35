from pathlib import Path

from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.provenance import provenance
    from gpip.datasets.writer import ClassicalRun, write_dataset_from_runs

    path = Path(snakemake.input.trajectory)
    write_dataset_from_runs(
        snakemake.output.configurations,
        [ClassicalRun(trajectory=path, **run) for run in snakemake.params.runs],
        provenance("dataset", {"runs": snakemake.params.runs}, inputs=[path]),
    )
