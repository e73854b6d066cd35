rule run_ml_md:
    input:
        checkpoint=rules.fine_tune.output.checkpoint,
        labels=labels_of_experiment,
        split=rules.split_labels.output.split,
    output:
        trajectory=f"results/ml_md/{RUN}/trajectory.h5",
    log:
        f"results/logs/run_ml_md/{RUN}.log",
    benchmark:
        f"results/benchmarks/run_ml_md/{RUN}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        settings=lambda w: dump(project.experiments[w.experiment].ml_md, exclude={"n_seeds"}),
        # The same for every arm and backbone: the same starts and the same velocities.
        seed=lambda w: seed_for(project.seed, "ml_md", w.experiment, w.seed),
        version=STAGE_VERSIONS["ml_md"],
    script:
        "../scripts/run_ml_md.py"
