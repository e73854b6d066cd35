"""One molecule of a species: coordinates and topology."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from openmm.app import Element

from gpip.core.species import Species, molecule_of_smiles
from gpip.forcefields.opls.structure import start_positions

WATER_OH_ANGSTROM = 0.9572
WATER_HOH_DEGREES = 104.52


@dataclass(frozen=True)
class Molecule:
    """A molecule as it is packed into a box."""

    residue: str
    """Residue name of the topology, at most three letters."""
    atom_names: tuple[str, ...]
    elements: tuple[str, ...]
    bonds: tuple[tuple[int, int], ...]
    positions: np.ndarray
    """[n_atoms, 3], angstrom."""

    @property
    def n_atoms(self) -> int:
        return len(self.elements)

    @property
    def mass_amu(self) -> float:
        return sum(Element.getBySymbol(symbol).mass._value for symbol in self.elements)


def _water() -> Molecule:
    """Water as TIP3P has it (Jorgensen et al., J. Chem. Phys. 79, 926, 1983): the gas-phase geometry."""
    half = np.radians(WATER_HOH_DEGREES) / 2
    hydrogen = WATER_OH_ANGSTROM * np.array([np.sin(half), np.cos(half), 0.0])
    positions = np.stack([np.zeros(3), hydrogen, hydrogen * [-1, 1, 1]])
    return Molecule("HOH", ("O", "H1", "H2"), ("O", "H", "H"), ((0, 1), (0, 2)), positions)


def molecule_of(species: Species, residue: str) -> Molecule:
    """The molecule of a species: TIP3P's geometry for water, else embedded from its SMILES by RDKit.

    Atoms are in the order of the SMILES, hydrogens behind.

    Raises:
        InputError: RDKit finds no coordinates for it.
    """
    if species.is_water:
        return _water()
    atom_names = tuple(f"{symbol}{i}" for i, symbol in enumerate(species.elements, start=1))
    molecule = molecule_of_smiles(f"species {species.name!r}", species.smiles)
    bonds = tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds())
    positions = start_positions(species.name, species.smiles)
    return Molecule(residue, atom_names, species.elements, bonds, positions)


def residue_names(species: Iterable[Species]) -> dict[str, str]:
    """A residue name of three characters for each species: HOH for water, else DME0 style made short and unique.

    The digit at the end keeps clear of the names of amino acids, nucleotides and ions that programs know.
    """
    names: dict[str, str] = {}
    for one in species:
        letters = "".join(c for c in one.name.upper() if c.isalpha() and c.isascii())[:2] or "X"
        tails = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        found = (letters + tail for tail in tails if letters + tail not in names.values())
        names[one.name] = "HOH" if one.is_water else next(found)
    return names
