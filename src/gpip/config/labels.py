"""Settings of reference energies and forces: computed by an engine, or read from published files."""

from typing import Annotated, Literal

from pydantic import Field

from gpip.config.base import Count, Kelvin, Name, Positive, Strict


class Checks(Strict):
    """A labelled frame beyond one of these is listed with its reason and left out."""

    max_net_force_ev_per_angstrom: Positive = 1.0
    """Norm of the summed force: large where a plane-wave or grid calculation is not converged."""
    max_force_ev_per_angstrom: Positive = 30.0
    """On any one atom."""
    min_distance_angstrom: Positive = 0.6
    """Closest contact of two atoms, periodic images included."""


class TBLiteLabels(Strict):
    """Configurations drawn from a classical run, labelled with GFN-xTB."""

    source: Literal["tblite"]
    system: Name
    temperature_kelvin: Kelvin
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


class PublishedLabels(Strict):
    """What all labels have that are read from existing files."""

    path: str
    """Relative to data_dir."""
    time_step_fs: Positive | None = None
    """Time between frames, where they are one trajectory in order; diffusion needs it."""
    temperature_kelvin: Kelvin | None = None
    checks: Checks = Checks()


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
