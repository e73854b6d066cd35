"""Settings of reference energies and forces: computed by an engine, or read from published files."""

from typing import Annotated, Literal

from ase.data import chemical_symbols
from pydantic import Field, field_validator, model_validator

from gpip.config.base import Count, Name, Positive, Strict


class Checks(Strict):
    """A labelled frame beyond one of these is listed with its reason and left out."""

    max_net_force_ev_per_angstrom: Positive = 1.0
    """Norm of the summed force: large where a plane-wave or grid calculation is not converged."""
    max_force_ev_per_angstrom: Positive = 30.0
    """On any one atom."""
    min_distance_angstrom: Positive = 0.6
    """Closest contact of two atoms, periodic images included."""


ReferenceChoice = Literal["fitted", "isolated"] | dict[str, Annotated[float, Field(allow_inf_nan=False)]]


class LabelSettings(Strict):
    """What all labels have."""

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
            unknown = [symbol for symbol in given if symbol not in chemical_symbols[1:]]
            if unknown or not given:
                raise ValueError(
                    f"{', '.join(unknown) or 'nothing given'}: expected symbols of elements with the energies of their "
                    "isolated atoms in eV, such as {H: -13.6, O: -2041.8}; or fitted, or isolated"
                )
        return given


class TBLiteLabels(LabelSettings):
    """Configurations drawn from a classical run, labelled with GFN-xTB."""

    source: Literal["tblite"]
    system: Name
    temperature_kelvin: Positive
    n_frames: Count
    """Drawn evenly over the run."""
    frames_per_job: Count = 10
    method: Literal["GFN1-xTB", "GFN2-xTB"] = "GFN1-xTB"
    accuracy: Positive = 1.0
    max_iterations: Count = 250
    electronic_temperature_kelvin: Positive = 300.0
    checks: Checks = Checks()

    @property
    def n_jobs(self) -> int:
        return -(-self.n_frames // self.frames_per_job)


class PublishedLabels(LabelSettings):
    """What all labels have that are read from existing files."""

    path: str
    """Relative to data_dir."""
    level_of_theory: str | None = None
    """Such as `wB97X/6-31G(d)`: isolated atoms of some levels are tabulated (docs/using-a-potential.md)."""
    time_step_fs: Positive | None = None
    """Time between frames, where they are one trajectory in order; diffusion needs it."""
    temperature_kelvin: Positive | None = None
    checks: Checks = Checks()

    @model_validator(mode="after")
    def _level_of_isolated_atoms(self) -> "PublishedLabels":
        if self.reference_energies == "isolated" and self.level_of_theory is None:
            raise ValueError(
                "reference_energies isolated needs level_of_theory, by which isolated atoms are found in a table; or "
                "give their energies, {H: ..., O: ...} in eV, or fitted"
            )
        return self


class DeePMDLabels(PublishedLabels):
    """A DeePMD folder: type.raw, type_map.raw and set.*/{coord,box,energy,force}.npy in Å and eV."""

    source: Literal["deepmd"]


class NPZLabels(PublishedLabels):
    """A NumPy archive of one molecule without a box, as those of MD17, rMD17 and sGDML."""

    source: Literal["npz"]
    energy_unit: Literal["kcal/mol", "kJ/mol", "eV", "hartree"] = "kcal/mol"
    length_unit: Literal["angstrom", "bohr"] = "angstrom"
    """Forces are in energy_unit per length_unit."""
    keys: dict[Literal["positions", "energy", "forces", "species"], str] = {}
    """Names of the arrays in the file, where they are none of R, positions, coords; E, energy, energies; F, forces;
    z, atomic_numbers, nuclear_charges."""


Labels = Annotated[TBLiteLabels | DeePMDLabels | NPZLabels, Field(discriminator="source")]
PUBLISHED = {"deepmd": DeePMDLabels, "npz": NPZLabels}
