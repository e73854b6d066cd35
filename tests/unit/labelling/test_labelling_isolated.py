"""Isolated atoms: computed by an engine, tabulated against independent numbers, or given."""

import csv

import numpy as np
import pytest
from ase.build import molecule
from ase.data import atomic_numbers

from gpip.config.label_sources import label_settings
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.reference_energies import Anchors, fit_reference_energies, read_anchors
from gpip.core.units import HARTREE_TO_EV
from gpip.datasets.writer import write_dataset
from gpip.labelling.isolated import anchors_of, write_isolated_atoms
from gpip.labelling.levels import TABLE, check_reference_energies, tabulated_energies
from gpip.labelling.registry import make_engine


def tblite(**changes):
    given = {"source": "tblite", "system": "water", "temperature_kelvin": 300, "n_frames": 1} | changes
    return label_settings(given)


def published(**changes):
    return label_settings({"source": "deepmd", "path": "water"} | changes)


def frame(name):
    atoms = molecule(name)
    return Frame(atoms.numbers, atoms.positions, np.zeros((3, 3)), np.zeros(3, dtype=bool))


@pytest.mark.parametrize("method", ["GFN1-xTB", "GFN2-xTB"])
def test_a_water_fit_predicts_peroxide_and_lone_atoms_within_a_few_ev(method):
    """GFN energies: anchored, the energy of H2O2 is right within 2 eV. A fit to water alone is 60 eV off and more."""
    engine = make_engine(tblite(method=method))
    water, peroxide = frame("H2O"), frame("H2O2")
    moved = [
        Frame(water.species, water.positions * stretch, water.cell, water.pbc) for stretch in (0.95, 1.0, 1.05, 1.1)
    ]
    energies = np.array([engine.label(one)[0] for one in moved])
    anchors = anchors_of(tblite(method=method), [1, 8])
    assert anchors.source == f"computed by tblite {method}"
    species = [one.species for one in moved]
    expected = engine.label(peroxide)[0]
    anchored = fit_reference_energies(species, energies, anchors.array)
    fitted = fit_reference_energies(species, energies)
    assert abs(anchored[peroxide.species].sum() - expected) < 2
    assert abs(fitted[peroxide.species].sum() - expected) > 50
    for z in (1, 8):
        assert abs(anchored[z] - anchors.array[z]) < 6, "the share of the binding energy per atom"
        assert abs(fitted[z] - anchors.array[z]) > 30


def test_atoms_have_the_multiplicity_of_their_ground_state():
    """Elements with odd electron counts, which a closed shell refuses, and every element of the electrolytes."""
    numbers = [1, 3, 5, 6, 7, 8, 9, 11, 12, 15, 16, 17, 19, 20, 30]
    for method in ("GFN1-xTB", "GFN2-xTB"):
        energies = anchors_of(tblite(method=method), numbers).energies_ev
        assert len(energies) == len(numbers)
        assert all(energy < -1 for energy in energies.values())
    engine = make_engine(tblite())
    atom = Frame(np.array([7]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    assert anchors_of(tblite(), [7]).energies_ev["N"] == engine.label(atom, 0, 3)[0] != engine.label(atom, 0, 1)[0]


THREE_BPA_EV = {
    "H": -13.587222780835477,
    "C": -1029.4889999855063,
    "N": -1484.9814568572233,
    "O": -2041.9816003861047,
}
"""Isolated atoms that come with 3BPA, computed by ORCA (Kovács et al., J. Chem. Theory Comput. 17, 7696, 2021)."""
MACE_OFF_EV = {
    "H": -13.571964772646918,
    "C": -1030.5671648271828,
    "N": -1486.3750255780376,
    "O": -2043.933693071156,
    "F": -2715.318528602957,
    "P": -9287.407133426237,
    "S": -10834.4844708122,
    "Cl": -12522.649269035726,
    "Br": -70045.28385080204,
    "I": -8102.524593409054,
}
"""Isolated atoms of MACE-OFF23, computed by Psi4 (Kovács et al. 2023), at the level of SPICE."""


QM9_EV = {
    symbol: energy * HARTREE_TO_EV
    for symbol, energy in {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730}.items()
}
"""Isolated atoms that come with QM9, computed by Gaussian (Ramakrishnan et al., Sci. Data 1, 140022, 2014)."""


@pytest.mark.parametrize(
    ("level", "published_ev", "tolerance_ev"),
    [
        ("ωB97X/6-31G*", THREE_BPA_EV, 0.003),
        ("wB97M-D3(BJ)/def2-TZVPPD", MACE_OFF_EV, 0.02),
        ("B3LYP/6-31G(2df,p)", QM9_EV, 0.12),
    ],
)
def test_tabulated_atoms_are_those_of_other_programs(level, published_ev, tolerance_ev):
    anchors = anchors_of(published(level_of_theory=level), [atomic_numbers[symbol] for symbol in published_ev])
    for symbol, energy in published_ev.items():
        assert anchors.energies_ev[symbol] == pytest.approx(energy, abs=tolerance_ev), symbol


def test_every_row_of_the_table_is_in_the_ground_state_and_named_once():
    with open(TABLE, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["level_of_theory"], row["element"]) for row in rows}) == len(rows)
    unpaired = {"H": 1, "Li": 1, "C": 2, "N": 3, "O": 2, "F": 1, "Na": 1, "Mg": 0, "P": 3, "S": 2, "Cl": 1}
    for row in rows:
        assert int(row["n_unpaired"]) == unpaired.get(row["element"], int(row["n_unpaired"]))
        assert row["program"].startswith("PySCF ")
    assert sorted(tabulated_energies()) == sorted({row["level_of_theory"] for row in rows})
    for level, energies in tabulated_energies().items():
        # The exact energy of hydrogen is -1/2 Hartree.
        assert energies["H"] == pytest.approx(-0.5 * HARTREE_TO_EV, abs=0.2), level


