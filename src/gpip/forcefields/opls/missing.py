"""What the tables lack for a molecule, told in one error with what would mend it."""

import csv
import difflib
import re
from functools import cache
from pathlib import Path

from rdkit import Chem

from gpip.core.errors import InputError
from gpip.forcefields.opls.rows import ANY_CLASS, KINDS
from gpip.forcefields.opls.tables import Tables
from gpip.forcefields.terms import TypedMolecule

ATOMS_SHOWN = 4
NEAREST_SHOWN = 2


def atom_label(molecule: Chem.Mol, i: int) -> str:
    """Element and index of an atom, and its neighbours: `C4 (bonded to C3, F5, O6, H9)`."""
    near = sorted(atom.GetIdx() for atom in molecule.GetAtomWithIdx(i).GetNeighbors())
    bonded = ", ".join(_short(molecule, j) for j in near)
    return _short(molecule, i) + (f" (bonded to {bonded})" if bonded else " (bonded to nothing)")


def _with_symbols(smarts: str) -> str:
    return smarts.replace("#6", "C").replace("#1", "H").replace("#7", "N").replace("#8", "O")


def _short(molecule: Chem.Mol, i: int) -> str:
    return f"{molecule.GetAtomWithIdx(i).GetSymbol()}{i}"


@cache
def _unpublished() -> dict[str, str]:
    """Why common molecules of electrolytes have no built-in parameters, by canonical SMILES."""
    path = Path(__file__).parent / "data" / "electrolyte_unpublished.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {Chem.CanonSmiles(row["smiles"]): f"{row['name']}: {row['reason']}" for row in csv.DictReader(file)}


