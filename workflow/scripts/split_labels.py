from gpip.config.experiments import Split
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.provenance import provenance
    from gpip.datasets.reader import Dataset
    from gpip.datasets.splits import split_frames, write_split

    params, labels = snakemake.params, snakemake.input.labels
    settings = Split.model_validate(params.settings)
    lengths = [len(frames) for _, _, frames in Dataset(labels).runs()]
    split = split_frames(lengths, settings, params.n_train, params.seed, f"split of {labels}")
    write_split(snakemake.output.split, split, provenance("splits", settings, params.seed, [labels]))
