"""Settings of a system: its box, its force field, and how its classical MD samples it."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gpip.config.base import Count, NotNegative, Positive, Strict, whole_steps
from gpip.core.species import find_species
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3

Density = Annotated[Positive, Field(le=25)]
"""Mass density, g/cm^3."""


class Sampling(Strict):
    """Classical NVT dynamics at each temperature."""

    timestep_fs: Positive = Field(1.0, le=4)
    equilibration_ps: NotNegative = 5.0
    """Dynamics before the first frame is kept."""
    production_ps: Positive = 10.0
    sample_every_ps: Positive = 0.1
    friction_per_ps: Positive = 1.0
    """Of the Langevin thermostat."""
    frames_per_checkpoint: Count = 50

    @property
    def n_frames(self) -> int:
        return whole_steps("production_ps", self.production_ps, self.sample_every_ps, "ps")

    @property
    def steps_per_frame(self) -> int:
        return whole_steps("sample_every_ps", self.sample_every_ps * 1000, self.timestep_fs, "fs")

    @property
    def n_equilibration_steps(self) -> int:
        return round(self.equilibration_ps * 1000 / self.timestep_fs)

    @model_validator(mode="after")
    def _whole_numbers(self) -> "Sampling":
        assert self.n_frames
        assert self.steps_per_frame
        return self


class NPT(Sampling):
    """Classical NPT dynamics whose mean volume becomes the box of a system, for all its temperatures."""

    start_density_g_per_cm3: Density = 0.9
    """The box is packed to this density. Packed and at any later time it must be wider than twice the cutoff."""
    temperature_kelvin: Positive = 300.0
    """Of the thermostat and the barostat."""
    pressure_bar: Annotated[float, Field(allow_inf_nan=False)] = 1.01325
    """Of the Monte Carlo barostat; 1.01325 bar is one atmosphere."""
    equilibration_ps: NotNegative = 50.0
    """Dynamics before the first volume is counted."""
    production_ps: Positive = 200.0
    """Dynamics whose volumes are averaged."""
    barostat_every_steps: Count = 25
    """Steps between two attempts to change the volume."""


class Box(Strict):
    """What is in the box, and the force field that holds it together."""

    species: dict[str, Count]
    """Name of each molecule and how many of it are in the box."""
    force_field: Literal["tip3p"]
    density_g_per_cm3: Density
    cutoff_angstrom: Positive = 6.0
    """Of the Lennard-Jones and real-space Coulomb terms; at most half the box."""
    rigid_water: bool = False
    """Constrain bonds and angle of water. The networks then never see a stretched bond in pre-training."""

    @field_validator("species")
    @classmethod
    def _known_species(cls, given: dict[str, int]) -> dict[str, int]:
        if not given:
            raise ValueError("at least one species is needed, for example {water: 64}")
        for name in given:
            find_species("species", name)
        return given

    @property
    def packed_density_g_per_cm3(self) -> float:
        """What the box is packed to."""
        return self.density_g_per_cm3

    @property
    def length_angstrom(self) -> float:
        """Edge of the cubic box as packed."""
        mass = sum(find_species("species", name).molar_mass_g_per_mol * n for name, n in self.species.items())
        return (mass / (self.packed_density_g_per_cm3 * G_PER_CM3_TO_AMU_PER_ANGSTROM3)) ** (1 / 3)

    @model_validator(mode="after")
    def _consistent(self) -> "Box":
        for name in self.species:
            if self.force_field not in find_species("species", name).force_fields:
                raise ValueError(f"force_field {self.force_field!r} has no parameters for species {name!r}")
        charge = sum(find_species("species", name).charge * n for name, n in self.species.items())
        if charge:
            raise ValueError(f"the box carries a charge of {charge:+d} e; change the counts of the ions")
        if self.cutoff_angstrom > self.length_angstrom / 2:
            raise ValueError(
                f"cutoff_angstrom {self.cutoff_angstrom} is above half the box "
                f"({self.length_angstrom / 2:.3f} Å): lower the cutoff or put more molecules in the box"
            )
        return self


class System(Box):
    """One simulated system: a box, and the temperatures its classical MD samples."""

    density_g_per_cm3: Density | Literal["npt"]
    """A number up to 25: packed to it and held there. `npt`: the mean of dynamics at constant pressure."""
    temperatures_kelvin: list[Positive] = Field(min_length=1)
    """Ascending. One classical MD run each."""
    sampling: Sampling = Sampling()
    npt: NPT | None = None
    """How the density is found where it is `npt`; all defaults when left out there."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_npt(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("density_g_per_cm3") == "npt" and given.get("npt") is None:
            return {**given, "npt": {}}
        return given

    @model_validator(mode="after")
    def _one_density(self) -> "System":
        if self.npt and self.density_g_per_cm3 != "npt":
            raise ValueError(
                f"npt settings are given, but density_g_per_cm3 is the number {self.density_g_per_cm3:g}: "
                "set density_g_per_cm3: npt to find the density, or leave out npt"
            )
        return self

    @property
    def packed_density_g_per_cm3(self) -> float:
        return self.npt.start_density_g_per_cm3 if self.npt else self.density_g_per_cm3

    @field_validator("temperatures_kelvin")
    @classmethod
    def _ascending(cls, given: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(given)):
            raise ValueError(f"temperatures must ascend without repetition, got {given}")
        return given

    @property
    def box(self) -> Box:
        """The part that building depends on: other temperatures do not build another box."""
        given = {name: getattr(self, name) for name in Box.model_fields}
        return Box(**given | {"density_g_per_cm3": self.packed_density_g_per_cm3})


def temperature_label(temperature_kelvin: float) -> str:
    """A temperature as part of a path: 300.0 gives "300", 298.15 gives "298.15"."""
    return f"{temperature_kelvin:g}"
