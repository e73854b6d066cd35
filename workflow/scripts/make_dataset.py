from pathlib import Path

from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.provenance import provenance
    from gpip.datasets.writer import ClassicalRun, write_dataset_from_runs
    from gpip.simulation.labels import classical_labels

    files = zip(snakemake.params.runs, snakemake.input.trajectories, snakemake.input.systems, strict=True)
    write_dataset_from_runs(
        snakemake.output.dataset,
        [ClassicalRun(trajectory=Path(path), system_xml=Path(system), **run) for run, path, system in files],
        provenance("dataset", {"runs": snakemake.params.runs}, inputs=snakemake.input.trajectories),
        label_function=classical_labels if snakemake.params.with_labels else None,
    )
