def reference_of(wildcards):
    """The classical trajectory or the labelled frames that the metrics compare with."""
    reference = project.experiments[wildcards.experiment].metrics.reference
    if reference == "labels":
        return labels_of_experiment(wildcards)
    temperature = temperature_label(reference.temperature_kelvin)
    return f"results/classical_md/{reference.system}/{temperature}K/trajectory.h5"


rule measure_ml_md:
    input:
        trajectory=rules.run_ml_md.output.trajectory,
        reference=reference_of,
        labels=labels_of_experiment,
    output:
        metrics=f"results/metrics/{RUN}/metrics.json",
        rdf=f"results/metrics/{RUN}/rdf.csv",
        msd=f"results/metrics/{RUN}/msd.csv",
        traces=f"results/metrics/{RUN}/traces.csv",
    log:
        f"results/logs/measure_ml_md/{RUN}.log",
    benchmark:
        f"results/benchmarks/measure_ml_md/{RUN}.tsv"
    params:
        settings=lambda w: dump(project.experiments[w.experiment].metrics),
        version=STAGE_VERSIONS["metrics"],
    script:
        "../scripts/measure_ml_md.py"
