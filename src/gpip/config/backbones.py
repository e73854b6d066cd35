"""Settings of the networks, by model. Named presets hold the papers' sizes."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Positive, Strict
from gpip.core.errors import unknown_name

GEMNET_WATER_SCALES = {
    "radial_basis": "gaussian",
    "scale_radial": 5.1,
    "scale_triplets": 1.65,
    "scale_atoms": 0.4,
}
"""MDsim's GemNet-T for water (Fu et al., TMLR 2023): its published scaling factors, each the mean over blocks."""


class BackboneSettings(Strict):
    """What every backbone has."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    preset: str | None = None
    """Start from these published settings; other keys given beside it win."""
    cutoff_angstrom: Positive = 5.0
    n_layers: Count = 3
    n_features: Count = 64
    repulsion: Literal["zbl"] | None = None
    """`zbl`: add the repulsion of screened nuclei (Ziegler, Biersack, Littmark 1985) to the energy, smoothly ended at
    the sum of the covalent radii of each pair of atoms, as in MACE. The network learns the rest. Atoms that come closer
    than any training frame shows then repel each other."""

    def without_effect(self) -> set[str]:
        return set() if self.preset else {"preset"}

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("preset") is None:
            return given
        if given["preset"] not in cls.presets:
            raise unknown_name(f"preset of {given.get('model')}", str(given["preset"]), cls.presets)
        return cls.presets[given["preset"]] | given

    @model_validator(mode="before")
    @classmethod
    def _of_another_model(cls, given: Any) -> Any:
        """A setting that other models have is said to be theirs."""
        for key in given if isinstance(given, dict) else ():
            models = [name for name, other in MODELS.items() if key in other.model_fields]
            if key not in cls.model_fields and models:
                raise ValueError(
                    f"{key!r} is a setting of {', '.join(models)}; {given.get('model')} has: "
                    + ", ".join(name for name in cls.model_fields if name != "model")
                )
        return given


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


class GemNetSettings(BackboneSettings):
    """GemNet-T (Gasteiger, Becker, Günnemann, NeurIPS 2021)."""

    presets: ClassVar = {
        name: {
            "n_layers": 4,
            "n_features": 128,
            "n_edge_features": 128,
            "n_triplet_features": 64,
            "n_bilinear_features": 64,
            "n_rbf_features": 16,
            "n_cbf_features": 16,
            "n_radial": 6,
            "n_spherical": 7,
            "cutoff_angstrom": 5.0,
            **scaled,
        }
        for name, scaled in {
            "gemnet-paper": {},
            "mdsim-water": GEMNET_WATER_SCALES,
            "gpip-water": GEMNET_WATER_SCALES,
        }.items()
    }

    model: Literal["gemnet"]
    n_layers: Count = 4
    n_features: Count = 128
    """Of an atom."""
    n_radial: Count = 6
    n_spherical: Count = 7
    """Legendre polynomials of the angle."""
    n_edge_features: Count = 128
    n_triplet_features: Count = 64
    """Of an edge within the sum over triplets."""
    n_bilinear_features: Count = 64
    """Of an edge after the sum over triplets."""
    n_rbf_features: Count = 16
    """Of the distance, before each block makes its own of them."""
    n_cbf_features: Count = 16
    """Of distance and angle together, before each block makes its own of them."""
    n_before_skip: int = Field(default=1, ge=0)
    """Residual layers of an edge before its skip connection."""
    n_after_skip: int = Field(default=1, ge=0)
    """Residual layers of an edge after its skip connection."""
    n_concat: int = Field(default=1, ge=0)
    """Residual layers of an edge after it has met its atoms."""
    n_atom_layers: int = Field(default=2, ge=0)
    """Residual layers of an atom in each block, and of each output."""
    radial_basis: Literal["bessel", "gaussian"] = "bessel"
    """The paper's, or that of MDsim."""
    envelope_exponent: int = Field(default=5, ge=2)
    """Larger means a later, steeper end before the cutoff."""
    scale_radial: Positive | None = None
    """Factor on an edge's message after its product with the radial basis. Null, here and for the next two: fitted to a
    few training frames before the first step, block by block, so that variances stay (the paper's way)."""
    scale_triplets: Positive | None = None
    """Factor on the sum over triplets."""
    scale_atoms: Positive | None = None
    """Factor on the sum over the edges of an atom."""


class SphereNetSettings(BackboneSettings):
    """SphereNet (Liu, Wang, Liu, Lin, Zhang, Oztekin, Ji, ICLR 2022)."""

    presets: ClassVar = {
        "gpip-md17": {
            "n_layers": 4,
            "n_features": 128,
            "n_triplet_features": 64,
            "n_basis_features": 8,
            "n_output_features": 256,
            "n_radial": 6,
            "n_spherical": 3,
            "envelope_exponent": 5,
            "cutoff_angstrom": 5.0,
        },
    }

    model: Literal["spherenet"]
    n_layers: Count = 4
    n_features: Count = 128
    """Of an edge."""
    n_radial: Count = 6
    n_spherical: Count = 3
    """Degrees of the harmonics of angle and torsion."""
    n_triplet_features: Count = 64
    """Of an edge within the sum over triplets."""
    n_basis_features: Count = 8
    """To which each basis is brought down before it meets the features."""
    n_output_features: Count = 256
    """Of an atom, which the heads see."""
    n_before_skip: int = Field(default=1, ge=0)
    """Residual layers of an edge before its skip connection."""
    n_after_skip: int = Field(default=2, ge=0)
    """Residual layers of an edge after its skip connection."""
    n_output_layers: int = Field(default=3, ge=0)
    """Layers with activation of each output."""
    envelope_exponent: int = Field(default=5, ge=1)
    """Larger means a later, steeper end before the cutoff."""
    torsion: Literal["smooth", "dig"] = "smooth"
    """`smooth`: about each edge, against all its neighbours, weighted. `dig`: against the next neighbour in turn, as in
    the authors' code; energies then jump as atoms move and differ between mirror images."""


