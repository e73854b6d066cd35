"""One molecule of a species: coordinates and topology."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from openmm.app import Element

from gpip.core.species import Species, isotope_masses, molecule_of_smiles
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
    isotopes: Mapping[int, float] = field(default_factory=dict)
    """Mass in amu of each atom whose isotope the SMILES names."""

    @property
    def n_atoms(self) -> int:
        return len(self.elements)

    @property
    def masses_amu(self) -> np.ndarray:
        """[n_atoms]: of the isotope where the SMILES names one, else the standard atomic weight."""
        standard = [Element.getBySymbol(symbol).mass._value for symbol in self.elements]
        return np.array([self.isotopes.get(i, mass) for i, mass in enumerate(standard)])

    @property
    def mass_amu(self) -> float:
        return float(self.masses_amu.sum())


def _water(elements: tuple[str, ...], isotopes: Mapping[int, float]) -> Molecule:
    """Water as TIP3P has it (Jorgensen et al., J. Chem. Phys. 79, 926, 1983): the gas-phase geometry.

    `[2H]O[2H]` names a hydrogen before the oxygen, so the order of the atoms is that of `elements`.
    """
    half = np.radians(WATER_HOH_DEGREES) / 2
    hydrogen = WATER_OH_ANGSTROM * np.array([np.sin(half), np.cos(half), 0.0])
    oxygen, (first, second) = elements.index("O"), (i for i, symbol in enumerate(elements) if symbol == "H")
    positions, names = np.zeros((3, 3)), ["", "", ""]
    positions[[first, second]] = hydrogen, hydrogen * [-1, 1, 1]
    names[oxygen], names[first], names[second] = "O", "H1", "H2"
    return Molecule("HOH", tuple(names), elements, ((oxygen, first), (oxygen, second)), positions, isotopes)


def molecule_of(species: Species, residue: str) -> Molecule:
    """The molecule of a species: TIP3P's geometry for water, else embedded from its SMILES by RDKit.

    Atoms are in the order of the SMILES, hydrogens behind.

    Raises:
        InputError: RDKit finds no coordinates for it.
    """
    isotopes = isotope_masses(f"species {species.name!r}", species.smiles)
    if species.is_water:
        return _water(species.elements, isotopes)
    atom_names = tuple(f"{symbol}{i}" for i, symbol in enumerate(species.elements, start=1))
    molecule = molecule_of_smiles(f"species {species.name!r}", species.smiles)
    bonds = tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds())
    positions = start_positions(species.name, species.smiles)
    return Molecule(residue, atom_names, species.elements, bonds, positions, isotopes)


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
