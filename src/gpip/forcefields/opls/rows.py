"""Rows of the parameter files: which columns each kind has, and what may stand in them."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rdkit import Chem, rdBase

from gpip.core.errors import InputError, unknown_name

ANY_CLASS = "X"
"""Stands for any class in torsions and impropers."""


class Kind(NamedTuple):
    """Columns of a kind of row, in the order in which their values are handed on."""

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()
    optional: tuple[str, ...] = ("source", "cross_check", "note")

    @property
    def required(self) -> tuple[str, ...]:
        return self.names + self.numbers + self.texts


_BONDED = ("class1", "class2", "class3", "class4")
KINDS: dict[str, Kind] = {
    "type": Kind(
        ("name", "class", "element"),
        ("mass_amu", "charge_e", "sigma_nm", "epsilon_kj_per_mol", "order"),
        ("smarts",),
        ("opls_number", "source", "cross_check", "note"),
    ),
    "bond": Kind(_BONDED[:2], ("r0_nm", "k_kj_per_mol_nm2")),
    "angle": Kind(_BONDED[:3], ("theta0_deg", "k_kj_per_mol_rad2")),
    "torsion": Kind(_BONDED, tuple(f"v{n}_kj_per_mol" for n in range(1, 5))),
    "improper": Kind(("class1", "class2", "class3_centre", "class4"), ("v2_kj_per_mol",)),
    "reference": Kind(("key",), (), ("reference",), ("note",)),
}
USER_KINDS = tuple(kind for kind in KINDS if kind != "reference")
_USER_COLUMNS = {"kind", *(column for kind in USER_KINDS for column in KINDS[kind].required + KINDS[kind].optional)}

_NOT_NEGATIVE = {"sigma_nm", "epsilon_kj_per_mol", "k_kj_per_mol_nm2", "k_kj_per_mol_rad2", "order"}
_ELEMENTS = frozenset(Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119))
_POSITIVE = {"mass_amu", "r0_nm", "theta0_deg"}


class Row(NamedTuple):
    """One row as text."""

    kind: str
    cells: dict[str, str]
    where: str
    """File and line."""


def read_rows(path: Path, shown_as: str, kind: str | None = None) -> Iterator[Row]:
    """Rows of a file, all of one kind, or (kind None) of the kinds its column `kind` names.

    Empty lines and lines that begin with `#` are passed over.

    Raises:
        InputError: the file or a column is missing, a column is not known, a row has the wrong number of cells.
    """
    if not path.is_file():
        raise InputError(f"force field: there is no file {shown_as}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{shown_as}: not a text file in UTF-8") from None
    kept = [(n, line) for n, line in enumerate(lines, start=1) if line.strip(" ,\t") and not line.startswith("#")]
    if not kept:
        raise InputError(f"{shown_as}: the file is empty; its first line names the columns")
    header = _cells(kept[0][1], f"{shown_as}:{kept[0][0]}")
    _check_header(header, f"{shown_as}:{kept[0][0]}", kind)
    for number, line in kept[1:]:
        where = f"{shown_as}:{number}"
        cells = _cells(line, where)
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} cells, but {len(header)} columns; leave unused cells empty")
        row = dict(zip(header, cells, strict=True))
        row_kind = kind or row.pop("kind")
        if row_kind not in KINDS or (kind is None and row_kind not in USER_KINDS):
            raise unknown_name(f"{where}: kind", row_kind, USER_KINDS)
        yield Row(row_kind, row, where)


def _cells(line: str, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"{where}: not a row of comma-separated values ({error})") from None


def _check_header(header: list[str], where: str, kind: str | None) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputError(f"{where}: column {twice[0]!r} stands twice")
    known = _USER_COLUMNS if kind is None else {*KINDS[kind].required, *KINDS[kind].optional}
    for name in header:
        if name not in known:
            raise unknown_name(f"{where}: column", name, known)
    missing = ["kind"] if kind is None else KINDS[kind].required
    for name in missing:
        if name not in header:
            raise InputError(f"{where}: column {name!r} is missing; columns given: {', '.join(header)}")


def parsed_row(row: Row) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names (or classes) and numbers of a row, in the order of its kind's columns.

    Raises:
        InputError: a cell is missing, is not the number it should be, belongs to another kind, or a SMARTS is wrong.
    """
    kind = KINDS[row.kind]
    for column in kind.required:
        if column not in row.cells:
            raise InputError(f"{row.where}: a row of kind {row.kind} needs the column {column!r}, which the file lacks")
        if not row.cells[column]:
            raise InputError(f"{row.where}: a row of kind {row.kind} needs a value in column {column!r}")
    for column, cell in row.cells.items():
        if cell and column not in kind.required + kind.optional:
            raise InputError(
                f"{row.where}: column {column!r} holds {cell!r}, but a row of kind {row.kind} does not use it; "
                f"its columns: {', '.join(kind.required)}"
            )
    names = tuple(row.cells[column] for column in kind.names)
    if ANY_CLASS in names and row.kind not in ("torsion", "improper"):
        raise InputError(f"{row.where}: {ANY_CLASS} (any class) is for torsions and impropers only")
    if row.kind == "improper" and names[2] == ANY_CLASS:
        raise InputError(f"{row.where}: the centre of an improper cannot be {ANY_CLASS}")
    if row.kind == "type":
        _check_type(row)
    return names, tuple(_number(row, column) for column in kind.numbers)


def _number(row: Row, column: str) -> float:
    cell = row.cells[column]
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{row.where}: {column} must be a number, got {cell!r}")
    if (column in _NOT_NEGATIVE and value < 0) or (column in _POSITIVE and value <= 0):
        raise InputError(
            f"{row.where}: {column} must be {'positive' if column in _POSITIVE else 'at least 0'}, got {cell}"
        )
    if column == "theta0_deg" and value > 180:
        raise InputError(f"{row.where}: {column} must be at most 180, got {cell}")
    if column == "order" and value != int(value):
        raise InputError(f"{row.where}: {column} must be a whole number, got {cell}")
    return value


def _check_type(row: Row) -> None:
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(row.cells["smarts"])
    if query is None or query.GetNumAtoms() == 0:
        raise InputError(
            f"{row.where}: smarts {row.cells['smarts']!r} cannot be read; see docs/opls-aa.md for examples"
        )
    if row.cells["element"] not in _ELEMENTS:
        raise InputError(f"{row.where}: {row.cells['element']!r} is not the symbol of an element")
