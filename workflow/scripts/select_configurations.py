from pathlib import Path

from gpip.config.labels import Selection
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.datasets.writer import ClassicalRun
    from gpip.labelling.selection import select_configurations

    params, files = snakemake.params, snakemake.input
    runs = [
        ClassicalRun(trajectory=Path(path), **run) for run, path in zip(params.runs, files.trajectories, strict=True)
    ]
    select_configurations(
        runs,
        Selection.model_validate(params.settings),
        params.seed,
        snakemake.output.configurations,
        snakemake.output.indices,
        Path(files.checkpoint) if files.checkpoint else None,
    )
