"""The parameter tables: atom types by SMARTS, bonded terms by class, and where each number is from.

Tables lie in `data/`, each kind in one or more files (`bonds.csv`, `organic_bonds.csv`, ...). A file of the user
holds rows of all kinds together (see `docs/opls-aa.md`); its rows replace those of the same type or classes.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gpip.core.errors import InputError
from gpip.forcefields.opls.rows import ANY_CLASS, KINDS, Row, parsed_row, read_rows

DATA = Path(__file__).parent / "data"


class AtomType(NamedTuple):
    """A type: which atoms it fits, and their non-bonded parameters."""

    name: str
    class_name: str
    element: str
    mass_amu: float
    charge_e: float
    sigma_nm: float
    epsilon_kj_per_mol: float
    smarts: str
    order: int
    """Of several types that fit an atom, that of the highest order is taken."""
    opls_number: str
    source: str
    where: str
    from_user: bool


class Term(NamedTuple):
    """A bonded term: its classes and numbers in the order of the table's columns."""

    classes: tuple[str, ...]
    numbers: tuple[float, ...]
    source: str
    where: str
    from_user: bool


Key = tuple[str, ...]


def _either_way(classes: Key) -> Key:
    return min(classes, classes[::-1])


def _around_centre(classes: Key) -> Key:
    return (classes[2], *sorted(classes[:2] + classes[3:]))


KEYS: dict[str, Callable[[Key], Key]] = {
    "bond": _either_way,
    "angle": _either_way,
    "torsion": _either_way,
    "improper": _around_centre,
}
"""What makes two rows of a kind the same: torsions read both ways, outer atoms of impropers in any order."""


@dataclass(frozen=True)
class Tables:
    """All types and terms; terms by kind and key, see `KEYS`."""

    types: dict[str, AtomType]
    terms: dict[str, dict[Key, Term]]
    references: dict[str, str]

    @property
    def classes(self) -> set[str]:
        return {atom_type.class_name for atom_type in self.types.values()}

    def find(self, kind: str, classes: Key) -> Term | None:
        """The term of these classes, or None.

        A term with fewer `X` (any class; torsions and impropers only) goes before one with more.

        Raises:
            InputError: two terms with equally many `X` but other numbers fit: the tables do not decide.
        """
        found = self.terms[kind]
        if kind in ("bond", "angle"):
            return found.get(KEYS[kind](classes))
        outer = [i for i in range(4) if kind == "torsion" or i != 2]
        for n_any in range(len(outer) + 1):
            keys = {
                KEYS[kind](tuple(ANY_CLASS if i in hidden else name for i, name in enumerate(classes)))
                for hidden in itertools.combinations(outer, n_any)
            }
            matches = sorted((found[key] for key in keys if key in found), key=lambda term: (not term.from_user, term))
            if matches:
                rivals = [term for term in matches if term.from_user == matches[0].from_user]
                if any(term.numbers != rivals[0].numbers for term in rivals):
                    named = " and ".join(f"{'-'.join(term.classes)} ({term.where})" for term in rivals)
                    raise InputError(
                        f"{kind} {'-'.join(classes)}: {named} fit equally well and differ; "
                        f"add a row with fewer {ANY_CLASS}"
                    )
                return matches[0]
        return None


def load_tables(extra: str | Path | None = None) -> Tables:
    """The built-in tables, and the rows of the user's file, if any, before them.

    Raises:
        InputError: a row cannot be read, or contradicts another; the message names file and line.
    """
    built_in = _built_in()
    if extra is None:
        return built_in
    added = _collect(read_rows(Path(extra), str(extra)), from_user=True)
    terms = {kind: built_in.terms[kind] | added.terms[kind] for kind in KEYS}
    tables = Tables(built_in.types | added.types, terms, built_in.references)
    _check_classes(tables, added)
    return tables


@lru_cache(maxsize=1)
def _built_in() -> Tables:
    tables = load_folder(DATA)
    _check_classes(tables, tables)
    return tables


def load_folder(folder: Path) -> Tables:
    """The tables of a folder of `*types.csv`, `*bonds.csv`, ... Raises InputError as `load_tables` does."""
    rows = itertools.chain.from_iterable(
        read_rows(path, path.name, kind)
        for kind in KINDS
        for path in sorted([*folder.glob(f"{kind}s.csv"), *folder.glob(f"*_{kind}s.csv")])
    )
    return _collect(rows, from_user=False)


def _collect(rows: Iterable[Row], from_user: bool) -> Tables:
    types: dict[str, AtomType] = {}
    terms: dict[str, dict[Key, Term]] = {kind: {} for kind in KEYS}
    references: dict[str, str] = {}
    for row in rows:
        names, numbers = parsed_row(row)
        source = row.cells.get("source", "") or row.where
        if row.kind == "reference":
            _add(references, names[0], row.cells["reference"], row, lambda a: a, from_user)
        elif row.kind == "type":
            new = AtomType(
                *names[:3], *numbers[:4], row.cells["smarts"], int(numbers[4]), row.cells.get("opls_number", ""),
                source, row.where, from_user,
            )  # fmt: skip
            _add(types, new.name, new, row, lambda a: a[:9], from_user)
        else:
            new = Term(names, numbers, source, row.where, from_user)
            _add(terms[row.kind], KEYS[row.kind](names), new, row, lambda a: a.numbers, from_user)
    return Tables(types, terms, references)


def _add(known: dict, key: str | Key, new, row: Row, content: Callable, from_user: bool) -> None:
    """Add one row; a repetition is refused in a user's file, and in built-in ones where the numbers differ."""
    old = known.setdefault(key, new)
    if old is not new and (from_user or content(old) != content(new)):
        name = key if isinstance(key, str) else "-".join(new.classes)
        first = getattr(old, "where", "an earlier row")
        raise InputError(f"{row.where}: {row.kind} {name} is already given in {first}; keep one of the two")


def _check_classes(tables: Tables, added: Tables) -> None:
    """Every class of the added terms is that of some type; else the row could never be used."""
    for where, kind, name in _unknown_classes(tables.classes, added):
        raise InputError(
            f"{where}: class {name!r} of this {kind} is that of no atom type; correct it, or add a row of kind type"
        )


def _unknown_classes(classes: set[str], added: Tables) -> Iterator[tuple[str, str, str]]:
    for kind, terms in added.terms.items():
        for term in terms.values():
            yield from ((term.where, kind, name) for name in term.classes if name not in classes | {ANY_CLASS})
