import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from opls_formulas import SMILES
from rdkit import Chem

from gpip.core.errors import InputError
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.describe import describe
from gpip.forcefields.opls.rows import KINDS
from gpip.forcefields.opls.tables import DATA, load_folder, load_tables

DOCUMENT = Path(__file__).parents[3] / "docs" / "opls-aa.md"
FPC, RING_CARBONATES = re.findall(r"```csv\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
FPC_SMILES = "O=C1OC(C)C(F)O1"
BOND_CF = "bond,,,,,,,,,,CT,F_fpc,,,0.136,307105.6,,,,,,,JTR24,\n"


@pytest.fixture
def extra(tmp_path):
    """Path of an extra file with this text."""

    def written(text: str) -> str:
        path = tmp_path / "extra.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


def rows_of_data():
    for kind in KINDS:
        for path in [*DATA.glob(f"{kind}s.csv"), *DATA.glob(f"*_{kind}s.csv")]:
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield kind, f"{path.name}: {list(row.values())[:5]}", row


def test_every_number_has_a_source_and_every_source_a_reference():
    references = load_tables().references
    for kind, where, row in rows_of_data():
        if kind != "reference":
            assert row["source"], where
            for key in row["source"].split(";") + list(filter(None, row["cross_check"].split(";"))):
                assert key in references, f"{where}: {key}"


def test_exact_numbers():
    tables = load_tables()
    lithium = tables.types["Li"]
    assert (lithium.charge_e, lithium.sigma_nm, lithium.epsilon_kj_per_mol) == (1.0, 0.2126452, 0.0764793)
    assert tables.find("bond", ("OS", "CT")).numbers == (0.141, 320 * 836.8)
    assert tables.find("angle", ("HC", "CT", "OS")).numbers == (109.5, 35 * 8.368)
    np.testing.assert_allclose(
        tables.find("torsion", ("CT", "CT", "OS", "CT")).numbers, np.array([0.65, -0.25, 0.67, 0]) * 4.184
    )
    assert tables.find("improper", ("O", "OS", "C", "OS")).numbers == (21 * 4.184,)
    assert tables.find("bond", ("CT", "P_pf6")) is None


def test_each_type_fits_a_molecule_and_its_element():
    """A SMARTS that never matches, or is hidden by another, would be a dead row; organic molecules are tested apart."""
    used = {atom.type_name for name, smiles in SMILES.items() for atom in type_molecule(name, smiles).atoms}
    used |= {atom.type_name for atom in type_molecule("ethoxyethane", "CCCOCC").atoms}
    with (DATA / "types.csv").open(encoding="utf-8", newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} - used == set()


def test_standard_masses():
    table = Chem.GetPeriodicTable()
    for atom_type in load_tables().types.values():
        assert abs(atom_type.mass_amu - table.GetAtomicWeight(atom_type.element)) < 0.02, atom_type.name


def test_parts_are_read_together_and_must_agree(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    header = (DATA / "bonds.csv").read_text(encoding="utf-8").splitlines()[0]
    part = folder / "zz_bonds.csv"
    part.write_text(f"{header}\nOS,CT,0.141,267776.0,JMT96,,same numbers\nOS,OS,0.15,1.0,JMT96,,\n")
    tables = load_folder(folder)
    assert tables.find("bond", ("OS", "OS")).numbers == (0.15, 1.0)
    part.write_text(f"{header}\nOS,CT,0.142,267776.0,JMT96,,other numbers\n")
    with pytest.raises(InputError, match=r"zz_bonds.csv:2: bond OS-CT is already given in bonds.csv:4"):
        load_folder(folder)


def test_torsion_with_fewest_wildcards_wins_whatever_the_order_of_rows(extra):
    rows = ["torsion,X,CT,CT,X,0,0,1,0", "torsion,X,CT,CT,F_fpc,0,0,2,0", "torsion,HC,CT,CT,F_fpc,0,0,3,0"]
    header = "kind,class1,class2,class3,class4,v1_kj_per_mol,v2_kj_per_mol,v3_kj_per_mol,v4_kj_per_mol\n"
    types = FPC.split("bond,")[0]
    for order in (rows, rows[::-1]):
        path = extra(types + "\n".join(_as_fpc_columns(header + "\n".join(order))) + "\n")
        tables = load_tables(path)
        for classes, v3 in (
            (("OS", "CT", "CT", "F_fpc"), 2),
            (("F_fpc", "CT", "CT", "HC"), 3),
            (("F_fpc", "CT", "CT", "F_fpc"), 2),
        ):
            assert tables.find("torsion", classes).numbers[2] == v3
        assert tables.find("torsion", ("HC", "CT", "CT", "HC")).numbers[2] == 1.2552


def _as_fpc_columns(text):
    columns = FPC.splitlines()[0].split(",")
    for row in csv.DictReader(text.splitlines()):
        yield ",".join(row.get(column, "") for column in columns)


def test_example_of_the_documentation_covers_fluoropropylene_carbonate(extra):
    fpc = type_molecule("FPC", FPC_SMILES, extra(FPC))
    np.testing.assert_allclose(fpc.charge_e, 0, atol=1e-12)
    assert (len(fpc.bonds), len(fpc.angles), len(fpc.torsions), len(fpc.impropers)) == (13, 23, 28, 1)
    assert (fpc.atoms[5].type_name, fpc.atoms[6].type_name) == ("CT_fpc", "F_fpc")
    text = describe("FPC", FPC_SMILES, extra(FPC))
    assert "by analogy with CT-CT-F" in text


def test_ring_carbonates_of_the_documentation_replace_built_in_terms(extra):
    ec = type_molecule("EC", SMILES["EC"], extra(RING_CARBONATES))
    assert ec.bonds[1].length_nm == 0.1370
    assert {round(np.degrees(angle.angle_rad), 6) for angle in ec.angles if angle.atoms[1] == 1} == {108.8, 125.6}
    assert {max(torsion.v_kj_per_mol) for torsion in ec.torsions if torsion.source == "FFT"} == {20.92}
    assert type_molecule("EC", SMILES["EC"]).bonds[1].length_nm == 0.1327


def test_a_users_type_takes_an_atom_at_equal_order(extra):
    header = "kind,name,class,element,mass_amu,charge_e,sigma_nm,epsilon_kj_per_mol,smarts,order\n"
    path = extra(header + "type,my_Li,Li,Li,6.941,1.0,0.287,0.002092,[Li+],10\n")
    assert type_molecule("Li+", "[Li+]", path).atoms[0].sigma_nm == 0.287
    lower = extra(header + "type,my_Li,Li,Li,6.941,1.0,0.287,0.002092,[Li+],9\n")
    assert type_molecule("Li+", "[Li+]", lower).atoms[0].sigma_nm == 0.2126452
    twice = extra(header + "".join(f"type,{n},Li,Li,6.941,1.0,0.287,0.002092,[Li+],10\n" for n in "ab"))
    with pytest.raises(InputError, match=r"atom Li0 .* fits types of equal order 10: a .*:2\) and b .*:3\)"):
        type_molecule("Li+", "[Li+]", twice)


BAD_ROWS = {
    "kind": ("torsion,,,,,,,,,,HC", "torsoin,,,,,,,,,,HC", r":9: kind: 'torsoin' is not known; did you mean 'torsion'"),
    "column": ("theta0_deg", "theta0", r":1: column: 'theta0' is not known; did you mean 'theta0_deg'"),
    "no kind": ("kind,", "note,", r":1: column 'note' stands twice"),
    "cells": ("307105.6,,,,,,,JTR24,", "307105.6,,,,,,JTR24,", r":5: 23 cells, but 24 columns"),
    "number": (",0.136,", ",0.136A,", r":5: r0_nm must be a number, got '0.136A'"),
    "nan": (",0.136,", ",nan,", r":5: r0_nm must be a number, got 'nan'"),
    "negative": (",307105.6,", ",-1,", r":5: k_kj_per_mol_nm2 must be at least 0, got -1"),
    "zero": (",0.136,", ",0,", r":5: r0_nm must be positive, got 0"),
    "angle": (",107.0,", ",187.0,", r":7: theta0_deg must be at most 180, got 187.0"),
    "order": (']",30,', ']",3.5,', r":2: order must be a whole number, got 3.5"),
    "empty": (",0.136,", ",,", r":5: a row of kind bond needs a value in column 'r0_nm'"),
    "unused": (",307105.6,,", ",307105.6,3,", r":5: column 'theta0_deg' holds '3', but a row of kind bond"),
    "smarts": ("[F;$(F", "[F;$F", r":3: smarts .* cannot be read"),
    "no element": (",F_fpc,F,18", ",F_fpc,Ff,18", r":3: 'Ff' is not the symbol of an element"),
    "other element": (",F_fpc,F,18", ",F_fpc,C,18", r":3: type F_fpc is of element C, .* fits atom F6 of 'FPC'"),
    "class": ("C,OS,CT,F_fpc", "C,OS,CT,FF", r":12: class 'FF' of this torsion is that of no atom type"),
    "any class": ("CT,F_fpc,,,0.136", "X,F_fpc,,,0.136", r":5: X \(any class\) is for torsions and impropers only"),
    "twice": (BOND_CF, BOND_CF * 2, r":6: bond CT-F_fpc is already given in .*:5"),
    "term": (BOND_CF, "", r"no bond CT-F_fpc \(atoms C5-F6\); nearest known: CT-"),
    "charge": (",0.10,0.25", ",0.20,0.25", r"charges of its types add up to \+0.1000 e, but the formal charge .* is 0"),
    "tie": ("C,OS,CT,F_fpc,,,,,0,0,0.828432,0,",
            "X,OS,CT,F_fpc,,,,,0,0,1,0,a,\ntorsion,,,,,,,,,,C,OS,CT,X,,,,,0,0,2,0,",
            r"torsion F_fpc-CT-OS-C: .* fit equally well and differ; add a row with fewer X"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ROWS)
def test_errors_of_a_users_file_name_the_line(extra, case):
    old, new, message = BAD_ROWS[case]
    assert old in FPC
    with pytest.raises(InputError, match=message):
        type_molecule("FPC", FPC_SMILES, extra(FPC.replace(old, new, 1)))


def test_file_that_is_not_there_or_empty(extra):
    with pytest.raises(InputError, match=r"there is no file /nowhere/extra\.csv"):
        load_tables("/nowhere/extra.csv")
    with pytest.raises(InputError, match="the file is empty"):
        load_tables(extra("# nothing\n"))
    with pytest.raises(InputError, match="column 'r0_nm', which the file lacks"):
        load_tables(extra("kind,class1,class2,k_kj_per_mol_nm2\nbond,CT,CT,1\n"))


def test_missing_terms_of_one_kind_are_gathered(extra):
    text = "".join(line for line in FPC.splitlines(keepends=True) if not line.startswith(("angle", "torsion")))
    with pytest.raises(InputError) as caught:
        type_molecule("FPC", FPC_SMILES, extra(text))
    lines = [line.strip() for line in str(caught.value).splitlines() if line.strip().startswith("no ")]
    assert [line.split(" (")[0] for line in lines] == [
        "no angle CT-CT-F_fpc", "no angle F_fpc-CT-OS", "no angle F_fpc-CT-HC",
        "no torsion F_fpc-CT-CT-OS", "no torsion CT-CT-CT-F_fpc", "no torsion F_fpc-CT-CT-HC",
        "no torsion C-OS-CT-F_fpc",
    ]  # fmt: skip


def test_description_has_every_term_and_its_references():
    text = describe("EC", SMILES["EC"])
    assert text.startswith("EC   O=C1OCCO1   OPLS-AA, 10 atoms, net charge +0.0000 e\n")
    for line in (
        r"0 +O +O_cb +O +-0.5000 +0.296 +0.87864 +15.9994 +771 +JTR24",
        r"C1-O2 +C-OS +0.1327 +179075.2 +JTR24",
        r"O2-C1-O5 +OS-C-OS +118.18 +584.9232 +LPG",
        r"O2-C3-C4-O5 +OS-CT-CT-OS +-2.3012 +0 +0 +0 +JMT96",
        r"O2-O5-C1-O0 +OS-OS-C-O +87.864 +JTR24",
        r"JMT96  Jorgensen, Maxwell, Tirado-Rives, J. Am. Chem. Soc. 118, 11225 \(1996\)",
    ):
        assert re.search(rf"^  {line}", text, re.MULTILINE), line
    assert "14 three bonds apart count half" in text
