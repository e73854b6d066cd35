"""What one training by another package is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

ENERGY_MAE, FORCE_MAE = "energy_mae_mev_per_atom", "force_mae_mev_per_angstrom"
ENERGY_RMSE, FORCE_RMSE = "energy_rmse_mev_per_atom", "force_rmse_mev_per_angstrom"
PREDICTED = ("validation", "test")
EVALUATION_BATCH = 8


@dataclass(frozen=True)
class Task:
    """Files and numbers of one training."""

    folder: Path
    """Where the package may write, absolute; holds train.xyz, validation.xyz and test.xyz."""
    elements: list[str]
    """Symbols of the elements of all frames, by atomic number."""
    n_train: int
    n_validation: int
    n_epochs: int
    batch_size: int
    energy_weight: float
    """Of the squared error of the energy per atom."""
    force_weight: float
    """Of the mean squared error of the force components."""
    seed: int
    device: str
    """`cpu` or `cuda`."""

    reference_energies: Mapping[str, float] = field(default_factory=dict)
    """Energies of isolated atoms by symbol, eV, corrected by what the compositions of the training frames determine;
    empty where isolated atoms are not known."""

    def file(self, part: str) -> Path:
        return self.folder / f"{part}.xyz"


class Check(NamedTuple):
    """Errors on the validation frames during training, as the package measured them (meV/atom, meV/Å)."""

    step: int
    frames_seen: int
    score: float
    """What the package chooses its weights by; lower is better."""
    errors: dict[str, float]


def best_step(checks: list[Check]) -> int:
    """Step of the best score after the start: the packages never keep the weights they begin with."""
    return min(checks[1:], key=lambda check: check.score).step


@dataclass(frozen=True)
class Trained:
    """Files and numbers that a training left."""

    model: Path
    predicted: dict[str, Path]
    """Extended XYZ with predictions for the validation and the test frames."""
    keys: tuple[str, str]
    """Of energy and forces in these files."""
    checks: list[Check]
    """The first is before the first step."""
    given: dict[str, Any]
    """The package's input."""
    best_step: int | None
    """Of the weights that were kept; None where the package does not tell."""
    facts: dict[str, Any]
    """`packages` with their versions and `n_parameters`; empty where the package's Python could not be asked."""
