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
