"""Amounts resolve to whole molecules, and wrong ones to one clear error each."""

import pytest

from gpip.config import project_from
from gpip.config.composition import composition, read_concentration, resolve, salts
from gpip.config.systems import System
from gpip.core.errors import InputError
from gpip.core.species import BUILT_IN, find_species

NPT = {"force_field": "opls-aa", "density": "npt"}
CARBONATES = {"EC": 1, "DMC": 1}


def system(**given) -> System:
    return project_from({"systems": {"a": NPT | given}}).systems["a"]


def counts(**given) -> dict[str, int]:
    return {name: one.count for name, one in system(**given).contents.items()}


def test_counts_in_all_three_spellings_are_the_same_box():
    short = system(species={"Na+": 24, "PF6-": 24, "DME": 192})
    long = system(species={"Na+": {"count": 24}, "PF6-": 24, "DME": {"count": 192}})
    listed = system(species=[{"name": n, "count": c} for n, c in (("Na+", 24), ("PF6-", 24), ("DME", 192))])
    assert short.box == long.box == listed.box
    assert short.composition()["n_atoms"] == 24 + 24 * 7 + 192 * 16


def test_concentration_per_kilogram_of_solvent_is_reached():
    found = system(salt={"NaPF6": "1.0 mol/kg"}, solvent=CARBONATES, n_atoms=6000).composition()
    assert found["mol_per_kg_solvent"]["Na+"] == pytest.approx(1.0, rel=0.02)
    assert found["molecules"]["EC"] == found["molecules"]["DMC"]
    assert found["n_atoms"] == pytest.approx(6000, rel=0.01)
    assert "mol_per_litre" not in found  # the volume is not known before the dynamics


def test_concentration_per_litre_is_reached_at_the_density_given():
    found = system(salt={"LiPF6": "1.2 mol/L"}, solvent=CARBONATES, n_atoms=6000, density=1.28).composition()
    assert found["mol_per_litre"]["Li+"] == pytest.approx(1.2, rel=0.02)
    litres = sum(found["molecules"][n] * find_species("t", n).molar_mass_g_per_mol for n in found["molecules"]) / 1280
    assert found["mol_per_litre"]["EC"] == pytest.approx(found["molecules"]["EC"] / litres, rel=1e-12)


def test_concentration_per_litre_without_a_density_uses_the_volumes_of_the_pure_liquids():
    found = counts(salt={"LiTFSI": "1.0 mol/L"}, solvent={"DME": 1}, n_atoms=4000)
    volume = found["DME"] * 90.122 / 0.864 + found["TFSI-"] * find_species("t", "TFSI-").molar_volume_cm3_per_mol
    assert 1000 * found["Li+"] / volume == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(("by", "wanted"), [("mole", 1.0), ("mass", 90.078 / 88.062), ("volume", 84.74 / 66.66)])
def test_ratios_count_moles_mass_or_volume(by, wanted):
    found = counts(solvent=CARBONATES, solvent_ratio=by, n_atoms=20000)
    assert found["EC"] / found["DMC"] == pytest.approx(wanted, rel=5e-3)


def test_salts_of_two_valencies():
    known = salts()
    assert known["LiPF6"] == {"Li+": 1, "PF6-": 1}
    assert known["Mg(TFSI)2"] == {"Mg+2": 1, "TFSI-": 2}
    assert known["ZnCl2"] == {"Zn+2": 1, "Cl-": 2}
    assert counts(salt={"Mg(TFSI)2": "0.5 mol/kg"}, solvent={"DME": 1}, n_atoms=3000)["TFSI-"] % 2 == 0


def test_two_salts_share_an_ion():
    found = counts(salt={"LiPF6": "0.5 mol/kg", "LiTFSI": "0.5 mol/kg"}, solvent={"DME": 1}, n_atoms=8000)
    assert found["Li+"] == found["PF6-"] + found["TFSI-"]
    assert found["PF6-"] == found["TFSI-"]


TFA = "O=C([O-])C(F)(F)F"


def test_salts_of_ions_of_ones_own():
    short = system(salt={"LiTFA": "1.0 mol/kg"}, ions={"TFA-": TFA}, solvent={"DME": 1}, n_atoms=6000)
    long = system(salt={"LiTFA": "1.0 mol/kg"}, ions={"TFA-": {"smiles": TFA}}, solvent={"DME": 1}, n_atoms=6000)
    assert short.box == long.box
    assert short.contents["TFA-"].smiles == TFA
    assert short.composition()["mol_per_kg_solvent"]["TFA-"] == pytest.approx(1.0, rel=0.02)
    amounts = {name: one.count for name, one in short.contents.items()}
    by_hand = amounts | {"TFA-": {"smiles": TFA, "count": amounts["TFA-"]}}
    assert system(species=by_hand).amounts == short.amounts


