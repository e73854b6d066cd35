"""Settings of an experiment: networks from scratch and pre-trained, fine-tuned on labels, then run and measured."""

from typing import Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Kelvin, Name, NotNegative, Positive, Strict, whole_steps
from gpip.config.optimization import LossKind, Optimization

SCRATCH = "scratch"
Thermostat = Literal["langevin", "nose-hoover", "nve"]


class Initialisation(Strict):
    """What a network knows before fine-tuning."""

    recipe: Name | None = None
    """Pre-training recipe whose weights are loaded; null starts from scratch."""
    energy_head: Literal["fresh", "carried"] = "fresh"
    """`fresh`: a new energy head (papers). `carried`: the pre-trained head times one fitted factor."""
    equal_compute_to: Name | None = None
    """From scratch, with more steps: as many as cost what this recipe's pre-training costs. The cost of both kinds of
    step is measured (docs/recipes.md)."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Initialisation":
        if self.recipe and self.equal_compute_to:
            raise ValueError("equal_compute_to is for an initialisation from scratch: leave out recipe")
        if self.energy_head == "carried" and not self.recipe:
            raise ValueError("energy_head carried needs a recipe to carry it from")
        return self

    def without_effect(self) -> set[str]:
        unused = {name for name in ("recipe", "equal_compute_to") if getattr(self, name) is None}
        return unused if self.recipe else unused | {"energy_head"}


class Split(Strict):
    """Which labelled frames train, validate and test. Fixed by the experiment's seed, stored, disjoint."""

    kind: Literal["random", "time"] = "random"
    """`time`: blocks in the order of the file, for frames of one trajectory: training, validation, then test last."""
    n_validation: Count
    n_test: Count
    gap: int = Field(0, ge=0)
    """Frames left out between the blocks of a time split."""

    def without_effect(self) -> set[str]:
        return {"gap"} if self.kind == "random" else set()


class FineTuning(Strict):
    """How networks are trained on labels. The weights with the lowest loss on validation frames are kept."""

    optimization: Optimization
    loss: LossKind = "squared"
    """`squared`: energy_weight (E - Ê)² + force_weight/n Σ |F - F̂|² (GPIP Eq. 7). `absolute`: energy_weight |E - Ê| +
    force_weight/n Σ |F - F̂|, with |F - F̂| the length of the error of an atom's force; a few bad frames weigh less, and
    weights such as 0.001 and 1 suit it better."""
    energy_weight: NotNegative = 1.0
    force_weight: NotNegative = 100.0
    validate_every_steps: Count = 100

    def of_backbone(self, backbone: str) -> "FineTuning":
        """The same with the one learning rate of this backbone."""
        return self.model_copy(update={"optimization": self.optimization.of_backbone(backbone)})


class MLMD(Strict):
    """Dynamics driven by each fine-tuned network; all replicas advance as one batch."""

    system: Name | None = None
    """Whose test configurations the replicas start from; needed where the labels hold several systems."""
    thermostat: Thermostat | None = None
    """Null takes `nose-hoover` in a box and `langevin` without one, where Nosé-Hoover chains are not ergodic. `nve` is
    no thermostat: velocities are drawn once, at the temperature, and the total energy is conserved."""
    temperature_kelvin: Kelvin = 300.0
    timestep_fs: Positive = Field(1.0, le=4)
    duration_ps: Positive
    sample_every_ps: Positive = 0.01
    n_replicas: Count = 5
    """Each starts from another test configuration, with its own velocities."""
    friction_per_ps: Positive = 1.0
    """Of the Langevin thermostat."""
    collision_frequency_per_ps: Positive = 10.0
    """Of the Nosé-Hoover chains, one chain a replica."""
    skin_angstrom: NotNegative = 0.5
    """Neighbours are sought this much beyond the cutoff, and anew once an atom moved half of it."""
    max_force_ev_per_angstrom: Positive = 100.0
    """A replica is unstable, and is stopped, once a force is above this or not finite, or one of the next two limits is
    passed."""
    max_temperature_kelvin: Positive = 5000.0
    """Largest temperature of a replica."""
    min_contact_of_covalent_radii: NotNegative = Field(0.5, lt=1)
    """Shortest distance of two atoms, periodic images included, as a fraction of the sum of their covalent radii: at
    0.5, 0.48 Å for O-H. Forces alone do not show collapsed atoms, as networks can be smooth there. 0: no limit."""
    frames_per_checkpoint: Count = 100
    n_seeds: Count = 1
    """How many of the experiment's seeds are run."""

    @property
    def n_frames(self) -> int:
        return whole_steps("duration_ps", self.duration_ps, self.sample_every_ps, "ps")

    @property
    def steps_per_frame(self) -> int:
        return whole_steps("sample_every_ps", self.sample_every_ps * 1000, self.timestep_fs, "fs")

    def thermostat_of(self, periodic: bool) -> Thermostat:
        """The thermostat of a system with or without a box."""
        return self.thermostat or ("nose-hoover" if periodic else "langevin")

    def thermostat_warning(self, periodic: bool) -> str:
        """Why the thermostat does not suit a system with or without a box; empty where it does."""
        if periodic or self.thermostat_of(periodic) != "nose-hoover":
            return ""
        return (
            "thermostat nose-hoover is not ergodic for a molecule without a box: energy moves slowly between its few "
            "stiff vibrations, so that averages can be far off; use langevin, the default there"
        )

    @model_validator(mode="after")
    def _whole_numbers(self) -> "MLMD":
        assert self.n_frames
        assert self.steps_per_frame
        return self

    def without_effect(self) -> set[str]:
        unused = {"n_seeds"}
        if self.thermostat != "langevin":
            unused.add("friction_per_ps")
        if self.thermostat != "nose-hoover":
            unused.add("collision_frequency_per_ps")
        return unused