def test_choices():
    given = {"H": -13.6, "O": -2041.8, "C": -1029.0}
    assert anchors_of(published(reference_energies=given), [1, 8]) == Anchors({"H": -13.6, "O": -2041.8}, "as given")
    assert anchors_of(published(reference_energies="fitted", level_of_theory="PBE/def2-SVP"), [1, 8]) == Anchors()
    assert anchors_of(tblite(reference_energies="fitted"), [1, 8]) == Anchors()
    assert anchors_of(published(), [1, 8]) == Anchors()
    assert anchors_of(published(level_of_theory="PBE0+TS, plane waves"), [1, 8]) == Anchors()
    assert anchors_of(published(level_of_theory="pbe/DEF2-svp"), [1, 8]).source == "PBE/def2-SVP, tabulated"
    assert anchors_of(tblite(reference_energies={"H": -1.0, "O": -2.0}), [1, 8]).source == "as given"


def test_bad_choices_are_one_clear_error():
    with pytest.raises(InputError, match="no energy of an isolated atom for O"):
        anchors_of(published(reference_energies={"H": -13.6}), [1, 8])
    with pytest.raises(InputError, match="reference_energies: Na given, but the labels have H, O"):
        anchors_of(published(reference_energies={"Na": -4400.0}), [1, 8])
    with pytest.raises(InputError, match=r"level_of_theory CCSD\(T\)/cc-pVTZ: no energy of an isolated atom for Na"):
        anchors_of(published(level_of_theory="CCSD(T)/cc-pVTZ"), [1, 11])
    with pytest.raises(ValueError, match="isolated needs level_of_theory"):
        published(reference_energies="isolated")
    with pytest.raises(ValueError, match="Wasser: expected symbols of elements"):
        published(reference_energies={"Wasser": -1.0})
    misspelt = published(reference_energies="isolated", level_of_theory="PBE/def2-SV")
    with pytest.raises(InputError, match=r"labels\.water: level_of_theory without a table.*did you mean"):
        check_reference_energies("labels.water", misspelt)
    some = tblite(reference_energies={"H": -1.0})
    with pytest.raises(
        InputError, match=r"labels\.water\.reference_energies: H given, but the labels have Na, O as well"
    ):
        check_reference_energies("labels.water", some, ["H", "Na", "O"])
    check_reference_energies("labels.water", some, ["H"])
    with pytest.raises(InputError, match=r"isolated atom U.*give reference_energies"):
        anchors_of(tblite(method="GFN2-xTB"), [92])


def test_file_holds_the_elements_of_the_labels(tmp_path):
    fields = {
        "species": np.array([8, 1, 1]),
        "positions": np.zeros((1, 3, 3)),
        "cell": np.zeros((1, 3, 3)),
        "pbc": np.zeros(3, dtype=bool),
        "temperature": np.array([300.0]),
    }
    write_dataset(tmp_path / "labels.h5", {"water": fields}, {})
    write_isolated_atoms(tblite(), tmp_path / "labels.h5", tmp_path / "isolated_atoms.json")
    anchors = read_anchors(tmp_path / "isolated_atoms.json")
    assert anchors == anchors_of(tblite(), [1, 8])
    assert list(anchors.energies_ev) == ["H", "O"]
