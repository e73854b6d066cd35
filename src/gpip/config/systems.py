"""Settings of a system: its box, its force field, and how its classical MD samples it."""

import re
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gpip.config.base import Count, Kelvin, NotNegative, Positive, Strict, number_with_unit, whole_steps
from gpip.config.composition import (
    Concentration,
    Ions,
    SolventParts,
    SpeciesAmount,
    SpeciesAmounts,
    asked_and_reached,
    composition,
    cubic_length_angstrom,
    estimated_density,
    resolve,
)
from gpip.core.errors import unknown_name
from gpip.core.species import Species, find_species

DENSEST_LIQUID_G_PER_CM3 = 25.0


def _density(raw: Any) -> Any:
    """Refuse densities in other units, and say what they would be."""
    given = number_with_unit(raw)
    if given:
        value, unit = given
        plain = unit.lower().replace("³", "3").replace("^", "").replace(" ", "")
        factor = {"kg/m3": 1e-3, "g/l": 1e-3, "g/cm3": 1.0, "g/ml": 1.0, "kg/l": 1.0}.get(plain)
        value = value * factor if factor else value
        raise ValueError(f"a density is a plain number in g/cm3: write {value:g}, without a unit")
    if isinstance(raw, int | float) and raw > DENSEST_LIQUID_G_PER_CM3:
        hint = f": {raw:g} kg/m3 is {raw / 1000:g}" if raw >= 100 else "; liquid water has 0.997"
        raise ValueError(f"{raw:g} g/cm3 is denser than any liquid. Densities are in g/cm3{hint}")
    if isinstance(raw, str) and raw != "npt":
        raise ValueError("a density is a number in g/cm3, or npt to find it by dynamics at constant pressure")
    return raw


Density = Annotated[Positive, Field(le=DENSEST_LIQUID_G_PER_CM3), BeforeValidator(_density)]
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


class Annealing(Strict):
    """Cooling at constant volume before the sampling, so that a viscous solution forgets how it was packed."""

    start_kelvin: Kelvin = 1000.0
    end_kelvin: Kelvin = 300.0
    duration_ps: Positive = 10_000.0
    """Of the whole way from start to end, in steps of one degree or finer."""
    timestep_fs: Positive = Field(1.0, le=4)
    friction_per_ps: Positive = 1.0
    """Of the Langevin thermostat."""
    log_every_ps: Positive = 1.0
    frames_per_checkpoint: Count = 50

    @property
    def steps_per_record(self) -> int:
        return whole_steps("log_every_ps", self.log_every_ps * 1000, self.timestep_fs, "fs")

    @property
    def n_records(self) -> int:
        return whole_steps("duration_ps", self.duration_ps, self.log_every_ps, "ps")

    @model_validator(mode="after")
    def _whole_numbers(self) -> "Annealing":
        assert self.n_records
        assert self.steps_per_record
        if self.end_kelvin >= self.start_kelvin:
            raise ValueError(f"annealing cools: end_kelvin {self.end_kelvin:g} is not below {self.start_kelvin:g}")
        return self


class NPT(Sampling):
    """Classical NPT dynamics whose mean volume becomes the box of a system, for all its temperatures."""

    start_density_g_per_cm3: Density | None = None
    """The box is packed to this density; null packs 0.9 of what the species would have as pure liquids. Packed and at
    any later time the box must be wider than twice the cutoff."""
    temperature_kelvin: Kelvin = 300.0
    """Of the thermostat and the barostat."""
    pressure_bar: Annotated[float, Field(allow_inf_nan=False)] = 1.01325
    """Of the Monte Carlo barostat; 1.01325 bar is one atmosphere."""
    equilibration_ps: NotNegative = 50.0
    """Dynamics before the first volume is counted."""
    production_ps: Positive = 200.0
    """Dynamics whose volumes are averaged."""
    barostat_every_steps: Count = 25
    """Steps between two attempts to change the volume."""
    unconverged: Literal["error", "warn"] = "error"
    """What a density that drifts or rests on too few volumes does: stop the run, or go on with a warning that the
    report repeats. What was run is kept: a longer production_ps goes on from it."""


