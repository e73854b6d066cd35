"""One molecule of a species: coordinates and topology."""

from dataclasses import dataclass

import numpy as np
from openmm.app import Element

from gpip.core.errors import InputError
from gpip.core.species import find_species

WATER_OH_ANGSTROM = 0.9572
WATER_HOH_DEGREES = 104.52
EMBEDDING_SEED = 2026
"""The shape of a molecule does not depend on the seed of a run."""


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


def from_smiles(name: str, smiles: str) -> Molecule:
    """The molecule of a SMILES, hydrogens added, embedded by RDKit. Raises InputError when that fails."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(molecule, randomSeed=EMBEDDING_SEED) != 0:
        raise InputError(f"species {name!r}: no 3D coordinates were found for SMILES {smiles!r}; check the SMILES")
    elements = tuple(atom.GetSymbol() for atom in molecule.GetAtoms())
    atom_names = tuple(f"{symbol}{i}" for i, symbol in enumerate(elements, start=1))
    bonds = tuple((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds())
    return Molecule(name[:3].upper(), atom_names, elements, bonds, molecule.GetConformer().GetPositions())


def molecule_of(name: str) -> Molecule:
    """The molecule of a species, from its SMILES, or the model's own geometry for water.

    Raises:
        InputError: the species is not known, or no coordinates can be found for it.
    """
    species = find_species("species", name)
    return _water() if name == "water" else from_smiles(name, species.smiles)
