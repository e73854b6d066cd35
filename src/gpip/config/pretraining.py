"""Settings of pre-training: which pretext tasks, with which weights (GPIP Eq. 3 to 6; Wang et al. Sec. 2.4)."""

from typing import Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Name, NotNegative, Positive, Strict
from gpip.config.optimization import Optimization


class MaskTask(Strict):
    """Hide the elements of some atoms and restore them from their surroundings (GPIP Eq. 4)."""

    weight: Positive = 1.0
    rate: Positive = Field(0.15, lt=1)
    """Fraction of the atoms that are masked."""
    random_element_fraction: NotNegative = Field(0.1, le=0.15)
    """Fraction of the masked atoms that show a random element instead of the mask token."""
    exponent: float = Field(2.0, ge=1)
    """γ of the scaled cosine error."""
    target: Literal["embedding", "element"] = "embedding"
    """What is restored: the embedding of the element (paper) or its one-hot code (public code)."""
    noise_angstrom: NotNegative = 0.05
    """Noise on the coordinates when the recipe has no denoise task; with it, that task's noise is shared."""


class DenoiseTask(Strict):
    """Predict the noise added to the coordinates (GPIP Eq. 5)."""

    weight: Positive = 1.0
    """α of GPIP Eq. 3."""
    sigma_angstrom: Positive = 0.1
    target: Literal["restoring", "paper"] = "restoring"
    """`restoring`: -ε/σ, so that the energy head is a potential that pulls back to the clean configuration (Wang et
    al. Eq. 8). `paper`: +ε as printed, in Å, which with the gradient read-out trains an inverted potential."""
    readout: Literal["gradient", "vectors", "coordinates", "paper"] = "gradient"
    """`gradient`: minus the slope of the energy head; `vectors`: gated block on the vector features; `coordinates`: how
    far the backbone moved the atoms; `paper`: the one that Wang et al. name for the backbone."""


class ContrastTask(Strict):
    """Pull the features towards those of a net that sees interatomic distances only (GPIP Eq. 6)."""

    weight: Positive = 0.1
    """β of GPIP Eq. 3."""
    temperature: Positive = 0.1
    """τ of GPIP Eq. 6."""
    level: Literal["atom", "graph"] = "atom"
    """Contrast the atoms of a batch (paper) or its whole graphs (public code; needs batch_size of 2 or more)."""
    cutoff_angstrom: Positive = 5.0
    """Distances that the 3D net sees; all pairs of a liquid are too many."""
    n_features: Count = 20
    n_fourier: Count = 4
    n_output: Count = 100


class ClassicalTask(Strict):
    """Supervised pre-training on the energies and forces of the classical force field."""

    energy_weight: NotNegative = 1.0
    force_weight: NotNegative = 100.0

    @model_validator(mode="after")
    def _something(self) -> "ClassicalTask":
        if not self.energy_weight and not self.force_weight:
            raise ValueError("energy_weight and force_weight are both 0: nothing would be learned")
        return self


class Recipe(Strict):
    """One way to pre-train. A task is on when it is named; `denoise: {}` takes all its defaults."""

    mask: MaskTask | None = None
    denoise: DenoiseTask | None = None
    contrast: ContrastTask | None = None
    classical: ClassicalTask | None = None
    optimization: Optimization

    @property
    def trains_energy_head(self) -> bool:
        """Whether the energy head learns something: from forces, or as the potential whose slope is the noise."""
        return bool(self.classical or (self.denoise and self.denoise.readout == "gradient"))

    @model_validator(mode="after")
    def _tasks(self) -> "Recipe":
        pretext = [name for name in ("mask", "denoise", "contrast") if getattr(self, name)]
        if not pretext and not self.classical:
            raise ValueError("a recipe needs at least one task: mask, denoise, contrast or classical")
        if pretext and self.classical:
            raise ValueError(
                f"classical needs clean configurations and cannot be joined with {', '.join(pretext)}: "
                "make it a recipe of its own"
            )
        if self.contrast and self.contrast.level == "graph" and self.optimization.batch_size < 2:
            raise ValueError("contrast.level graph needs optimization.batch_size of 2 or more")
        return self


class Pretraining(Strict):
    """Sets of configurations to pre-train on, and recipes to do it by."""

    sets: dict[Name, list[Name]] = {}
    """Name of each set and the systems in it."""
    recipes: dict[Name, Recipe] = {}