FORCE_FIELDS = ("tip3p", "opls-aa", "openff-2.2.1")
OPENFF = re.compile(r"^openff-\d+\.\d+\.\d+$")
LARGEST_CUTOFF_ANGSTROM = 12.0
"""Default of large boxes; OPLS-AA liquids are simulated with 10 to 14 Å in the literature."""
CUTOFF_OF_LENGTH = 0.45
"""Default of small boxes: half the box, less what its volume fluctuates at constant pressure."""
START_OF_DENSITY = 0.9
DENSEST = 2.0
"""No liquid is compressed to twice its density; estimates are good to 10 %."""


class Box(Strict):
    """What is in the box, and the force field that holds it together: all that building it depends on."""

    species: SpeciesAmounts
    force_field: str
    extra_terms: str | None = None
    """Table of OPLS-AA terms of the user's own."""
    density_g_per_cm3: Density | None
    """What the box is packed to; null for a molecule without a box."""
    cutoff_angstrom: Positive | None
    """Null without a box: all pairs interact."""
    rigid_water: bool = False
    constraints: Literal["none", "h-bonds"] = "none"
    hydrogen_mass_amu: Positive | None = None
    ion_charge_scale: Positive = 1.0

    @property
    def amounts(self) -> dict[Species, int]:
        """Each species and how many molecules of it."""
        return _amounts("species", self.species)

    @property
    def periodic(self) -> bool:
        return self.density_g_per_cm3 is not None

    @property
    def length_angstrom(self) -> float | None:
        """Edge of the cubic box as packed."""
        return cubic_length_angstrom(self.amounts, self.density_g_per_cm3) if self.periodic else None

    @model_validator(mode="after")
    def _consistent(self) -> "Box":
        if not self.species:
            raise ValueError("at least one species is needed, for example {water: 64}")
        amounts = self.amounts
        if self.force_field == "tip3p":
            others = [one.name for one in amounts if not one.is_water]
            if others:
                raise ValueError(
                    f"force_field 'tip3p' has no parameters for species {', '.join(others)}: use opls-aa, which holds "
                    "TIP3P water too"
                )
        charge = sum(one.charge * n for one, n in amounts.items())
        if charge and self.periodic:
            parts = ", ".join(f"{n} {one.name} ({one.charge:+d} e)" for one, n in amounts.items() if one.charge)
            raise ValueError(f"the box carries a charge of {charge:+d} e ({parts}); change the counts of the ions")
        if self.periodic and self.density_g_per_cm3 > DENSEST * (expected := estimated_density(amounts)):
            raise ValueError(
                f"a density of {self.density_g_per_cm3:g} g/cm3 is more than {DENSEST:g} times the "
                f"{expected:.2f} g/cm3 that the species have as liquids: atoms would overlap; write npt to find the "
                f"density, or a number near {expected:.2f}"
            )
        if self.periodic and self.cutoff_angstrom > self.length_angstrom / 2:
            raise ValueError(
                f"cutoff_angstrom {self.cutoff_angstrom:g} is above half the box "
                f"({self.length_angstrom / 2:.3f} Å): lower the cutoff or put more molecules in the box"
            )
        return self


def _amounts(where: str, species: dict[str, SpeciesAmount]) -> dict[Species, int]:
    return {
        find_species(where, name, one.smiles, one.liquid_density_g_per_cm3): one.count for name, one in species.items()
    }


