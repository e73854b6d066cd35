# A rule for each package, train_mace and train_nequip: each has its environment, and its line in the table of costs.
for package, model_file in BASELINE_MODELS.items():

    rule:
        name:
            f"train_{package}"
        input:
            labels=labels_of_experiment,
            split=rules.split_labels.output.split,
            isolated_atoms=isolated_atoms_of_experiment,
        output:
            model=f"results/baselines/{BASELINE_RUN}/{model_file}",
            history=f"results/baselines/{BASELINE_RUN}/history.csv",
            errors=f"results/baselines/{BASELINE_RUN}/errors.json",
            predictions=f"results/baselines/{BASELINE_RUN}/predictions.h5",
        log:
            f"results/logs/train_{package}/{BASELINE_RUN}.log",
        benchmark:
            f"results/benchmarks/train_{package}/{BASELINE_RUN}.tsv"
        wildcard_constraints:
            baseline=names(name for name, one in project.baselines.items() if one.package == package),
        conda:
            f"../../envs/{package}.yaml"
        threads: 1
        resources:
            gpu=0,
        params:
            settings=lambda w: dump(project.baselines[w.baseline], exclude={"n_epochs", "batch_size"}),
            training=lambda w: project.baseline_training(project.experiments[w.experiment], w.baseline, int(w.n_train)),
            seed=lambda w: seed_for(project.seed, "baselines", w.experiment, w.baseline, w.seed),
            version=STAGE_VERSIONS["baselines"],
        script:
            "../scripts/train_baseline.py"
