rule pretrain:
    input:
        dataset=rules.make_dataset.output.dataset,
    output:
        checkpoint=f"results/pretraining/{PRETRAINING_RUN}/model.ckpt",
        losses=f"results/pretraining/{PRETRAINING_RUN}/losses.csv",
        cost=f"results/pretraining/{PRETRAINING_RUN}/cost.json",
    log:
        f"results/logs/pretrain/{PRETRAINING_RUN}.log",
    benchmark:
        f"results/benchmarks/pretrain/{PRETRAINING_RUN}.tsv"
    conda:
        "../../envs/gpip.yaml"
    threads: 1
    resources:
        gpu=0,
    params:
        backbone=lambda w: dump(project.backbones[w.backbone]),
        recipe=lambda w: dump(project.pretraining.recipes[w.recipe].of_backbone(w.backbone)),
        seed=seed_of("pretraining"),
        version=STAGE_VERSIONS["pretraining"],
    script:
        "../scripts/pretrain.py"