class System(Strict):
    """One simulated system: a box of molecules, or a molecule alone, and the temperatures its classical MD samples."""

    species: SpeciesAmounts | None = None
    """Name and number of each molecule, built in (`gpip species` lists them) or with its SMILES; or use salt and
    solvent."""
    salt: dict[str, Concentration] = {}
    """Concentration of each salt, as in {NaPF6: 1.0 mol/L}; mol/kg are per kilogram of solvent."""
    ions: Ions = {}
    """Ions of the salts that are not built in, as in {TFA-: {smiles: "O=C([O-])C(F)(F)F"}}. The names of cation and
    anion without their charges make the name of the salt: LiTFA, Mg(TFA)2."""
    solvent: SolventParts = {}
    """Ratio of the solvents, as in {EC: 1, DMC: 1}."""
    solvent_ratio: Literal["mole", "mass", "volume"] = "mole"
    """What the ratio of the solvents counts."""
    n_atoms: Annotated[int, Field(ge=10)] | None = None
    """About how many atoms salt and solvent resolve to: within 20 %, the numbers of molecules closest to the
    composition asked for. More than 5 % off is an error that names the nearest sizes that serve."""
    force_field: str | dict[Literal["opls-aa"], str]
    """`tip3p` (water), `opls-aa`, or an installed OpenFF version such as `openff-2.2.1`. `{opls-aa: extra.csv}` adds a
    table of your own terms (docs/opls-aa.md)."""
    density: Annotated[Density | Literal["npt"] | None, BeforeValidator(_density)] = None
    """A number in g/cm3: packed to it and held there. `npt`: the mean of dynamics at constant pressure. Also accepted
    as density_g_per_cm3."""
    periodic: bool = True
    """False: one molecule without a box, no cutoff, no density."""
    cutoff_angstrom: Positive | None = None
    """Of the Lennard-Jones and real-space Coulomb terms; at most half the box. Null: 12 Å, in small boxes 0.45 of the
    width that the box is expected to have."""
    rigid_water: bool = False
    """Constrain bonds and angle of water. The networks then never see a stretched bond in pre-training."""
    constraints: Literal["none", "h-bonds"] = "none"
    """`h-bonds` keeps bonds to hydrogen at their length and allows 2 fs steps; same caveat as for rigid_water."""
    hydrogen_mass_amu: Annotated[float, Field(ge=1.0, le=4.0)] | None = None
    """Mass of hydrogens, taken from the atoms they are bonded to; null: their own. Changes no average over
    configurations, but all times; 3 with constraints h-bonds allows steps of 4 fs."""
    ion_charge_scale: Annotated[Positive, Field(le=1.5)] = 1.0
    """Factor of the charges of all ions; 0.7 to 0.85 stands for electronic polarisation in the literature."""
    temperatures_kelvin: list[Annotated[Kelvin, Field(le=5000)]] = Field(
        default=[100.0 * i for i in range(1, 11)], min_length=1
    )
    """Ascending. One classical MD run each."""
    sampling: Sampling = Sampling()
    npt: NPT | None = None
    """How the density is found where it is `npt`; all defaults when left out there."""
    annealing: Annealing | None = None
    """Cool from a high temperature before the sampling; `annealing: {}` takes the defaults. Null: not done."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema["properties"].update(density_g_per_cm3=schema["properties"]["density"])
    )

    @model_validator(mode="before")
    @classmethod
    def _names_and_defaults(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        raw = dict(raw)
        if "density_g_per_cm3" in raw:
            if "density" in raw:
                raise ValueError("density and density_g_per_cm3 are the same setting: keep one of them")
            raw["density"] = raw.pop("density_g_per_cm3")
        if raw.get("density") == "npt" and raw.get("npt") is None:
            raw["npt"] = {}
        return raw

    @field_validator("force_field")
    @classmethod
    def _known_force_field(cls, raw: Any) -> Any:
        name = raw if isinstance(raw, str) else next(iter(raw), "")
        if name not in FORCE_FIELDS and not OPENFF.match(name):
            raise unknown_name("", name, FORCE_FIELDS)
        return raw

    @field_validator("temperatures_kelvin")
    @classmethod
    def _ascending(cls, temperatures: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(temperatures)):
            raise ValueError(f"temperatures must ascend without repetition, got {temperatures}")
        return temperatures

    @model_validator(mode="after")
    def _consistent(self) -> "System":
        self._check_contents()
        if not self.periodic:
            unused = [name for name in ("density", "cutoff_angstrom", "npt") if getattr(self, name) is not None]
            if unused:
                raise ValueError(f"periodic: false has no box, so {' and '.join(unused)} must be left out")
            if sum(self.box.amounts.values()) != 1:
                raise ValueError("periodic: false is for one molecule alone: give one species with count 1")
        elif self.density is None:
            raise ValueError("density is needed: a number in g/cm3, or npt (or periodic: false for one molecule)")
        elif self.npt and self.density != "npt":
            raise ValueError(
                f"npt settings are given, but density is the number {self.density:g}: "
                "set density: npt to find the density, or leave out npt"
            )
        assert self.box
        return self

    def _check_contents(self) -> None:
        if self.species is not None and (self.salt or self.solvent or self.n_atoms):
            raise ValueError("give either species with counts, or salt and solvent with n_atoms, not both")
        if self.ions and not self.salt:
            ion = next(iter(self.ions))
            raise ValueError(
                f"ions belong to salt, which is missing; with species, write {ion}: {{smiles: ..., count: ...}} there"
            )
        if self.species is None:
            missing = [name for name in ("solvent", "n_atoms") if not getattr(self, name)]
            if missing:
                raise ValueError(
                    "species is needed, for example {water: 64}, or salt with solvent and n_atoms"
                    if not self.salt and not self.solvent
                    else f"{' and '.join(missing)} is needed beside {'solvent' if self.solvent else 'salt'}"
                )

    @property
    def set_density(self) -> float | None:
        """The density given in g/cm3; None where it is to be found."""
        return self.density if isinstance(self.density, float) else None

    @cached_property
    def contents(self) -> dict[str, SpeciesAmount]:
        """Species and counts, those of salt and solvent resolved to whole molecules."""
        if self.species is not None:
            return self.species
        return resolve(self.salt, self.solvent, self.solvent_ratio, self.n_atoms, self.set_density, self.ions)

    @property
    def asked_and_reached(self) -> list[str]:
        """Concentrations and ratio of salt and solvent asked for, beside those of whole molecules; none of species."""
        if self.species is not None:
            return []
        return asked_and_reached(self.salt, self.solvent, self.solvent_ratio, self.n_atoms, self.set_density, self.ions)

    @property
    def amounts(self) -> dict[Species, int]:
        """Each species and how many molecules of it."""
        return _amounts("species", self.contents)

    @property
    def charge(self) -> int:
        """Total charge, e."""
        return sum(one.charge * n for one, n in self.amounts.items())

    @property
    def n_protons(self) -> int:
        """Sum of the atomic numbers."""
        return sum(one.n_protons * n for one, n in self.amounts.items())

    @property
    def expected_density_g_per_cm3(self) -> float:
        """The density given, or a first guess of what constant pressure will find."""
        return self.set_density or estimated_density(self.amounts)

    @property
    def box(self) -> Box:
        """The part that building depends on: other temperatures do not build another box."""
        packed = cutoff = None
        if self.periodic:
            packed = expected = self.expected_density_g_per_cm3
            if self.npt:
                packed = self.npt.start_density_g_per_cm3 or START_OF_DENSITY * expected
            width = cubic_length_angstrom(self.amounts, max(packed, expected))
            cutoff = self.cutoff_angstrom or min(LARGEST_CUTOFF_ANGSTROM, round(CUTOFF_OF_LENGTH * width, 2))
        plain = isinstance(self.force_field, str)
        return Box(
            species=self.contents,
            force_field=self.force_field if plain else "opls-aa",
            extra_terms=None if plain else self.force_field["opls-aa"],
            density_g_per_cm3=packed,
            cutoff_angstrom=cutoff,
            rigid_water=self.rigid_water,
            constraints=self.constraints,
            hydrogen_mass_amu=self.hydrogen_mass_amu,
            ion_charge_scale=self.ion_charge_scale,
        )

    @property
    def has_constraints(self) -> bool:
        """Whether bonds are held at their length, so that forces of the force field are incomplete."""
        return self.constraints != "none" or (self.rigid_water and any(one.is_water for one in self.amounts))

    def composition(self, density_g_per_cm3: float | None = None) -> dict[str, Any]:
        """What is in the box: see `gpip.config.composition.composition`."""
        return composition(self.amounts, density_g_per_cm3 or self.set_density)


def temperature_label(temperature_kelvin: float) -> str:
    """A temperature as part of a path: 300.0 gives "300", 298.15 gives "298.15"."""
    return f"{temperature_kelvin:g}"
