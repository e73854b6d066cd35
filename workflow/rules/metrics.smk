def reference_of(wildcards):
    """The classical trajectory or the labelled frames that the metrics compare with."""
    reference = project.experiments[wildcards.experiment].metrics.reference
    if reference == "labels":
        return labels_of_experiment(wildcards)
    temperature = temperature_label(reference.temperature_kelvin)
    return f"results/classical_md/{reference.system}/{temperature}K/trajectory.h5"


def reference_step_fs(wildcards):
    """Time between the frames of the reference; nothing where they are no trajectory."""
    experiment = project.experiments[wildcards.experiment]
    if experiment.metrics.reference == "labels":
        return getattr(project.labels[experiment.labels], "time_step_fs", None)
    return project.systems[experiment.metrics.reference.system].sampling.sample_every_ps * 1000


rule measure_ml_md:
    input:
        trajectory=rules.run_ml_md.output.trajectory,
        reference=reference_of,
    output:
        metrics=f"results/metrics/{RUN}/metrics.json",
        rdf=f"results/metrics/{RUN}/rdf.csv",
        msd=f"results/metrics/{RUN}/msd.csv",
        traces=f"results/metrics/{RUN}/traces.csv",
    log:
        f"results/logs/measure_ml_md/{RUN}.log",
    benchmark:
        f"results/benchmarks/measure_ml_md/{RUN}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.experiments[w.experiment].metrics),
        labels=lambda w: project.experiments[w.experiment].labels,
        reference_step_fs=reference_step_fs,
        version=STAGE_VERSIONS["metrics"],
    script:
        "../scripts/measure_ml_md.py"