def test_salts_of_a_cation_and_an_anion_of_ones_own_with_other_charges():
    ions = {"choline+": "C[N+](C)(C)CCO", "ox-2": "O=C([O-])C(=O)[O-]", "TFA-": TFA}
    salt = {"(choline)2ox": "0.5 mol/kg", "Mg(TFA)2": "0.5 mol/L", "LiTFSI": "0.2 mol/kg"}
    found = counts(salt=salt, ions=ions, solvent={"DME": 1}, n_atoms=9000)
    assert found["choline+"] == 2 * found["ox-2"] > 0
    assert found["TFA-"] == 2 * found["Mg+2"] > 0
    assert found["Li+"] == found["TFSI-"] > 0


def test_a_density_given_for_a_built_in_liquid_without_one_counts_in_ratios_by_volume():
    given = {"DME": 1, "FEC": {"ratio": 1, "liquid_density_g_per_cm3": 1.4}}
    found = counts(solvent=given, solvent_ratio="volume", n_atoms=20000)
    assert found["DME"] / found["FEC"] == pytest.approx((0.864 / 90.122) / (1.4 / 106.052), rel=5e-3)


def test_a_molecule_of_ones_own():
    given = {"butanol": {"smiles": "CCCCO", "ratio": 1, "liquid_density_g_per_cm3": 0.81}}
    found = system(solvent=given, solvent_ratio="volume", n_atoms=1500)
    assert found.contents["butanol"].smiles == "CCCCO"
    assert found.contents["butanol"].count == 100
    assert found.expected_density_g_per_cm3 == pytest.approx(0.81)


def test_settings_survive_being_written_and_read():
    for given in (
        {"species": {"X": {"smiles": "CCO", "count": 1}}, "periodic": False, "density": None},
        {"salt": {"NaPF6": "1 mol/L"}, "solvent": CARBONATES, "n_atoms": 3000},
        {"salt": {"NaTFA": "1 mol/L"}, "ions": {"TFA-": TFA}, "solvent": CARBONATES, "n_atoms": 3000},
    ):
        project = project_from({"systems": {"a": NPT | given}})
        for options in ({}, {"exclude_unset": True}):
            assert project_from(project.model_dump(mode="json", **options)) == project


def test_the_cutoff_of_a_small_box_leaves_room():
    assert system(species={"DME": 300}).box.cutoff_angstrom == 12.0
    small = system(species={"DME": 20})
    width = (20 * 90.122 / 0.864 / 0.602214076) ** (1 / 3)
    assert small.box.cutoff_angstrom == pytest.approx(0.45 * width, abs=0.01)