class Missing:
    """Atoms without type and classes without term, collected until all are known."""

    def __init__(self, name: str, smiles: str, molecule: Chem.Mol, tables: Tables):
        self._name, self._smiles, self._molecule, self._tables = name, smiles, molecule, tables
        self._untyped: list[int] = []
        self._terms: dict[tuple[str, tuple[str, ...]], list[tuple[int, ...]]] = {}

    def untyped(self, i: int) -> None:
        self._untyped.append(i)

    def term(self, kind: str, classes: tuple[str, ...], atoms: tuple[int, ...]) -> None:
        if kind == "improper":
            outer = sorted(classes[:2] + classes[3:])
            key = (*outer[:2], classes[2], outer[2])
        else:
            key = min(classes, classes[::-1])
        self._terms.setdefault((kind, key), []).append(atoms)

    def raise_if_any(self) -> None:
        """Raises InputError with every missing type and term, if there is any."""
        if not self._untyped and not self._terms:
            return
        lines = [f"species {self._name!r}: OPLS-AA has no parameters for parts of {self._smiles}:"]
        if reason := _unpublished().get(Chem.CanonSmiles(self._smiles)):
            lines.append(f"  no parameters are built in for {reason}")
        lines += self._type_lines()
        lines += [self._term_line(kind, classes, atoms) for (kind, classes), atoms in self._terms.items()]
        if self._untyped:
            lines.append("  terms of the untyped atoms have not been looked up: they may lack too")
        columns = {kind: ",".join(KINDS[kind].required) for kind in self._kinds()}
        lines.append(
            "Atoms are counted from 0 as in the SMILES, hydrogens behind. Add what is missing in a file of your own, "
            "force_field: {opls-aa: extra.csv} (format and example: docs/opls-aa.md), with rows of "
            + "; ".join(f"kind {kind}: {names}" for kind, names in columns.items())
            + "; or use force_field: openff-2.2.1, which covers most organic molecules."
        )
        raise InputError("\n".join(lines))

    def _kinds(self) -> list[str]:
        found = {"type"} if self._untyped else set()
        return [kind for kind in KINDS if kind in found | {kind for kind, _ in self._terms}]

    def _type_lines(self) -> list[str]:
        by_hint: dict[str, list[int]] = {}
        for i in self._untyped:
            by_hint.setdefault(self._type_hint(i), []).append(i)
        return [
            f"  no type for {', '.join(atom_label(self._molecule, i) for i in atoms)}; {hint}"
            for hint, atoms in by_hint.items()
        ]

    def _type_hint(self, i: int) -> str:
        """Types of the element that name the atom's own bonds, then those that name the same neighbours."""
        atom = self._molecule.GetAtomWithIdx(i)
        types = [t for t in self._tables.types.values() if t.element == atom.GetSymbol()]
        if not types:
            return f"no type of {atom.GetSymbol()} is known"
        near = {neighbour.GetSymbol() for neighbour in atom.GetNeighbors()} | {atom.GetSymbol()}

        def unlikeness(smarts: str) -> tuple[bool, int]:
            own = Chem.MolFromSmarts(smarts.split("$(")[0].rstrip(";&") + ("]" if "$(" in smarts else ""))
            fits = own is not None and self._molecule.GetSubstructMatches(own).count((i,)) == 1
            named = set(re.findall(r"Cl|Br|[BCNOFSPH]", re.sub(r"[;&]?[HX]\d", "", _with_symbols(smarts))))
            return not fits, len(named ^ near)

        types.sort(key=lambda t: (unlikeness(t.smarts), t.name))
        shown = " and ".join(f"{t.name} {t.smarts}" for t in types[:NEAREST_SHOWN])
        return f"nearest of {len(types)} known for {atom.GetSymbol()}: {shown}"

    def _term_line(self, kind: str, classes: tuple[str, ...], places: list[tuple[int, ...]]) -> str:
        shown = ", ".join("-".join(_short(self._molecule, i) for i in atoms) for atoms in places[:ATOMS_SHOWN])
        more = f" and {len(places) - ATOMS_SHOWN} more" if len(places) > ATOMS_SHOWN else ""
        nearest = self._nearest_terms(kind, classes)
        hint = f"nearest known: {', '.join(nearest)}" if nearest else f"no {kind} with any of these classes is known"
        return f"  no {kind} {'-'.join(classes)} (atoms {shown}{more}); {hint}"

    def _nearest_terms(self, kind: str, classes: tuple[str, ...]) -> list[str]:
        def score(known: tuple[str, ...]) -> float:
            orders = [known] if kind == "improper" else [known, known[::-1]]
            return max(sum(map(_likeness, classes, order)) for order in orders)

        terms = self._tables.terms[kind].values()
        scored = sorted(((score(term.classes), "-".join(term.classes)) for term in terms), key=lambda s: (-s[0], s[1]))
        return [name for likeness, name in scored[:NEAREST_SHOWN] if likeness >= 1]


def _likeness(wanted: str, known: str) -> float:
    """1 for the same class, less for any class and for one of similar name."""
    if wanted == known:
        return 1.0
    return 0.3 if known == ANY_CLASS else 0.2 * difflib.SequenceMatcher(None, wanted, known).ratio()


def charge_error(typed: TypedMolecule, formal_charge: int) -> InputError:
    """Error for charges that do not add up, with type and charge of each atom."""
    places: dict[tuple[str, float, str], list[str]] = {}
    for i, atom in enumerate(typed.atoms):
        places.setdefault((atom.type_name, atom.charge_e, atom.source), []).append(f"{atom.element}{i}")
    lines = [
        f"  {type_name}: {charge:+.4f} e on {', '.join(atoms)} (from {source})"
        for (type_name, charge, source), atoms in places.items()
    ]
    return InputError(
        f"species {typed.name!r}: the charges of its types add up to {typed.charge_e:+.4f} e, "
        f"but the formal charge of {typed.smiles} is {formal_charge}:\n"
        + "\n".join(lines)
        + "\nThese types are not made for each other: give some atoms types of their own in a file of yours, "
        "force_field: {opls-aa: extra.csv} (format and example: docs/opls-aa.md); or use force_field: openff-2.2.1."
    )
