rule pretrain:
    input:
        dataset=rules.make_dataset.output.dataset,
    output:
        checkpoint="results/pretraining/{set}/{backbone}/{recipe}/model.ckpt",
        losses="results/pretraining/{set}/{backbone}/{recipe}/losses.csv",
    log:
        "results/logs/pretrain/{set}/{backbone}/{recipe}.log",
    benchmark:
        "results/benchmarks/pretrain/{set}/{backbone}/{recipe}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        backbone=lambda w: dump(project.backbones[w.backbone]),
        recipe=lambda w: dump(project.pretraining.recipes[w.recipe], exclude={"optimization": {"learning_rate"}}),
        learning_rate=lambda w: project.pretraining.recipes[w.recipe].optimization.learning_rate_of(w.backbone),
        seed=seed_of("pretraining"),
        version=STAGE_VERSIONS["pretraining"],
    script:
        "../scripts/pretrain.py"
