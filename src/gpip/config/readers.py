"""Settings of the formats that labels are read from: one class each, named in READERS and in `labelling.registry`."""

from typing import Literal

from gpip.config.labels import FileLabels


class DeePMDLabels(FileLabels):
    """A DeePMD folder: type.raw, type_map.raw and set.*/{coord,box,energy,force}.npy in Å and eV."""

    source: Literal["deepmd"]


class NPZLabels(FileLabels):
    """A NumPy archive of one molecule without a box, as those of MD17, rMD17 and sGDML."""

    source: Literal["npz"]
    energy_unit: Literal["kcal/mol", "kJ/mol", "eV", "hartree"] = "kcal/mol"
    length_unit: Literal["angstrom", "bohr"] = "angstrom"
    """Forces are in energy_unit per length_unit."""
    keys: dict[Literal["positions", "energy", "forces", "species"], str] = {}
    """Names of the arrays in the file, where they are none of R, positions, coords; E, energy, energies; F, forces;
    z, atomic_numbers, nuclear_charges."""


READERS: dict[str, type[FileLabels]] = {"deepmd": DeePMDLabels, "npz": NPZLabels}
"""Settings of each format by the name that config.yaml gives in `source`."""
