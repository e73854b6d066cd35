from pathlib import Path

from gpip.config.backbones import MODELS
from gpip.config.experiments import FineTuning, Initialisation
from gpip.core.jobs import logged_job

with logged_job(snakemake.log[0]):
    from gpip.core.files import read_json
    from gpip.finetuning.run import Outputs, fine_tune

    backbone = snakemake.params.backbone
    fine_tune(
        labels=Path(snakemake.input.labels),
        split=Path(snakemake.input.split),
        pretrained=Path(snakemake.input.pretrained) if snakemake.input.pretrained else None,
        backbone=MODELS[backbone["model"]].model_validate(backbone),
        initialisation=Initialisation.model_validate(snakemake.params.initialisation),
        settings=FineTuning.model_validate(snakemake.params.settings),
        seed=snakemake.params.seed,
        n_threads=snakemake.threads,
        device="cuda" if snakemake.resources.gpu else "cpu",
        isolated_atoms=Path(snakemake.input.isolated_atoms),
        outputs=Outputs(**{name: Path(path) for name, path in snakemake.output.items()}),
        extra_steps=read_json(step_costs)["extra_steps"] if (step_costs := snakemake.input.step_costs) else 0,
    )
