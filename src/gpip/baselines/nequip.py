"""NequIP, by the command nequip-train."""

from pathlib import Path

import pandas as pd
import yaml

from gpip.baselines.commands import Commands
from gpip.baselines.exchange import ENERGY, FORCES
from gpip.baselines.training import (
    ENERGY_MAE,
    ENERGY_RMSE,
    EVALUATION_BATCH,
    FORCE_MAE,
    FORCE_RMSE,
    PREDICTED,
    Check,
    Task,
    Trained,
    best_step,
)
from gpip.config.baselines import NequIPSettings
from gpip.config.layers import merged

DISTRIBUTION = "nequip"
COMMANDS = (TRAIN,) = ("nequip-train",)
SCORE = "val0_epoch/weighted_sum"
COLUMNS = {
    ENERGY_MAE: "val0_epoch/per_atom_energy_mae",
    ENERGY_RMSE: "val0_epoch/per_atom_energy_rmse",
    FORCE_MAE: "val0_epoch/forces_mae",
    FORCE_RMSE: "val0_epoch/forces_rmse",
}
"""Ours, and NequIP's in eV/atom and eV/Å."""
FACTS = """
import json, sys
from importlib.metadata import version
from nequip.model import ModelFromCheckpoint
from nequip.utils.global_state import set_global_state
set_global_state()
model = ModelFromCheckpoint(sys.argv[1], compile_mode="eager")
packages = {name: version(name) for name in ("nequip", "e3nn", "torch")}
print(json.dumps({"packages": packages, "n_parameters": sum(p.numel() for p in model.parameters())}))
"""


def train_nequip(settings: NequIPSettings, task: Task, commands: Commands) -> Trained:
    """Train on train.xyz, keep the weights that are best on validation.xyz, predict both other files with them."""
    given = nequip_input(settings, task)
    (task.folder / "nequip.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    commands.run(task.folder, TRAIN, "--config-path", task.folder, "--config-name", "nequip")
    model = task.folder / "best.ckpt"
    checks = read_checks(task.folder / "metrics.csv", task.n_train, task.batch_size)
    return Trained(
        model=model,
        predicted={part: task.folder / f"predicted_dataset{index}.xyz" for index, part in enumerate(PREDICTED)},
        keys=("energy", "forces"),
        checks=checks,
        given=given,
        best_step=best_step(checks),
        facts=commands.ask(TRAIN, FACTS, model),
    )


def nequip_input(settings: NequIPSettings, task: Task) -> dict[str, object]:
    """The file that `nequip-train` reads: the settings of its tutorial but for what is named, `extra` laid over."""
    folder, elements = str(task.folder), task.elements
    training = {
        "_target_": "nequip.train.NequIPLightningModule",
        "loss": {
            "_target_": "nequip.train.EnergyForceLoss",
            "per_atom_energy": True,
            "coeffs": {"total_energy": task.energy_weight, "forces": task.force_weight},
        },
        "val_metrics": {
            "_target_": "nequip.train.EnergyForceMetrics",
            "coeffs": {"per_atom_energy_mae": 1.0, "forces_mae": 1.0},
        },
        "train_metrics": "${training_module.val_metrics}",
        "test_metrics": "${training_module.val_metrics}",
        "optimizer": {"_target_": "torch.optim.Adam", "lr": settings.learning_rate},
        "lr_scheduler": {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau",
                "factor": 0.6,
                "patience": 5,
                "threshold": 0.2,
                "min_lr": 1e-6,
            },
            "monitor": SCORE,
            "interval": "epoch",
            "frequency": 1,
        },
        "model": _model(settings, task),
    }
    if settings.ema_decay is not None:
        training |= {"_target_": "nequip.train.EMALightningModule", "ema_decay": settings.ema_decay}
    ours = {
        # The validation before training measures the start.
        "run": ["val", "train", "test"],
        "data": {
            "_target_": "nequip.data.datamodule.ASEDataModule",
            "seed": task.seed,
            "train_file_path": str(task.file("train")),
            "val_file_path": str(task.file("validation")),
            "test_file_path": [str(task.file(part)) for part in PREDICTED],
            "key_mapping": {ENERGY: "total_energy", FORCES: "forces"},
            "transforms": [
                {
                    "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                    "model_type_names": elements,
                    "chemical_species_to_atom_type_map": {element: element for element in elements},
                },
                {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": settings.cutoff_angstrom},
            ],
            "train_dataloader": _loader(task.batch_size) | {"shuffle": True},
            "val_dataloader": _loader(EVALUATION_BATCH),
            "test_dataloader": _loader(EVALUATION_BATCH),
            "stats_manager": {
                "_target_": "nequip.data.CommonDataStatisticsManager",
                "dataloader_kwargs": {"batch_size": EVALUATION_BATCH},
                "type_names": elements,
            },
        },
        "trainer": {
            "_target_": "lightning.Trainer",
            "accelerator": "gpu" if task.device == "cuda" else "cpu",
            "devices": 1,
            "max_epochs": task.n_epochs,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": False,
            "logger": {
                "_target_": "lightning.pytorch.loggers.CSVLogger",
                "save_dir": folder,
                "name": "",
                "version": "",
            },
            "callbacks": [
                {
                    "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "monitor": SCORE,
                    "dirpath": folder,
                    "filename": "best",
                },
                {
                    "_target_": "nequip.train.callbacks.TestTimeXYZFileWriter",
                    "out_file": f"{folder}/predicted",
                    "chemical_symbols": elements,
                },
            ],
        },
        "training_module": training,
        "hydra": {"run": {"dir": folder}},
    }
    return merged(ours, settings.extra)


def _model(settings: NequIPSettings, task: Task) -> dict[str, object]:
    return {
        "_target_": "nequip.model.NequIPGNNModel",
        "seed": task.seed,
        "model_dtype": settings.dtype,
        "type_names": task.elements,
        "r_max": settings.cutoff_angstrom,
        "num_layers": settings.num_layers,
        "l_max": settings.l_max,
        "parity": settings.parity,
        "num_features": settings.num_features,
        "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
        "per_type_energy_scales": "${training_data_stats:per_type_forces_rms}",
        "per_type_energy_shifts": dict(task.reference_energies) or "${training_data_stats:per_atom_energy_mean}",
    }


def _loader(batch_size: int) -> dict[str, object]:
    return {"_target_": "torch.utils.data.DataLoader", "batch_size": batch_size}


def read_checks(path: Path, n_train: int, batch_size: int) -> list[Check]:
    """Errors on the validation frames from the logger's table, once before the first step and after each epoch."""
    rows = pd.read_csv(path)
    rows = rows[rows[SCORE].notna()].to_dict("records")
    steps_per_epoch = -(-n_train // batch_size)
    return [
        Check(
            step=epoch * steps_per_epoch,
            frames_seen=epoch * n_train,
            score=row[SCORE],
            errors={ours: 1000 * row[theirs] for ours, theirs in COLUMNS.items()},
        )
        for epoch, row in enumerate(rows)
    ]
