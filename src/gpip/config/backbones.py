"""Settings of the networks, by model. Named presets hold the papers' sizes."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Positive, Strict
from gpip.core.errors import unknown_name


class BackboneSettings(Strict):
    """What every backbone has."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    preset: str | None = None
    """Start from these published settings; other keys given beside it win."""
    cutoff_angstrom: Positive = 5.0
    n_layers: Count = 3
    n_features: Count = 64

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("preset") is None:
            return given
        if given["preset"] not in cls.presets:
            raise unknown_name(f"preset of {given.get('model')}", str(given["preset"]), cls.presets)
        return cls.presets[given["preset"]] | given


class RadialSettings(BackboneSettings):
    """What the backbones have that expand distances in a basis."""

    n_radial: Count = 20
    """Radial basis functions of the interatomic distance."""


class SchNetSettings(RadialSettings):
    """SchNet (Schütt et al., J. Chem. Phys. 148, 241722, 2018)."""

    presets: ClassVar = {
        "gpip-md17": {"n_layers": 6, "n_features": 128, "n_radial": 50, "cutoff_angstrom": 5.0},
        "mdsim-water": {"n_layers": 6, "n_features": 64, "n_radial": 25, "cutoff_angstrom": 6.0},
        "wang-ani": {"n_layers": 5, "n_features": 256, "n_radial": 32, "cutoff_angstrom": 5.0},
    }

    model: Literal["schnet"]


class PaiNNSettings(RadialSettings):
    """PaiNN (Schütt, Unke, Gastegger, ICML 2021)."""

    presets: ClassVar = {
        "painn-paper": {"n_layers": 3, "n_features": 128, "n_radial": 20, "cutoff_angstrom": 5.0},
    }

    model: Literal["painn"]


class EGNNSettings(BackboneSettings):
    """EGNN (Satorras, Hoogeboom, Welling, ICML 2021).

    `wang-ani` has the sizes of Wang et al. (2023), bounded as in the weights they published.
    """

    presets: ClassVar = {
        "wang-ani": {"n_layers": 5, "n_features": 256, "bounded": True, "cutoff_angstrom": 5.0},
    }

    model: Literal["egnn"]
    attention: bool = True
    """Weigh each message by a learned number between 0 and 1 (Eq. 8)."""
    normalized: bool = True
    """Move atoms along unit vectors instead of differences of coordinates."""
    bounded: bool = False
    """Hyperbolic tangent around the weight of a move."""
    envelope: Literal["cosine", "none"] = "cosine"
    """Bring messages to zero at the cutoff; `none` is the original, whose energy jumps there."""


class ETSettings(RadialSettings):
    """Equivariant Transformer of TorchMD-Net (Thölke, De Fabritiis, ICLR 2022)."""

    presets: ClassVar = {
        "wang-ani": {"n_layers": 6, "n_features": 256, "n_radial": 32, "n_heads": 8, "cutoff_angstrom": 5.0},
        "torchmd-md17": {"n_layers": 6, "n_features": 128, "n_radial": 32, "n_heads": 8, "cutoff_angstrom": 5.0},
        "torchmd-qm9": {"n_layers": 8, "n_features": 256, "n_radial": 64, "n_heads": 8, "cutoff_angstrom": 5.0},
    }

    model: Literal["et"]
    n_heads: Count = 8
    """Attention heads; they share n_features equally."""
    vector_cutoff: bool = True
    """Bring messages of vectors to zero at the cutoff; without it, as in the paper, the energy jumps there."""

    @model_validator(mode="after")
    def _equal_heads(self) -> "ETSettings":
        if self.n_features % self.n_heads:
            raise ValueError(
                f"n_features: {self.n_features} cannot be shared equally by {self.n_heads} heads (n_heads)"
            )
        return self


Backbone = Annotated[SchNetSettings | PaiNNSettings | EGNNSettings | ETSettings, Field(discriminator="model")]
MODELS = {"schnet": SchNetSettings, "painn": PaiNNSettings, "egnn": EGNNSettings, "et": ETSettings}
