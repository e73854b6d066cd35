"""A molecule with every term of its force field: what OpenMM systems and tables of parameters are made from."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Atom(NamedTuple):
    """Type and non-bonded parameters of one atom."""

    element: str
    type_name: str
    """Name of the atom type, which charge and Lennard-Jones parameters belong to."""
    class_name: str
    """Name of the class, which bonded terms belong to."""
    mass_amu: float
    charge_e: float
    sigma_nm: float
    epsilon_kj_per_mol: float
    source: str


class Bond(NamedTuple):
    """U = k/2 (r - r0)^2."""

    atoms: tuple[int, int]
    length_nm: float
    k_kj_per_mol_nm2: float
    source: str


class Angle(NamedTuple):
    """U = k/2 (θ - θ0)^2; the centre is the second atom."""

    atoms: tuple[int, int, int]
    angle_rad: float
    k_kj_per_mol_rad2: float
    source: str


class Torsion(NamedTuple):
    """U = V1/2 (1 + cos φ) + V2/2 (1 - cos 2φ) + V3/2 (1 + cos 3φ) + V4/2 (1 - cos 4φ); φ = 180° is trans."""

    atoms: tuple[int, int, int, int]
    v_kj_per_mol: tuple[float, float, float, float]
    source: str


class Improper(NamedTuple):
    """U = V2/2 (1 - cos 2φ) of the dihedral angle of these atoms as ordered; the centre is the third."""

    atoms: tuple[int, int, int, int]
    v2_kj_per_mol: float
    source: str


@dataclass(frozen=True)
class TypedMolecule:
    """A molecule and its terms; atoms in the order of its SMILES, hydrogens added behind by RDKit."""

    name: str
    smiles: str
    atoms: tuple[Atom, ...]
    bonds: tuple[Bond, ...]
    angles: tuple[Angle, ...]
    torsions: tuple[Torsion, ...]
    impropers: tuple[Improper, ...]
    neighbours: tuple[tuple[int, ...], ...]
    """Bonded atoms of each atom: exclusions follow from them, not from which terms there are."""

    @property
    def charge_e(self) -> float:
        return sum(atom.charge_e for atom in self.atoms)

    @cached_property
    def excluded_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs i < j one or two bonds apart, in ascending order: they do not interact beyond their bonded terms."""
        near = {(i, j) for i, bonded in enumerate(self.neighbours) for j in bonded}
        near |= {(i, k) for i, j in near for k in self.neighbours[j]}
        return tuple(sorted((i, j) for i, j in near if i < j))

    @cached_property
    def scaled_pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs i < j exactly three bonds apart (in a ring: by the shorter way), whose interaction is halved."""
        excluded = set(self.excluded_pairs)
        reached = {
            (min(i, m), max(i, m))
            for i, first in enumerate(self.neighbours)
            for j in first
            for k in self.neighbours[j]
            for m in self.neighbours[k]
            if m != i
        }
        return tuple(sorted(reached - excluded))
