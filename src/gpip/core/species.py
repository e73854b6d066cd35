"""Molecules known by name: SMILES, and what a configuration check needs to know of them."""

from typing import NamedTuple

from gpip.core.errors import unknown_name


class Species(NamedTuple):
    smiles: str
    charge: int
    elements: tuple[str, ...]
    molar_mass_g_per_mol: float
    force_fields: tuple[str, ...]


SPECIES: dict[str, Species] = {
    "water": Species("O", 0, ("O", "H", "H"), 18.01528, ("tip3p",)),
}


def find_species(where: str, name: str) -> Species:
    """The species of that name. Raises InputError, with the nearest name, when there is none."""
    if name not in SPECIES:
        raise unknown_name(where, name, SPECIES)
    return SPECIES[name]
