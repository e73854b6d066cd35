"""A SMILES as an RDKit molecule: its atoms' neighbours, six-coordinate centres, coordinates to start from."""

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem

from gpip.core.errors import InputError
from gpip.core.species import molecule_of_smiles

EMBEDDING_SEED = 2026
"""The shape of a molecule, and so its terms, do not depend on the seed of a run."""
TRANS_ABOVE_DEGREES = 135.0
"""Two ligands of an octahedron are 90° or 180° apart."""


def molecule_from(name: str, smiles: str) -> Chem.Mol:
    """The molecule with its hydrogens behind the atoms of the SMILES; six-coordinate centres are marked octahedral.

    Raises:
        InputError: the SMILES cannot be read, or is not one molecule.
    """
    molecule = Chem.Mol(molecule_of_smiles(f"species {name!r}", smiles))
    for atom in molecule.GetAtoms():
        if atom.GetDegree() == 6 and atom.GetChiralTag() == Chem.ChiralType.CHI_UNSPECIFIED:
            # Without a mark RDKit embeds six ligands at any angles. @OH1 of SMILES: first and last ligand opposite.
            atom.SetChiralTag(Chem.ChiralType.CHI_OCTAHEDRAL)
            atom.SetIntProp("_chiralPermutation", 1)
    return molecule


def neighbours_of(molecule: Chem.Mol) -> tuple[tuple[int, ...], ...]:
    """Bonded atoms of each atom, ascending."""
    return tuple(tuple(sorted(near.GetIdx() for near in atom.GetNeighbors())) for atom in molecule.GetAtoms())


def start_positions(name: str, smiles: str) -> np.ndarray:
    """Coordinates to start from, [n_atoms, 3] in Å: embedded by RDKit with a fixed seed, octahedra as such.

    RDKit alone gives PF6- ligands at 55° to 140°; here they are within some degrees of 90° and 180°.

    Raises:
        InputError: no coordinates are found for the molecule.
    """
    return _embedded(name, molecule_from(name, smiles))


def _embedded(name: str, molecule: Chem.Mol) -> np.ndarray:
    copy = Chem.Mol(molecule)
    with rdBase.BlockLogs():
        failed = AllChem.EmbedMolecule(copy, randomSeed=EMBEDDING_SEED) != 0
    if failed:
        raise InputError(f"species {name!r}: no 3D coordinates were found; check its SMILES {Chem.MolToSmiles(copy)!r}")
    return copy.GetConformer().GetPositions()


def opposite_pairs(name: str, molecule: Chem.Mol) -> set[tuple[int, int, int]]:
    """Ligand, centre, ligand (ligands ascending) of the three opposite pairs of each six-coordinate centre.

    An angle term of 90° belongs to neighbouring ligands only.

    Raises:
        InputError: the six neighbours of an atom do not form an octahedron.
    """
    centres = [i for i, near in enumerate(neighbours_of(molecule)) if len(near) == 6]
    if not centres:
        return set()
    positions = _embedded(name, molecule)
    pairs = set()
    for centre in centres:
        ligands = neighbours_of(molecule)[centre]
        directions = positions[list(ligands)] - positions[centre]
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        first, second = np.nonzero(np.triu(directions @ directions.T < np.cos(np.radians(TRANS_ABOVE_DEGREES))))
        if sorted([*first, *second]) != list(range(6)):
            raise InputError(f"species {name!r}: the six neighbours of atom {centre} do not form an octahedron")
        pairs |= {(ligands[i], centre, ligands[j]) for i, j in zip(first, second, strict=True)}
    return pairs
