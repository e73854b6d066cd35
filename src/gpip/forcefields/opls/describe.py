"""A typed molecule as text: what `gpip species` prints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.tables import load_tables
from gpip.forcefields.terms import TypedMolecule


def describe(name: str, smiles: str, extra: str | Path | None = None) -> str:
    """Atom types, every bonded term and its source, net charge, and the references in full.

    Raises:
        InputError: as `type_molecule`.
    """
    molecule = type_molecule(name, smiles, extra)
    tables = load_tables(extra)
    atoms = [
        (i, a.element, a.type_name, a.class_name, f"{a.charge_e:+.4f}", f"{a.sigma_nm:.6g}",
         f"{a.epsilon_kj_per_mol:.6g}", f"{a.mass_amu:.6g}", tables.types[a.type_name].opls_number or "-", a.source)
        for i, a in enumerate(molecule.atoms)
    ]  # fmt: skip
    heading = ("atom", "element", "type", "class", "charge/e", "σ/nm", "ε/(kJ/mol)", "mass/amu", "OPLS type", "source")
    parts = [
        f"{name}   {smiles}   OPLS-AA, {len(atoms)} atoms, net charge {round(molecule.charge_e, 4) + 0.0:+.4f} e",
        _table("Atoms", heading, atoms),
        _table(
            "Bonds, U = k/2 (r - r0)²",
            ("atoms", "classes", "r0/nm", "k/(kJ/mol/nm²)", "source"),
            [_row(molecule, b.atoms, (b.length_nm, b.k_kj_per_mol_nm2), b.source) for b in molecule.bonds],
        ),
        _table(
            "Angles, U = k/2 (θ - θ0)²",
            ("atoms", "classes", "θ0/°", "k/(kJ/mol/rad²)", "source"),
            [
                _row(molecule, a.atoms, (np.degrees(a.angle_rad), a.k_kj_per_mol_rad2), a.source)
                for a in molecule.angles
            ],
        ),
        _table(
            "Torsions, U = V1/2 (1 + cos φ) + V2/2 (1 - cos 2φ) + V3/2 (1 + cos 3φ) + V4/2 (1 - cos 4φ), V in kJ/mol",
            ("atoms", "classes", "V1", "V2", "V3", "V4", "source"),
            [_row(molecule, t.atoms, t.v_kj_per_mol, t.source) for t in molecule.torsions],
        ),
        _table(
            "Impropers, U = V2/2 (1 - cos 2φ), third atom in the centre, V2 in kJ/mol",
            ("atoms", "classes", "V2", "source"),
            [_row(molecule, i.atoms, (i.v2_kj_per_mol,), i.source) for i in molecule.impropers],
        ),
        _pairs(molecule),
        _references(molecule, tables.references),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(molecule: TypedMolecule, atoms: Sequence[int], numbers: Sequence[float], source: str) -> tuple[str, ...]:
    labels = "-".join(f"{molecule.atoms[i].element}{i}" for i in atoms)
    classes = "-".join(molecule.atoms[i].class_name for i in atoms)
    return (labels, classes, *(f"{number:.8g}" for number in numbers), source)


def _table(title: str, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; empty when there is no row."""
    if not rows:
        return ""
    cells = [list(heading), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heading))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _pairs(molecule: TypedMolecule) -> str:
    excluded, scaled = len(molecule.excluded_pairs), len(molecule.scaled_pairs)
    return (
        f"Non-bonded pairs within the molecule: {excluded} one or two bonds apart are left out, {scaled} three bonds "
        "apart count half;\nσ and ε of any pair are geometric means"
    )


def _references(molecule: TypedMolecule, references: dict[str, str]) -> str:
    terms = (molecule.atoms, molecule.bonds, molecule.angles, molecule.torsions, molecule.impropers)
    keys = sorted({key for kind in terms for term in kind for key in term.source.split(";")})
    lines = [f"  {key}  {references[key]}" if key in references else f"  {key}" for key in keys]
    return "\n".join(["References", *lines])
