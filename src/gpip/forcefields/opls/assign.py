"""A molecule to its OPLS-AA atom types and terms."""

import itertools
from functools import cache
from pathlib import Path

import numpy as np
from rdkit import Chem

from gpip.core.errors import InputError
from gpip.core.species import isotope_masses
from gpip.forcefields.opls.missing import Missing, atom_label, charge_error
from gpip.forcefields.opls.rows import ANY_CLASS
from gpip.forcefields.opls.structure import molecule_from, neighbours_of, opposite_pairs
from gpip.forcefields.opls.tables import AtomType, Tables, Term, load_tables
from gpip.forcefields.terms import Angle, Atom, Bond, Improper, Torsion, TypedMolecule

CHARGE_TOLERANCE_E = 1e-4
"""Allowed difference of the types' charges from the formal charge; tables hold at least three digits."""
PLANAR_CENTRES = tuple(
    Chem.MolFromSmarts(smarts) for smarts in ("[#6X3]", "[#7X3;$(N[#6X3]=[O,S,N])]", "[nX3]", "[#7X3](=O)~[O]")
)
"""Atoms that OPLS-AA holds planar, each by one improper: carbon with three neighbours, nitrogen of amides, aromatic
nitrogen, nitro groups."""


def type_molecule(name: str, smiles: str, extra: str | Path | None = None) -> TypedMolecule:
    """The molecule with type, charge and Lennard-Jones parameters of each atom, and all its bonded terms.

    Types are chosen by SMARTS, bonded terms by the classes of the types (Jorgensen, Maxwell, Tirado-Rives,
    J. Am. Chem. Soc. 118, 11225, 1996, and the sources in the tables). Atoms stand in the order of the SMILES,
    with the hydrogens RDKit adds behind them.

    Args:
        name: what the species is called in an error.
        extra: a file with the user's own rows (format: `docs/opls-aa.md`), which replace built-in ones.

    Raises:
        InputError: the SMILES or the file cannot be read; types or terms are lacking (all of them in one message);
            or the charges do not sum to the formal charge within 1e-4 e.
    """
    tables = load_tables(extra)
    molecule = molecule_from(name, smiles)
    missing = Missing(name, smiles, molecule, tables)
    types = _types(name, molecule, tables, missing)
    neighbours = neighbours_of(molecule)
    typed = _with_terms(name, smiles, molecule, types, neighbours, tables, missing)
    missing.raise_if_any()
    formal = Chem.GetFormalCharge(molecule)
    if abs(typed.charge_e - formal) > CHARGE_TOLERANCE_E:
        raise charge_error(typed, formal)
    return typed


def _types(name: str, molecule: Chem.Mol, tables: Tables, missing: Missing) -> list[AtomType | None]:
    """Type of each atom: of those that fit the one of highest order, of equal order the user's."""
    fitting: list[list[AtomType]] = [[] for _ in range(molecule.GetNumAtoms())]
    for atom_type in tables.types.values():
        query = _query(atom_type.smarts)
        # The first atom of the SMARTS is the typed one.
        for i in {match[0] for match in molecule.GetSubstructMatches(query, uniquify=False, maxMatches=100_000)}:
            element = molecule.GetAtomWithIdx(i).GetSymbol()
            if element != atom_type.element:
                raise InputError(
                    f"{atom_type.where}: type {atom_type.name} is of element {atom_type.element}, but its SMARTS "
                    f"{atom_type.smarts!r} fits atom {element}{i} of {name!r}; its first atom must name the element"
                )
            fitting[i].append(atom_type)
    types: list[AtomType | None] = []
    for i, candidates in enumerate(fitting):
        candidates.sort(key=lambda candidate: (-candidate.order, not candidate.from_user))
        best = [c for c in candidates if (c.order, c.from_user) == (candidates[0].order, candidates[0].from_user)]
        if len(best) > 1:
            named = " and ".join(f"{c.name} ({c.where})" for c in best)
            raise InputError(
                f"species {name!r}: atom {atom_label(molecule, i)} fits types of equal order {best[0].order}: {named}; "
                "give the more special one a higher order"
            )
        if not best:
            missing.untyped(i)
        types.append(best[0] if best else None)
    return types


@cache
def _query(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


def _with_terms(
    name: str,
    smiles: str,
    molecule: Chem.Mol,
    types: list[AtomType | None],
    neighbours: tuple[tuple[int, ...], ...],
    tables: Tables,
    missing: Missing,
) -> TypedMolecule:
    """All terms of the typed atoms; what the tables lack is noted in `missing`."""

    def term(kind: str, *atoms: int) -> Term | None:
        of_atoms = [types[i] for i in atoms]
        if None in of_atoms:
            return None
        classes = tuple(atom_type.class_name for atom_type in of_atoms)
        found = tables.find(kind, classes)
        if found is None:
            missing.term(kind, classes, atoms)
        return found

    bonds, angles, torsions, impropers = [], [], [], []
    for i, j in _pairs(neighbours):
        if found := term("bond", i, j):
            bonds.append(Bond((i, j), *found.numbers, found.source))
    opposite = opposite_pairs(name, molecule)
    for j, near in enumerate(neighbours):
        for i, k in itertools.combinations(near, 2):
            if (i, j, k) not in opposite and (found := term("angle", i, j, k)):
                angles.append(Angle((i, j, k), float(np.radians(found.numbers[0])), found.numbers[1], found.source))
    for j, k in _pairs(neighbours):
        for i, m in itertools.product(neighbours[j], neighbours[k]):
            if i != k and m != j and i != m and (found := term("torsion", i, j, k, m)):
                torsions.append(Torsion((i, j, k, m), found.numbers, found.source))
    planar = {match[0] for query in PLANAR_CENTRES for match in molecule.GetSubstructMatches(query)}
    for centre, near in enumerate(neighbours):
        if len(near) != 3 or None in [types[i] for i in (centre, *near)]:
            continue
        i, j, k = near
        classes = tuple(types[atom].class_name for atom in (i, j, centre, k))
        if found := tables.find("improper", classes):
            atoms = _ordered_improper(found, centre, near, types)
            impropers.append(Improper(atoms, found.numbers[0], found.source))
        elif centre in planar:
            missing.term("improper", classes, (i, j, centre, k))
    isotopes = isotope_masses(f"species {name!r}", smiles)
    masses = [isotopes.get(i, t.mass_amu) if t else 0.0 for i, t in enumerate(types)]
    atoms = tuple(
        Atom(t.element, t.name, t.class_name, mass_amu, t.charge_e, t.sigma_nm, t.epsilon_kj_per_mol, t.source)
        for t, mass_amu in zip(types, masses, strict=True)
        if t
    )
    return TypedMolecule(
        name, smiles, atoms, tuple(bonds), tuple(angles), tuple(torsions), tuple(impropers), neighbours
    )  # fmt: skip


def _pairs(neighbours: tuple[tuple[int, ...], ...]) -> list[tuple[int, int]]:
    return [(i, j) for i, near in enumerate(neighbours) for j in near if i < j]


def _ordered_improper(
    found: Term, centre: int, near: tuple[int, ...], types: list[AtomType | None]
) -> tuple[int, int, int, int]:
    """Atoms in the order of the row's classes; where several orders fit, the lowest indices come first."""
    wanted = (*found.classes[:2], found.classes[3])
    for i, j, k in itertools.permutations(sorted(near)):
        classes = [types[atom].class_name for atom in (i, j, k)]
        if all(want in (ANY_CLASS, given) for want, given in zip(wanted, classes, strict=True)):
            return i, j, centre, k
    raise AssertionError(f"improper {found} does not fit the atoms it was found for")
