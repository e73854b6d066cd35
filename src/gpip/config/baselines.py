"""Settings of networks of other packages, MACE and NequIP, which are trained beside ours on the same frames."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Positive, Strict
from gpip.config.optimization import Optimization


def _by_the_workflow(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "by the workflow")


class BaselineSettings(Strict):
    """What every baseline has."""

    decided: ClassVar[dict[str, str]] = {}
    """Keys of the package's input that `extra` may not hold, and what decides them."""

    command_folder: str | None = None
    """Folder of the package's commands, such as the `bin` of its virtual environment; null: they are on PATH."""
    cutoff_angstrom: Positive = 5.0
    learning_rate: Positive = 0.01
    """The first one; it falls when the validation error no longer does."""
    batch_size: Count | None = None
    """Null: that of the experiment's fine-tuning. Never more than there are training frames."""
    n_epochs: Count | None = None
    """Null: enough for as many training frames, repeats counted, as the experiment's fine-tuning sees."""
    ema_decay: Positive | None = Field(0.99, lt=1)
    """Decay per step of the moving average of the weights, which is what is kept; null: none."""
    extra: dict[str, Any] = {}
    """More of the package's own input, in its own names, handed on as it is."""

    @model_validator(mode="after")
    def _extra_leaves_the_comparison_alone(self) -> "BaselineSettings":
        for path in _paths(self.extra):
            if path in self.decided:
                raise ValueError(f"extra.{path} is decided {self.decided[path]}: take it out of extra")
        return self

    def without_effect(self) -> set[str]:
        return {"n_epochs", "batch_size"}  # what they resolve to is recorded beside the settings

    def frames_per_epoch(self, n_train: int, batch_size: int) -> int:
        """Training frames that the package takes from its set in one epoch."""
        return n_train

    def budget(self, optimization: Optimization, n_train: int) -> dict[str, int]:
        """`n_epochs` and `batch_size` of a training on so many frames, beside an optimisation of ours."""
        batch_size = min(self.batch_size or optimization.batch_size, n_train)
        wanted = optimization.frames_seen(n_train)
        n_epochs = self.n_epochs or -(-wanted // self.frames_per_epoch(n_train, batch_size))
        return {"n_epochs": n_epochs, "batch_size": batch_size}


def _paths(options: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Every key of nested mappings, those above it joined by dots."""
    for key, value in options.items():
        yield f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{before}{key}.")


class MACESettings(BaselineSettings):
    """MACE (Batatia et al., NeurIPS 2022), by `mace_run_train`; `extra` holds more of its arguments."""

    decided: ClassVar = _by_the_workflow(
        "name seed device train_file valid_file valid_fraction test_file energy_key forces_key work_dir model_dir "
        "log_dir results_dir checkpoints_dir"
    ) | {
        "r_max": "by cutoff_angstrom",
        "num_channels": "by num_channels",
        "max_L": "by max_L",
        "num_interactions": "by num_interactions",
        "correlation": "by correlation",
        "default_dtype": "by dtype",
        "lr": "by learning_rate",
        "batch_size": "by batch_size",
        "max_num_epochs": "by n_epochs",
        "ema": "by ema_decay",
        "ema_decay": "by ema_decay",
    }

    package: Literal["mace"]
    num_channels: Count = 128
    max_L: int = Field(1, ge=0)
    """Highest order of the messages between atoms: 0 is invariant."""
    num_interactions: Count = 2
    """Message-passing layers."""
    correlation: Count = 3
    """Neighbours that a message depends on at once: one less than the body order."""
    dtype: Literal["float32", "float64"] = "float64"

    def frames_per_epoch(self, n_train: int, batch_size: int) -> int:
        """MACE leaves out a last batch that is not full."""
        return n_train // batch_size * batch_size


class NequIPSettings(BaselineSettings):
    """NequIP (Batzner et al., Nat. Commun. 2022), by `nequip-train`; `extra` is laid over the file that it reads."""

    decided: ClassVar = _by_the_workflow(
        "run hydra data.seed data.train_file_path data.val_file_path data.test_file_path data.split_dataset "
        "data.key_mapping trainer.accelerator trainer.devices trainer.callbacks trainer.logger trainer.max_steps "
        "trainer.check_val_every_n_epoch trainer.val_check_interval "
        "training_module.model.seed training_module.model.type_names"
    ) | {
        "trainer.max_epochs": "by n_epochs",
        "data.train_dataloader.batch_size": "by batch_size",
        "training_module.ema_decay": "by ema_decay",
        "training_module.optimizer.lr": "by learning_rate",
        "training_module.model.r_max": "by cutoff_angstrom",
        "training_module.model.num_layers": "by num_layers",
        "training_module.model.l_max": "by l_max",
        "training_module.model.num_features": "by num_features",
        "training_module.model.parity": "by parity",
        "training_module.model.model_dtype": "by dtype",
    }

    package: Literal["nequip"]
    num_layers: Count = 4
    l_max: int = Field(1, ge=0)
    """Highest order of the features: 0 is invariant."""
    num_features: Count = 32
    """Of each order and parity."""
    parity: bool = True
    """Features of odd parity as well."""
    dtype: Literal["float32", "float64"] = "float32"


Baseline = Annotated[MACESettings | NequIPSettings, Field(discriminator="package")]
PACKAGES: dict[str, type[BaselineSettings]] = {"mace": MACESettings, "nequip": NequIPSettings}
