rule split_labels:
    input:
        labels=labels_of_experiment,
    output:
        split="results/splits/{experiment}/n{n_train}/seed{seed}.json",
    log:
        "results/logs/split_labels/{experiment}/n{n_train}/seed{seed}.log",
    benchmark:
        "results/benchmarks/split_labels/{experiment}/n{n_train}/seed{seed}.tsv"
    conda:
        "../../envs/gpip.yaml"
    params:
        settings=lambda w: dump(project.experiments[w.experiment].split),
        # Without n_train: a smaller training set is part of a larger one, and the test frames stay the same.
        seed=lambda w: seed_for(project.seed, "splits", w.experiment, w.seed),
        n_train=lambda w: int(w.n_train),
        version=STAGE_VERSIONS["splits"],
    script:
        "../scripts/split_labels.py"


# What a step of pre-training costs beside one of fine-tuning: how much longer an arm of equal compute trains.
rule measure_step_costs:
    input:
        dataset=lambda w: f"results/datasets/{project.experiments[w.experiment].pretraining_set}.h5",
        labels=labels_of_experiment,
        split=lambda w: f"results/splits/{w.experiment}/n{w.n_train}/seed{project.experiments[w.experiment].seeds[0]}.json",
    output:
        costs=f"results/step_costs/{STEP_COSTS}.json",
    log:
        f"results/logs/measure_step_costs/{STEP_COSTS}.log",
    benchmark:
        f"results/benchmarks/measure_step_costs/{STEP_COSTS}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        backbone=lambda w: dump(project.backbones[w.backbone]),
        recipe=lambda w: dump(project.pretraining.recipes[w.recipe].of_backbone(w.backbone)),
        settings=lambda w: dump(project.experiments[w.experiment].fine_tuning.of_backbone(w.backbone)),
        seed=seed_of("step_costs"),
        version=STAGE_VERSIONS["step_costs"],
    script:
        "../scripts/measure_step_costs.py"


rule fine_tune:
    input:
        labels=labels_of_experiment,
        split=rules.split_labels.output.split,
        pretrained=pretrained_of,
        step_costs=step_costs_of,
        isolated_atoms=isolated_atoms_of_experiment,
    output:
        checkpoint=f"results/finetuning/{RUN}/model.ckpt",
        history=f"results/finetuning/{RUN}/history.csv",
        errors=f"results/finetuning/{RUN}/errors.json",
        predictions=f"results/finetuning/{RUN}/predictions.h5",
        cost=f"results/finetuning/{RUN}/cost.json",
    log:
        f"results/logs/fine_tune/{RUN}.log",
    benchmark:
        f"results/benchmarks/fine_tune/{RUN}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        backbone=lambda w: dump(project.backbones[w.backbone]),
        initialisation=lambda w: dump(arm_of(w)),
        settings=lambda w: dump(project.experiments[w.experiment].fine_tuning.of_backbone(w.backbone)),
        # The same for every arm: the same batches, and the same weights where they are fresh.
        seed=lambda w: seed_for(project.seed, "finetuning", w.experiment, w.backbone, w.seed),
        version=STAGE_VERSIONS["finetuning"],
    script:
        "../scripts/fine_tune.py"
