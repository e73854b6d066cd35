"""Pages of systems, and a report of systems alone."""

import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from synthetic_run import solution
from system_results import ANNEALING, NPT, SETTINGS, density_record, electrolyte, molecule, write_system
from test_report_page import Structure

from gpip.report.box_picture import box_picture, whole_in_box
from gpip.report.names import contents_in_words, pair_name, species_name
from gpip.report.page import build_report
from gpip.report.system_page import build_system_page
from gpip.report.system_tables import thermal_reasons, thermal_table
from gpip.report.tables import density_in_words
from gpip.report.targets import known_targets, target_of


def text_of(page):
    return re.sub(r"base64,[^\"]*", "", page.read_text(encoding="utf-8"))


def structure_of(page):
    structure = Structure()
    structure.feed(page.read_text(encoding="utf-8"))
    assert not structure.open
    assert all(cell.strip() for cell in structure.cells)
    assert not re.search(r"\bnan\b|\bNone\b|Undefined", text_of(page).split("<pre>")[0])
    assert {link[1:] for link in structure.links if link.startswith("#")} <= set(structure.ids)
    return structure


def test_the_page_of_an_electrolyte(tmp_path):
    reason = "the production holds 5.3 independent volumes"
    settings = SETTINGS | {"annealing": ANNEALING}
    page = build_system_page("napf6-dme", settings, electrolyte(tmp_path, reasons=[reason]), tmp_path / "report/s.html")
    structure = structure_of(page)
    assert {link for link in structure.links if not link.startswith(("#", "data:image/png"))} == {"../index.html"}
    text = text_of(page)
    for words in (
        "4 Na⁺ + 4 PF₆⁻ + 4 DME",
        "96 in 12 molecules",
        "opls-aa, charges of ions times 0.8",
        "0.970 ± 0.004 g/cm³ (constant pressure, not converged)",
        "Not converged: the production holds 5.3 independent volumes.",
        "from an energy beyond all numbers to −12.35 eV",
        "Annealed from 1000 to 300 K in 10 ps",
        "50 ps of equilibration and 200 ps of production at 298.15 K",
        "0.970</td>",
        "1.00 within",
        "Na⁺ – P of PF₆⁻",
        "g has no peak above 1",
        "0123456789abcdef",
    ):
        assert words in text, words
    assert "Measured at" not in text
    names = sorted(path.stem for path in (tmp_path / "report/figures/napf6-dme").glob("*.png"))
    assert names == ["annealing", "box", "density", "rdf", "traces"]
    for path in (tmp_path / "report/figures/napf6-dme").glob("*.png"):
        assert matplotlib.image.imread(path)[..., :3].std() > 0.03, path.name


def test_the_page_of_a_molecule_without_a_box(tmp_path):
    page = build_system_page("dme-alone", SETTINGS | {"npt": None}, molecule(tmp_path), tmp_path / "report/s.html")
    structure_of(page)
    text = text_of(page)
    for words in ("Embedded from its SMILES", "radius of gyration", "Bond lengths", "Sampled without a box", "C–O"):
        assert words in text, words
    assert "Density" not in text
    assert "g(r)" not in text


@pytest.mark.parametrize(
    ("kelvin", "words"),
    [
        (
            298.15,
            "Measured at 298.15 K: 0.864 g/cm³ (CRC Handbook of Chemistry and Physics); the simulation is 2.0% above",
        ),
        (310.0, "A measured density of this liquid is known at 298.15 K, not within 1 K of 310 K"),
    ],
)
def test_a_pure_liquid_is_held_against_its_measured_density(tmp_path, kelvin, words):
    _, positions, length = solution(4)
    files = write_system(tmp_path, "dme", {"DME": 4}, positions[:, -64:], length, density_record(0.864 * 1.02))
    settings = SETTINGS | {"npt": NPT | {"temperature_kelvin": kelvin}}
    assert words in text_of(build_system_page("dme", settings, files, tmp_path / "s.html"))


def test_a_density_that_was_given_is_held_against_nothing(tmp_path):
    _, positions, length = solution(4)
    files = write_system(tmp_path, "dme", {"DME": 4}, positions[:, -64:], length)
    text = text_of(build_system_page("dme", SETTINGS | {"npt": None}, files, tmp_path / "s.html"))
    assert "The density was set to 0.5 g/cm³" in text
    assert "0.5000 g/cm³ (as given)" in text
    assert "Measured at" not in text


def test_targets_are_of_pure_liquids_near_their_temperature_and_pressure():
    assert target_of({"water": 64}, 298.9, 1.0).density_g_per_cm3 == 0.9970
    assert target_of({"water": 64}, 299.7, 1.0).temperature_kelvin == 300
    assert target_of({"EC": 9}, 298.15, 1.0) is None
    assert target_of({"EC": 9}, 313.15, 1000.0) is None
    assert target_of({"EC": 9, "DMC": 9}, 313.15, 1.0) is None
    assert all(0.5 < one.density_g_per_cm3 < 1.5 and one.source for one in known_targets())