WRONG = {
    "charged": ({"species": {"Na+": 24, "PF6-": 23, "DME": 9}}, r"charge of \+1 e \(24 Na\+ \(\+1 e\), 23 PF6-"),
    "unknown species": ({"species": {"DMEE": 4}}, r"'DMEE' is not known; did you mean 'DME'.*smiles: \.\.\., count"),
    "bad SMILES": ({"species": {"X": {"smiles": "C(", "count": 4}}}, r"'C\(' describes no molecule .*do not match"),
    "bad valence": ({"species": {"X": {"smiles": "CN(C)(C)(C)C", "count": 4}}}, r"N, 5, is greater than permitted"),
    "two pieces": ({"species": {"X": {"smiles": "[Na+].[Cl-]", "count": 4}}}, r"is 2 separate molecules"),
    "radical": ({"species": {"X": {"smiles": "C[CH2]", "count": 4}}}, r"unpaired electron"),
    "another molecule of a built-in name": (
        {"species": {"DME": {"smiles": "COC", "count": 4}}},
        r"'DME' is built in as 'COCCOC', but its smiles is 'COC'",
    ),
    "no amount": ({"species": {"DME": {"smiles": "COCCOC"}}}, r"species.DME.count: Field required"),
    "negative amount": ({"species": {"DME": -3}}, r"species.DME.count: .*greater than or equal to 1 \(given: -3"),
    "listed twice": ({"species": [{"name": "DME", "count": 1}] * 2}, r"listed twice"),
    "no species": ({}, r"species is needed, for example"),
    "both ways": ({"species": {"DME": 3}, "solvent": {"DME": 1}}, r"not both"),
    "no size": ({"solvent": {"DME": 1}}, r"n_atoms is needed beside solvent"),
    "no unit": (
        {"salt": {"LiPF6": "1"}, "solvent": CARBONATES, "n_atoms": 900},
        r"salt.LiPF6: '1' is no concentration",
    ),
    "a number without a unit": (
        {"salt": {"LiTFSI": 0.8}, "solvent": CARBONATES, "n_atoms": 900},
        r"salt\.LiTFSI: 0\.8 has no unit; write '0\.8 mol/L' \(of solution\) or '0\.8 mol/kg'",
    ),
    "molar": ({"salt": {"NaPF6": "0.8 M"}, "solvent": CARBONATES, "n_atoms": 900}, r"'0\.8 M' .*write '0\.8 mol/L'"),
    "molal": ({"salt": {"NaPF6": "2 m"}, "solvent": CARBONATES, "n_atoms": 900}, r"write '2 mol/kg'"),
    "millimolar": ({"salt": {"NaPF6": "800 mmol/L"}, "solvent": CARBONATES, "n_atoms": 900}, r"write '0\.8 mol/L'"),
    "nothing of a salt": ({"salt": {"NaPF6": "0 mol/kg"}, "solvent": CARBONATES, "n_atoms": 900}, r"above zero"),
    "no mapping": ({"salt": "NaPF6", "solvent": CARBONATES, "n_atoms": 900}, r"salt: expected a mapping, .*'NaPF6'"),
    "yes as a count": ({"species": {"DME": True}}, r"DME: count: expected a number or a text, got true, yes or on"),
    "a SMILES without quotes": (
        {"species": {"X": {"smiles": ["K+"], "count": 1}}},
        r"smiles: expected a text; text that begins with a bracket, .* must be in quotes",
    ),
    "kilograms per cubic metre": ({"species": {"DME": 9}, "density": 864}, r"864 kg/m3 is 0\.864"),
    "a density with its unit": ({"species": {"DME": 9}, "density": "864 kg/m3"}, r"write 0\.864, without a unit"),
    "a denser liquid than any": ({"species": {"DME": 9}, "density": 30}, r"30 g/cm3 is denser than any liquid"),
    "below 0 °C": (
        {"species": {"DME": 9}, "temperatures_kelvin": [-10]},
        r"kelvin and above 0; -10 °C would be 263\.15",
    ),
    "Celsius": ({"species": {"DME": 9}, "temperatures_kelvin": ["40 °C"]}, r"in kelvin: write 313\.15"),
    "kelvin with its unit": ({"species": {"DME": 9}, "npt": {"temperature_kelvin": "310 K"}}, r"write 310 "),
    "one temperature": ({"species": {"DME": 9}, "temperatures_kelvin": 310}, r"write a list: \[310\]"),
    "a length with its unit": (
        {"species": {"DME": 9}, "cutoff_angstrom": "4 Å"},
        r"write the number alone, in the unit",
    ),
    "a decimal comma": ({"species": {"DME": 9}, "cutoff_angstrom": "3,5"}, r"write a decimal point: 3\.5"),
    "unknown salt": (
        {"salt": {"NaPF7": "1 mol/L"}, "solvent": CARBONATES, "n_atoms": 900},
        r"salt: 'NaPF7' is not known; did you mean 'NaPF6'",
    ),
    "salt of an undeclared ion": (
        {"salt": {"LiTFA": "1 mol/L"}, "solvent": CARBONATES, "n_atoms": 900},
        r"salt: 'LiTFA' is not known; .*names of its cation and anion.*declare any other, as in ions: \{TFA-: \{smiles",
    ),
    "declared ion of no salt": (
        {"salt": {"LiPF6": "1 mol/L"}, "ions": {"TFA-": TFA}, "solvent": CARBONATES, "n_atoms": 900},
        r"ions: no salt contains TFA-; use it in one, such as KTFA",
    ),
    "ion without charge": (
        {"salt": {"LiTFA": "1 mol/L"}, "ions": {"TFA-": "O=C(O)C(F)(F)F"}, "solvent": CARBONATES, "n_atoms": 900},
        r"ions.TFA-: 'O=C\(O\)C\(F\)\(F\)F' has no charge",
    ),
    "ion that is no molecule": (
        {"salt": {"LiTFA": "1 mol/L"}, "ions": {"TFA-": "C("}, "solvent": CARBONATES, "n_atoms": 900},
        r"ions.TFA-: SMILES 'C\(' describes no molecule",
    ),
    "two salts of one name": (
        {"salt": {"LiTFSI": "1 mol/L"}, "ions": {"TFSI": TFA}, "solvent": CARBONATES, "n_atoms": 900},
        r"LiTFSI would be the formula of Li\+ and TFSI- as well as of Li\+ and TFSI: give the ion .* another name",
    ),
    "ions beside species": (
        {"species": {"DME": 3}, "ions": {"TFA-": TFA}},
        r"ions belong to salt, which is missing; with species, write TFA-: \{smiles: ..., count: ...\} there",
    ),
    "impossible concentration": (
        {"salt": {"NaPF6": "20 mol/L"}, "solvent": CARBONATES, "n_atoms": 900},
        r"leaves no room for solvent: the salt alone takes 160 %",
    ),
    "too few atoms": (
        {"salt": {"NaPF6": "0.1 mol/L"}, "solvent": CARBONATES, "n_atoms": 300},
        r"n_atoms 300: no whole molecules in 240 to 360 atoms .* 0\.4 instead of 0\.1 mol/L of NaPF6\. .* is 1382",
    ),
    "volume of an unknown liquid": (
        {"solvent": {"X": {"smiles": "CCCO", "ratio": 1}}, "solvent_ratio": "volume", "n_atoms": 900},
        r"needs the density of pure X: give X its liquid_density_g_per_cm3",
    ),
    "ion as solvent": ({"solvent": {"Na+": 1}, "n_atoms": 900}, r"ions belong into salt or species"),
    "TIP3P for another molecule": ({"species": {"DME": 9}, "force_field": "tip3p"}, r"no parameters for species DME"),
    "impossible density": (
        {"species": {"DME": 9}, "density": 9.0},
        r"9 g/cm3 is more than 2 times the 0\.86 g/cm3 that the species have as liquids",
    ),
    "no density": ({"species": {"DME": 9}, "density": None}, r"density is needed"),
    "two densities": ({"species": {"DME": 9}, "density_g_per_cm3": 1.0}, r"are the same setting"),
    "several molecules without a box": (
        {"species": {"DME": 9}, "periodic": False, "density": None},
        r"one molecule alone",
    ),
    "a density without a box": ({"species": {"DME": 1}, "periodic": False}, r"density and npt must be left out"),
    "annealing that heats": ({"species": {"DME": 9}, "annealing": {"start_kelvin": 200}}, r"annealing cools"),
    "too hot": ({"species": {"DME": 9}, "temperatures_kelvin": [300, 30000]}, r"less than or equal to 5000"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_contents_are_one_clear_error(name):
    given, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        system(**given)


def test_composition_and_concentrations_by_hand():
    sodium, chloride, water = (find_species("t", name) for name in ("Na+", "Cl-", "water"))
    found = composition({sodium: 2, chloride: 2, water: 100}, 1.05)
    mass = 2 * (22.98977 + 35.453) + 100 * 18.015
    assert found["mol_per_litre"]["Na+"] == pytest.approx(2 / (mass / 1050), rel=1e-4)
    assert found["mol_per_kg_solvent"]["Cl-"] == pytest.approx(2 / 1.8015, rel=1e-4)
    assert found["n_atoms"] == 304


def test_every_built_in_species_is_readable_and_its_own_molecule():
    found = [find_species("t", name) for name in BUILT_IN]
    assert len({one.smiles for one in found}) == len(BUILT_IN)
    assert {one.name: one.charge for one in found if one.charge} == {
        **dict.fromkeys(("Li+", "Na+", "K+", "H3O+", "EMIM+", "BMIM+", "PYR13+", "PYR14+"), 1),
        **dict.fromkeys(("Mg+2", "Zn+2", "Ca+2"), 2),
        **dict.fromkeys(("PF6-", "TFSI-", "FSI-", "FTFSI-", "BETI-", "OTf-", "BOB-", "DFOB-", "TDI-"), -1),
        **dict.fromkeys(("BF4-", "ClO4-", "NO3-", "HSO4-", "Cl-"), -1),
        "SO4-2": -2,
    }


def test_concentrations_are_read():
    assert read_concentration("x", " 1.5e0 mol/L") == (1.5, "mol/L")
    for text in ("0 mol/L", "mol/L", "1 M", "-1 mol/kg"):
        with pytest.raises(InputError, match="is no concentration"):
            read_concentration("x", text)


def test_resolved_boxes_are_neutral_for_all_salts():
    for name in salts():
        found = resolve({name: "1 mol/kg"}, system(solvent={"EC": 1}, n_atoms=100).solvent, "mole", 3000, None)
        assert sum(find_species("t", ion).charge * one.count for ion, one in found.items()) == 0