class ClassicalReference(Strict):
    """A classical run as the reference of the metrics."""

    system: Name
    temperature_kelvin: Kelvin


class Metrics(Strict):
    """What is measured on the ML-driven runs, and against what."""

    reference: Literal["labels"] | ClassicalReference = "labels"
    """`labels`: the labelled frames; or a classical run, {system: ..., temperature_kelvin: ...}."""
    rdf_max_angstrom: Positive = 6.0
    rdf_bins: Count = 500
    stability_window_ps: Positive = 1.0
    stability_threshold_angstrom: Positive = 3.0
    """Of ∫|g - g_ref| dr in a window (Fu et al. 2023)."""
    msd_fit_ps: tuple[NotNegative, Positive] | None = None
    """Lag times between which the slope of the MSD is fitted; null takes 10 % to 50 % of the run."""
    diffusing_element: str = "O"
    """Its diffusion is measured relative to the centre of mass of all atoms. The published number (MSD/(6t) at 100 ps)
    alone is relative to the centre of the atoms of this element, as published, which takes 1/n from D for n of them."""
    viscosity_pa_s: Positive | None = 0.854e-3
    """Of the finite-size correction to diffusion, here water at 300 K; null leaves the correction out."""


class Experiment(Strict):
    """Every backbone x initialisation x number of training frames x seed."""

    pretraining_set: Name | None = None
    labels: Name
    backbones: list[Name] = Field(min_length=1)
    initialisations: dict[Name, Initialisation] | list[Name] = Field(min_length=1)
    """A list of `scratch` and names of recipes, or names of your own with their settings."""
    pretraining_seeds: Literal["own", "shared"] = "own"
    """`own`: every seed starts from a pre-training run of its own. `shared`: all seeds start from that of the first
    seed, which is cheaper; the spread between seeds is then understated, and the report says so."""
    n_train: list[Count] = Field(min_length=1)
    split: Split
    seeds: list[int] = Field(min_length=1)
    baselines: list[Name] = []
    """Networks of other packages, trained from scratch on the same frames and tested on the same."""
    fine_tuning: FineTuning
    ml_md: MLMD | None = None
    """Leave it out to compare errors only."""
    metrics: Metrics = Metrics()

    @property
    def arms(self) -> dict[str, Initialisation]:
        """The initialisations by name, the short form written out."""
        if isinstance(self.initialisations, dict):
            return self.initialisations
        return {
            name: Initialisation() if name == SCRATCH else Initialisation(recipe=name) for name in self.initialisations
        }

    def pretraining_seed(self, seed: int) -> int:
        """Seed of the pre-training run that fine-tuning with this seed starts from."""
        return seed if self.pretraining_seeds == "own" else self.seeds[0]

    @model_validator(mode="after")
    def _distinct(self) -> "Experiment":
        for what in ("backbones", "n_train", "seeds", "baselines"):
            if len(set(getattr(self, what))) < len(getattr(self, what)):
                raise ValueError(f"{what} holds the same entry twice")
        if self.n_train != sorted(self.n_train):
            raise ValueError("n_train must ascend")
        return self