def test_a_report_of_systems_alone(tmp_path):
    files = {"napf6-dme": electrolyte(tmp_path), "dme-alone": molecule(tmp_path)}
    systems = [{"name": name, "manifest": one["manifest"], "summary": one["summary"]} for name, one in files.items()]
    runs = [{"system": name} | run for name, one in files.items() for run in one["runs"]]
    project = {"seed": 1, "systems": {"napf6-dme": {"salt": {"NaPF6": "1 mol/L"}, "n_atoms": 100}}}
    page = build_report(project, {"systems": systems, "classical": runs}, tmp_path / "report")
    structure = structure_of(page)
    assert {link for link in structure.links if link.endswith(".html")} == {
        "systems/napf6-dme.html",
        "systems/dme-alone.html",
    }
    text = text_of(page)
    for words in (
        "Classical dynamics of napf6-dme (4 Na⁺ + 4 PF₆⁻ + 4 DME, opls-aa, 300, 600 K); dme-alone (1 DME",
        "This configuration has no experiments",
        "0.970 ± 0.004",
        "– (no box)",
    ):
        assert words in text, words
    for words in ("Does pre-training help", "Fine-tuning", "Labels", "no pre-training"):
        assert words not in text, words
    assert sorted(path.stem for path in (tmp_path / "report/figures").glob("*.png")) == [
        "classical_dme-alone",
        "classical_napf6-dme",
    ]
    assert not (tmp_path / "report/errors.csv").exists()


def test_many_systems_are_in_the_table_alone(tmp_path):
    files = molecule(tmp_path)
    names = [f"isomer-{i}" for i in range(5)]
    systems = [{"name": name, "manifest": files["manifest"], "summary": files["summary"]} for name in names]
    runs = [{"system": name} | run for name in names for run in files["runs"]]
    page = build_report({}, {"systems": systems, "classical": runs}, tmp_path / "report")
    text = text_of(page)
    assert "Classical dynamics of 5 systems, listed below." in text
    assert "<img" not in text
    assert list(pd.read_csv(page.parent / "systems.csv")["system"]) == names


def test_molecules_stay_whole_with_their_middle_in_the_box():
    generator = np.random.default_rng(0)
    molecule_of = np.repeat(np.arange(6), 3)
    positions = np.repeat(generator.uniform(-40, 40, (6, 3)), 3, axis=0) + generator.normal(0, 1, (18, 3))
    lengths = np.array([10.0, 12.0, 14.0])
    moved = whole_in_box(positions, molecule_of, lengths)
    middle = moved.reshape(6, 3, 3).mean(axis=1)
    assert ((middle >= 0) & (middle < lengths)).all()
    np.testing.assert_allclose(np.diff(moved.reshape(6, 3, 3), axis=1), np.diff(positions.reshape(6, 3, 3), axis=1))
    shifts = (moved - positions) / lengths
    np.testing.assert_allclose(shifts, np.rint(shifts), atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_any_number_of_atoms_can_be_drawn(n, tmp_path):
    positions = np.random.default_rng(n).random((n, 3)) * 20
    species, bonds = np.full(n, 11), np.zeros((0, 2), int)
    for lengths in (None, np.full(3, 20.0)):
        figure = box_picture(species, np.arange(n), bonds, positions, lengths, np.ones(n, bool))
        figure.savefig(tmp_path / "box.png")
        picture = matplotlib.image.imread(tmp_path / "box.png")
        # The violet of sodium.
        assert ((picture[..., 2] > picture[..., 1] + 0.3) & (picture[..., 3] > 0)).sum() > 50


def test_names_for_readers():
    assert [species_name(one) for one in ("Na+", "PF6-", "Mg+2", "TFSI-", "DME", "isomer-7")] == [
        "Na⁺",
        "PF₆⁻",
        "Mg²⁺",
        "TFSI⁻",
        "DME",
        "isomer-7",
    ]
    assert pair_name("Na+ · F of PF6-") == "Na⁺ – F of PF₆⁻"
    assert contents_in_words([{"name": "EC", "count": 2}, {"name": "Li+", "count": 1}]) == "2 EC + 1 Li⁺"


def test_a_series_too_short_for_an_error_shows_the_reason():
    reason = "too short for an error: 4.0 independent samples, 20 needed"
    density = {
        "periodic": True,
        "density_g_per_cm3": 0.97,
        "density_standard_error_g_per_cm3": None,
        "density_standard_error_reason": reason,
    }
    assert density_in_words(density) == f"0.9700 ({reason})"
    thermal = {
        "temperature_kelvin": 300.0,
        "n_frames": 30,
        "temperature_mean_kelvin": 317.0,
        "temperature_standard_error_kelvin": None,
        "temperature_reason": reason,
        "temperature_standard_deviation_kelvin": 9.0,
        "temperature_deviation_standard_errors": None,
        "potential_energy_mean_ev": -2.5,
        "potential_energy_standard_error_ev": None,
        "potential_energy_reason": reason,
    }
    table = thermal_table({"thermal": [thermal]})
    assert table["mean temperature (K)"][0] == "317.0"
    assert table["off by (standard errors)"][0] == "–"
    assert table["mean potential energy (eV)"][0] == "−2.500"
    assert thermal_reasons({"thermal": [thermal]}) == [
        f"Mean temperature at 300 K: {reason}.",
        f"Mean potential energy at 300 K: {reason}.",
    ]