class EGNNSettings(BackboneSettings):
    """EGNN (Satorras, Hoogeboom, Welling, ICML 2021).

    `wang-ani` has the sizes of Wang et al. (2023), bounded as in the weights they published.
    """

    presets: ClassVar = {
        "wang-ani": {
            "n_layers": 5,
            "n_features": 256,
            "n_radial": 0,
            "attention": True,
            "normalized": True,
            "bounded": True,
            "softening_angstrom": 1e-4,
            "aggregation": "sum",
            "cutoff_angstrom": 5.0,
        },
    }

    model: Literal["egnn"]
    n_radial: int = Field(default=20, ge=0)
    """Radial basis functions of the distance, whose linear map multiplies messages. 0 is the paper's squared distance
    beside the features instead, too coarse for the bonds of a liquid."""
    attention: bool = False
    """Weigh each message by a learned number between 0 and 1 (Eq. 8)."""
    normalized: bool = True
    """Move atoms along unit vectors instead of differences of coordinates."""
    bounded: bool = True
    """Hyperbolic tangent around the weight of a move."""
    softening_angstrom: Positive = 1.0
    """a in v / sqrt(v^2 + a^2), which stands for the unit vector of a normalized move: the slope of a move is at
    most 1 / a. The authors' code has the plain unit vector, here 1e-4."""
    aggregation: Literal["scaled", "sum"] = "scaled"
    """The sum over neighbours, divided by the square root of their number so that its size is much the same in a
    molecule and in a liquid, or the paper's plain sum."""
    envelope: Literal["cosine", "none"] = "cosine"
    """Bring messages to zero at the cutoff; `none` is the original, whose energy jumps there."""

    def without_effect(self) -> set[str]:
        return super().without_effect() | (set() if self.normalized else {"softening_angstrom"})


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


class SE3TransformerSettings(BackboneSettings):
    """SE(3)-Transformer (Fuchs, Worrall, Fischer, Welling, NeurIPS 2020).

    `wang-ani` has the sizes of Wang et al. (2023), `fuchs-qm9` those of the authors' run.
    """

    presets: ClassVar = {
        "wang-ani": {
            "n_layers": 3,
            "n_features": 32,
            "n_channels": 8,
            "n_degrees": 4,
            "n_radial": 0,
            "n_heads": 2,
            "division": 4,
            "cutoff_angstrom": 5.0,
        },
        "fuchs-qm9": {
            "n_layers": 7,
            "n_features": 128,
            "n_channels": 32,
            "n_degrees": 4,
            "n_radial": 0,
            "n_heads": 8,
            "division": 2,
            "cutoff_angstrom": 5.0,
        },
    }

    model: Literal["se3_transformer"]
    n_features: Count = 32
    """Scalars of an atom at the beginning and at the end."""
    n_channels: Count = 8
    """Of an atom in between, of each degree."""
    n_degrees: int = Field(default=4, ge=1, le=6)
    """Degrees 0, 1, ... of the features."""
    n_radial: int = Field(default=20, ge=0)
    """Radial basis functions through which the networks of the distance see it. 0 is the paper's number itself."""
    n_heads: Count = 2
    """Attention heads; they share n_channels / division equally."""
    division: Count = 4
    """Keys and values have n_channels / division channels."""
    smooth: bool = True
    """Smooth activations and an end of attention at the cutoff; without it, as in the authors' code, energies jump
    there, and forces where a ReLU sets in."""
    pseudotensors: bool = False
    """Also send what behaves unlike harmonics under inversion, as in the paper; mirror images then differ in energy."""

    @model_validator(mode="after")
    def _equal_heads(self) -> "SE3TransformerSettings":
        if self.n_channels // self.division % self.n_heads or self.n_channels < self.division:
            raise ValueError(
                f"n_channels: {self.n_channels} divided by {self.division} (division) cannot be shared equally by "
                f"{self.n_heads} heads (n_heads)"
            )
        return self


Backbone = Annotated[
    SchNetSettings
    | PaiNNSettings
    | GemNetSettings
    | SphereNetSettings
    | EGNNSettings
    | ETSettings
    | SE3TransformerSettings,
    Field(discriminator="model"),
]
MODELS = {
    "schnet": SchNetSettings,
    "painn": PaiNNSettings,
    "gemnet": GemNetSettings,
    "spherenet": SphereNetSettings,
    "egnn": EGNNSettings,
    "et": ETSettings,
    "se3_transformer": SE3TransformerSettings,
}
