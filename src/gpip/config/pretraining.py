"""Settings of pre-training: which pretext tasks, with which weights (GPIP Eq. 3 to 6; Wang et al. Sec. 2.4)."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Name, NotNegative, Positive, Strict
from gpip.config.optimization import Optimization
from gpip.config.recipes import RECIPE_PRESETS, over_preset
from gpip.core.errors import unknown_name


class MaskTask(Strict):
    """Hide the elements of some atoms and restore them from their surroundings (GPIP Eq. 4)."""

    weight: Positive = 1.0
    """Of a mean over the masked atoms of the batch, whatever its size; guessing costs about 1."""
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
    """α of GPIP Eq. 3. What 1 is worth depends on unit and normalisation: docs/recipes.md has a table."""
    sigma_angstrom: Positive = 0.1
    target: Literal["restoring", "paper"] = "restoring"
    """`restoring`: -ε, so that the energy head is a potential that pulls back to the clean configuration (Wang et
    al. Eq. 8). `paper`: +ε as printed, which with the gradient read-out trains an inverted potential."""
    unit: Literal["sigma", "angstrom"] = "sigma"
    """What the noise and its prediction are measured in: σ, or Å as in the papers."""
    normalisation: Literal["component", "atom", "configuration", "batch"] = "component"
    """Over what the squared errors are averaged; they are summed below that. `component`: over everything, so that
    with `unit: sigma` predicting nothing costs 1 in any system and a weight means the same everywhere. `atom`: sum
    over three components, mean over atoms. `configuration`: sum over a configuration, mean over configurations, as
    printed (GPIP Eq. 5, Wang et al. Eq. 7). `batch`: sum over everything, as in the code of both papers."""
    readout: Literal["gradient", "vectors", "coordinates", "paper"] = "gradient"
    """`gradient`: minus the slope of the energy head; `vectors`: gated block on the vector features; `coordinates`: how
    far the backbone moved the atoms; `paper`: the one that Wang et al. name for the backbone."""


class ContrastTask(Strict):
    """Pull the features towards those of a net that sees interatomic distances only (GPIP Eq. 6)."""

    weight: Positive = 0.1
    """β of GPIP Eq. 3, of a mean over the atoms of the batch (level atom) or over its configurations (level graph). A
    guess among N of them costs the logarithm of N - 1."""
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
    """One way to pre-train. A task is on when it is named; `denoise: {}` takes all its defaults.

    Presets are the papers' published hyper-parameters: docs/recipes.md says where each number comes from.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = RECIPE_PRESETS

    preset: str | None = None
    """Start from these published settings; keys given beside it win, and null takes a task out."""
    mask: MaskTask | None = None
    denoise: DenoiseTask | None = None
    contrast: ContrastTask | None = None
    classical: ClassicalTask | None = None
    optimization: Optimization

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("preset") is None:
            return given
        if given["preset"] not in cls.presets:
            raise unknown_name("preset", str(given["preset"]), cls.presets)
        return over_preset(cls.presets[given["preset"]], given)

    def without_effect(self) -> set[str]:
        names = ("preset", "mask", "denoise", "contrast", "classical")
        return {name for name in names if getattr(self, name) is None}

    def used(self) -> dict[str, Any]:
        used = super().used()
        if self.mask and self.denoise:
            del used["mask"]["noise_angstrom"]
        return used

    def of_backbone(self, backbone: str) -> "Recipe":
        """The same with the one learning rate of this backbone."""
        return self.model_copy(update={"optimization": self.optimization.of_backbone(backbone)})

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
