from gpip.config.experiments import MLMD
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.datasets.reader import Dataset
    from gpip.datasets.splits import read_split
    from gpip.ml_md.driver import run_ml_md
    from gpip.ml_md.start import possible_starts, start_frames
    from gpip.models.checkpoint import load_potential

    files, settings = snakemake.input, MLMD.model_validate(snakemake.params.settings)
    labels = Dataset(files.labels)
    candidates = possible_starts(labels, read_split(files.split).test, settings.system, settings.n_replicas)
    starts = start_frames(candidates, settings.n_replicas, snakemake.params.seed)
    run_ml_md(
        load_potential(files.checkpoint),
        labels.frames(starts),
        starts,
        settings,
        snakemake.params.seed,
        snakemake.output.trajectory,
        n_threads=snakemake.threads,
        device="cuda" if snakemake.resources.gpu else "cpu",
        inputs=[files.checkpoint, files.labels, files.split],
    )
