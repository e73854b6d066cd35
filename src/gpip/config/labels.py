"""Settings of reference energies and forces that hold for every source: what is selected, checked and allowed to fail.

The settings of each engine are in `gpip.config.engines`, those of each file format in `gpip.config.readers`.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from gpip.config.base import Count, Fraction, Kelvin, Name, NotNegative, Positive, Strict


class Checks(Strict):
    """A labelled frame beyond one of these is listed with its reason and left out."""

    max_net_force_ev_per_angstrom: Positive = 1.0
    """Norm of the summed force: large where a plane-wave or grid calculation is not converged."""
    max_force_ev_per_angstrom: Positive = 30.0
    """On any one atom."""
    min_distance_angstrom: Positive = 0.6
    """Closest contact of two atoms, periodic images included."""


class Source(Strict):
    """Classical runs that configurations are selected from."""

    system: Name
    temperatures_kelvin: list[Kelvin] | None = Field(None, min_length=1)
    """Null takes every temperature that the system is sampled at."""


class BackboneDescriptor(Strict):
    """Features of the atoms of a pre-trained network, averaged over the atoms of a configuration."""

    kind: Literal["backbone"]
    pretraining_set: Name
    backbone: Name
    recipe: Name
    seed: int = 0
    """Of the pre-training run."""


class SOAPDescriptor(Strict):
    """Smooth overlap of atomic positions (Bartók et al. 2013), averaged over the atoms; needs the package dscribe."""

    kind: Literal["soap"]
    cutoff_angstrom: Positive = 5.0
    n_max: Count = 6
    """Radial basis functions."""
    l_max: int = Field(4, ge=0, le=12)
    """Largest degree of the spherical harmonics."""
    sigma_angstrom: Positive = 0.5
    """Width of the Gaussian that stands for an atom."""


Descriptor = Annotated[BackboneDescriptor | SOAPDescriptor, Field(discriminator="kind")]


class Selection(Strict):
    """Which configurations of classical runs are labelled."""

    model_config = ConfigDict(populate_by_name=True)

    method: Literal["even", "random", "farthest"] = "even"
    """`even`: evenly in time, with an equal share for each run. `random`: drawn from all runs together by the seed of
    the project. `farthest`: each configuration is the one farthest from those selected before it in the space of a
    descriptor."""
    n_frames: Count
    """Of all runs together."""
    sources: list[Source] = Field(alias="from", min_length=1)
    """Systems and temperatures, for example `[{system: water, temperatures_kelvin: [300, 400]}, {system: brine}]`."""
    descriptor: Descriptor | None = None
    """Of `method: farthest`."""
    min_rmsd_angstrom: NotNegative = 0.01
    """A configuration is skipped as a near-duplicate, and replaced by another, when the root mean square distance of
    its atoms from those of a selected one is not larger than this. A common shift is taken out, and for molecules
    without a box a common rotation."""
    min_descriptor_distance: NotNegative = 0.0
    """Likewise for the distance in the descriptor, in which each component has unit variance over the candidates."""

    @model_validator(mode="after")
    def _consistent(self) -> "Selection":
        if (self.method == "farthest") != (self.descriptor is not None):
            raise ValueError(
                "method farthest needs a descriptor, for example {kind: soap}"
                if self.method == "farthest"
                else f"descriptor is for method farthest, but method is {self.method}"
            )
        if self.min_descriptor_distance and self.descriptor is None:
            raise ValueError("min_descriptor_distance needs a descriptor: use min_rmsd_angstrom, or method farthest")
        systems = [one.system for one in self.sources]
        if len(set(systems)) < len(systems):
            raise ValueError(f"from names a system twice: {systems}; list its temperatures_kelvin together")
        for one in self.sources:
            if one.temperatures_kelvin and len(set(one.temperatures_kelvin)) < len(one.temperatures_kelvin):
                raise ValueError(f"from: temperatures_kelvin of {one.system} holds the same temperature twice")
        return self


ReferenceChoice = Literal["fitted", "isolated"] | dict[str, Annotated[float, Field(allow_inf_nan=False)]]


class LabelSettings(Strict):
    """What all labels have, computed or read."""

    checks: Checks = Checks()
    reference_energies: ReferenceChoice | None = None
    """Energy per element that a network starts from. `isolated`: energies of isolated atoms at the level of theory of
    the labels, corrected by what the compositions of the training frames determine. `{H: -13.6, O: -2041.8}`: the same,
    with your own energies of isolated atoms in eV. `fitted`: a fit to the training frames alone; what their
    compositions do not determine is then arbitrary. null: `isolated` where an engine computes the labels or
    level_of_theory is in the table of docs/using-a-potential.md, else `fitted`."""

    @field_validator("reference_energies")
    @classmethod
    def _elements(cls, given: ReferenceChoice | None) -> ReferenceChoice | None:
        if isinstance(given, dict):
            from ase.data import chemical_symbols  # not when modules are imported: ASE takes a while

            unknown = [symbol for symbol in given if symbol not in chemical_symbols[1:]]
            if unknown or not given:
                raise ValueError(
                    f"{', '.join(unknown) or 'nothing given'}: expected symbols of elements with the energies of their "
                    "isolated atoms in eV, such as {H: -13.6, O: -2041.8}; or fitted, or isolated"
                )
        return given


class ComputedLabels(LabelSettings):
    """Configurations of classical runs, labelled by an engine. The short form `system`, `temperature_kelvin` and
    `n_frames` selects evenly from one run; `selection` says everything."""

    selection: Selection | None = None
    """Which configurations of which systems and temperatures."""
    system: Name | None = None
    """Of the short form."""
    temperature_kelvin: Kelvin | None = None
    """Of the classical run, in the short form."""
    n_frames: Count | None = None
    """Of the short form: taken evenly in time from one run."""
    frames_per_job: Count = 10
    time_limit_seconds: Positive | None = None
    """For one frame. A calculation that takes longer is stopped and its frame listed as failed; null: no limit."""
    max_failed_fraction: Fraction = 0.1
    """The run stops when the engine failed for more than this part of the frames."""
    cores: Count = 1
    """Of each job."""
    charge: int | dict[Name, int] | None = None
    """Total charge in e, one for all or by system; null: the sum of the charges of the species."""
    multiplicity: Count | dict[Name, Count] = 1
    """2S + 1, one for all or by system; an odd number of electrons needs an even one."""

    @model_validator(mode="after")
    def _one_form(self) -> "ComputedLabels":
        short = {name: getattr(self, name) for name in ("system", "temperature_kelvin", "n_frames")}
        if self.selection is not None and any(value is not None for value in short.values()):
            given = [name for name, value in short.items() if value is not None]
            raise ValueError(f"selection and {', '.join(given)} are given: move {', '.join(given)} into selection")
        if self.selection is None:
            missing = [name for name, value in short.items() if value is None]
            if missing:
                raise ValueError(
                    f"{', '.join(missing)} missing: give system, temperature_kelvin and n_frames, or a selection"
                )
        for what in ("charge", "multiplicity"):
            value = getattr(self, what)
            unknown = set(value) - set(self.systems) if isinstance(value, dict) else ()
            if unknown:
                raise ValueError(f"{what} names {', '.join(sorted(unknown))}, which is not labelled: {self.systems}")
        return self

    @property
    def selected(self) -> Selection:
        """The selection, the short form written out."""
        if self.selection is not None:
            return self.selection
        source = Source(system=self.system, temperatures_kelvin=[self.temperature_kelvin])
        return Selection(n_frames=self.n_frames, sources=[source])

    @property
    def systems(self) -> list[str]:
        return [one.system for one in self.selected.sources]

    @property
    def n_jobs(self) -> int:
        return -(-self.selected.n_frames // self.frames_per_job)

    def charge_of(self, system: str) -> int | None:
        """Charge in e that is given for a system; None where the species decide."""
        return self.charge.get(system) if isinstance(self.charge, dict) else self.charge

    def n_unpaired_of(self, system: str) -> int:
        """Unpaired electrons of a system."""
        multiplicity = self.multiplicity.get(system, 1) if isinstance(self.multiplicity, dict) else self.multiplicity
        return multiplicity - 1


class FileLabels(LabelSettings):
    """What all labels have that are read from existing files."""

    path: str
    """Relative to data_dir."""
    level_of_theory: str | None = None
    """Such as `wB97X/6-31G(d)`: isolated atoms of some levels are tabulated (docs/using-a-potential.md)."""
    time_step_fs: Positive | None = None
    """Time between frames, where they are one trajectory in order; diffusion needs it."""
    temperature_kelvin: Kelvin | None = None

    @model_validator(mode="after")
    def _level_of_isolated_atoms(self) -> "FileLabels":
        if self.reference_energies == "isolated" and self.level_of_theory is None:
            raise ValueError(
                "reference_energies isolated needs level_of_theory, by which isolated atoms are found in a table; or "
                "give their energies, {H: ..., O: ...} in eV, or fitted"
            )
        return self
