"""Organic molecules: types and charges of MD17, terms against the published numbers, solvents, isomers, limits."""

import csv
from pathlib import Path

import numpy as np
import openmm
import pytest
import yaml
from rdkit import Chem
from rdkit.Chem import AllChem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from gpip.config import project_from
from gpip.core.errors import InputError
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.openmm_system import opls_system
from gpip.forcefields.opls.tables import load_tables

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
KCAL_TO_KJ = 4.184

# Numbers of the OPLS-AA types of each atom, in the order of the SMILES with its hydrogens behind; below, each number's
# class and charge (GROMACS 2022.5, oplsaa.ff/ffnonbonded.itp).
MD17 = {
    "benzene": (
        "c1ccccc1",
        "145 145 145 145 145 145 146 146 146 146 146 146",
    ),
    "toluene": (
        "Cc1ccccc1",
        "148 145 145 145 145 145 145 140 140 140 146 146 146 146 146",
    ),
    "naphthalene": (
        "c1ccc2ccccc2c1",
        "145 145 145 147 145 145 145 145 147 145 146 146 146 146 146 146 146 146",
    ),
    "ethanol": (
        "CCO",
        "135 157 154 140 140 140 140 140 155",
    ),
    "malonaldehyde": (
        "O=CCC=O",
        "278 277 136 277 278 279 282 282 279",
    ),
    "salicylic_acid": (
        "O=C(O)c1ccccc1O",
        "269 470 268 145 145 145 145 145 166 167 270 146 146 146 146 168",
    ),
    "aspirin": (
        "CC(=O)Oc1ccccc1C(=O)O",
        "135 465 466 473 472 145 145 145 145 145 470 269 268 282 282 282 146 146 146 146 270",
    ),
    "uracil": (
        "O=c1cc[nH]c(=O)[nH]1",
        "328 322 323 324 319 320 326 321 329 330 325 327",
    ),
}
NUMBERS = {
    "135": ("CT", -0.18),
    "136": ("CT", -0.12),
    "140": ("HC", 0.06),
    "145": ("CA", -0.115),
    "146": ("HA", 0.115),
    "147": ("CA", 0.0),
    "148": ("CT", -0.065),
    "154": ("OH", -0.683),
    "155": ("HO", 0.418),
    "157": ("CT", 0.145),
    "166": ("CA", 0.15),
    "167": ("OH", -0.585),
    "168": ("HO", 0.435),
    "268": ("OH", -0.53),
    "269": ("O_3", -0.44),
    "270": ("HO", 0.45),
    "277": ("C_2", 0.45),
    "278": ("O_2", -0.45),
    "279": ("HC", 0.0),
    "282": ("HC", 0.06),
    "319": ("NA", -0.6),
    "320": ("C", 0.5),
    "321": ("NA", -0.51),
    "322": ("C", 0.45),
    "323": ("CM", -0.07),
    "324": ("CM", 0.08),
    "325": ("H", 0.41),
    "326": ("O", -0.4),
    "327": ("H", 0.36),
    "328": ("O", -0.42),
    "329": ("HC", 0.1),
    "330": ("HC", 0.1),
    "465": ("C_2", 0.51),
    "466": ("O_2", -0.43),
    "470": ("C", 0.635),
    "472": ("CA", 0.135),
    "473": ("OS", -0.215),
}
SOLVENTS = r"""
    CO CCCO CC(C)O CC(C)(C)O OCCO OCC(O)CO CC(O)CO CC(C)=O CCC(C)=O O=C1CCCCC1 CC=O C=O COC=O COC(C)=O CCOC(C)=O
    CCC(=O)OC CCC(=O)OCC CCCC(=O)OCC O=C1CCCO1 C1CCOC1 CC1CCCO1 C1COCCO1 CCOCC COC CC(C)OC(C)C CCCCOCCCC COC(C)(C)C
    COC1CCCC1 COCOC COC(C)OC COC(C)(C)OC CS(C)=O CS(C)(=O)=O CCS(C)(=O)=O CSC CCS CN(C)C=O CC(=O)N(C)C CNC=O
    CNC(C)=O CN1CCCC1=O NC=O CC(N)=O NC(N)=O CC(=O)O OC=O CCC(=O)O C CC CCC CC(C)C CC(C)(C)C CCCCCC CCCCCCC C1CCCCC1
    C1CCCC1 C1CC1 C1CCC1 CC1CC1 C=C CC=C CC(C)=C C=CC=C C1CCC=CC1 CC(=C)C=C C=CC=O CC(=O)C=C COC(=O)C=C
    COC(=O)C(C)=C C=CC(=O)O CC#C CCC#C CC#CC C=Cc1ccccc1 CCc1ccccc1 CC(C)c1ccccc1 Cc1ccccc1C OCc1ccccc1 Oc1ccccc1
    COc1ccccc1 Clc1ccccc1 Clc1ccccc1Cl Fc1ccccc1 Fc1c(F)c(F)c(F)c(F)c1F FC(F)(F)c1ccccc1 N#Cc1ccccc1
    O=[N+]([O-])c1ccccc1 Nc1ccccc1 CN(C)c1ccccc1 O=Cc1ccccc1 CC(=O)c1ccccc1 COC(=O)c1ccccc1 O=C(O)c1ccccc1
    CC(=O)Oc1ccccc1 NC(=O)c1ccccc1 COC(=O)c1ccccc1O Oc1ccc(C)cc1 CC#N CCC#N CCCC#N CC(C)C#N N#CCCC#N N#CCCCC#N
    N#CCCCCC#N C[N+](=O)[O-] CC[N+](=O)[O-] CN CCN CNC CCNCC CN(C)C CCN(CC)CC C1CCNC1 ClCCCl CCCCCl CCCF OCC(F)(F)F
    c1ccncc1 Cc1ccccn1 c1ccoc1 Cc1ccco1 c1cc[nH]c1 CCOC=C C1CC=CO1 COC=C COCCO CCOCCO COC(=O)C(C)O CC(=O)CC(C)(C)O
    CCOC(=O)CC(C)=O CC(=O)CC(C)=O CC(=O)C(C)=O OC1CCC(=O)C=C1 O=C1CCCC=C1 OCC#C OCC=C CC(=O)CO CC(O)C(=O)O
    COC(=O)CCC(=O)OC COC(=O)CC(=O)OC CC(=O)OCC(COC(C)=O)OC(C)=O C1COCCOCCOCCO1 O=C1CCCCO1 CC1CO1 COCc1ccccc1
    COC1CCCO1 OC1CCCO1 C1COCOC1 c1ccc2CCCCc2c1 c1ccccc1-c1ccccc1 C1CO1 OC(=O)CC(=O)O
"""


def classes(molecule, atoms):
    return "-".join(molecule.atoms[i].class_name for i in atoms)


def numbers_by_classes(terms, molecule, numbers):
    """The numbers of each sequence of classes (both ways round), and that they are the same wherever it occurs."""
    found = {}
    for term in terms:
        for name in {classes(molecule, term.atoms), classes(molecule, term.atoms[::-1])}:
            assert found.setdefault(name, numbers(term)) == numbers(term)
    return found


@pytest.mark.parametrize("name", MD17)
def test_md17_types_and_charges(name):
    smiles, type_numbers = MD17[name]
    molecule = type_molecule(name, smiles)
    types = load_tables().types
    assert [types[atom.type_name].opls_number for atom in molecule.atoms] == type_numbers.split()
    given = [(atom.class_name, atom.charge_e) for atom in molecule.atoms]
    assert given == [NUMBERS[number] for number in type_numbers.split()]
    assert abs(molecule.charge_e) < 1e-9


def test_torsions_of_ethanol():
    molecule = type_molecule("ethanol", "CCO")
    torsions = numbers_by_classes(molecule.torsions, molecule, lambda term: term.v_kj_per_mol)
    published_kcal = {
        "CT-CT-OH-HO": (-0.356, -0.174, 0.492, 0.0),
        "HC-CT-OH-HO": (0.0, 0.0, 0.450, 0.0),
        "HC-CT-CT-OH": (0.0, 0.0, 0.468, 0.0),
        "HC-CT-CT-HC": (0.0, 0.0, 0.300, 0.0),
    }
    for name, kcal in published_kcal.items():
        np.testing.assert_allclose(torsions[name], np.multiply(kcal, KCAL_TO_KJ), atol=1e-5)
    assert len(molecule.torsions) == 12


def test_terms_of_benzene():
    molecule = type_molecule("benzene", "c1ccccc1")
    assert len(molecule.impropers) == 6
    np.testing.assert_allclose([term.v2_kj_per_mol for term in molecule.impropers], 2.2 * KCAL_TO_KJ)
    torsions = np.array([term.v_kj_per_mol for term in molecule.torsions])
    np.testing.assert_allclose(torsions, np.tile([0.0, 7.25 * KCAL_TO_KJ, 0.0, 0.0], (24, 1)), atol=1e-9)
    bonds = numbers_by_classes(molecule.bonds, molecule, lambda term: (term.length_nm, term.k_kj_per_mol_nm2))
    assert bonds["CA-CA"] == (0.14, pytest.approx(469 * 836.8))
    assert bonds["CA-HA"] == (0.108, pytest.approx(367 * 836.8))


def test_impropers_of_uracil():
    molecule = type_molecule("uracil", MD17["uracil"][0])
    centres = sorted((molecule.atoms[term.atoms[2]].class_name, term.v2_kj_per_mol) for term in molecule.impropers)
    assert [name for name, _ in centres] == ["C", "C", "CM", "CM", "NA", "NA"]
    np.testing.assert_allclose([v2 for _, v2 in centres], np.array([21, 21, 30, 30, 2, 2]) * KCAL_TO_KJ)


@pytest.mark.parametrize("smiles", SOLVENTS.split())
def test_solvents_are_neutral_and_complete(smiles):
    molecule = type_molecule("solvent", smiles)
    assert abs(molecule.charge_e) < 1e-6
    assert len(molecule.atoms) == Chem.AddHs(Chem.MolFromSmiles(smiles)).GetNumAtoms()


@pytest.mark.parametrize(
    "smiles",
    [
        "O/C=C\\C=O",  # enol
        "CC(=O)OC=C",  # vinyl ester
        "C=CC#N",  # nitrile on a double bond
        "ClCCl",  # united-atom in OPLS
        "c1ccsc1",  # thiophene
        "CC(O)(C#N)C",  # two groups on one carbon: charges would not add up
        "C=C(OC)C(C)=C",  # conjugated enol ether
        "C=CC=CC=CC=C",  # longer polyenes than trienes
        "O=C1C=CC(=O)C=C1",  # quinone
    ],
)
def test_what_opls_does_not_cover_is_refused(smiles):
    with pytest.raises(InputError):
        type_molecule("uncovered", smiles)


@pytest.mark.parametrize(
    ("smiles", "bond", "length_nm"),
    [
        ("C=CC=C", "C=-C=", 0.146),
        ("C=CC=C", "CM-C=", 0.134),
        ("C=CC=CC=C", "C#-C=", 0.146),
        ("C=CC=CC=C", "C#-C#", 0.1345),
        ("C=CC=O", "C=-C_2", 0.146),
        ("CC=CC", "CM-CM", 0.134),
        ("c1ccccc1-c1ccccc1", "C!-C!", 0.146),
        ("C1CCC1", "CY4-CY4", 0.152),
        ("C1CC1", "CY-CY", 0.1509),
    ],
)
def test_single_and_double_bonds_are_told_apart(smiles, bond, length_nm):
    molecule = type_molecule("molecule", smiles)
    assert numbers_by_classes(molecule.bonds, molecule, lambda term: term.length_nm)[bond] == length_nm


def relaxed(name, smiles):
    """Typed molecule, MMFF94 geometry and OPLS-AA minimum from there, nm."""
    molecule = type_molecule(name, smiles)
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=7)
    AllChem.MMFFOptimizeMolecule(mol, maxIters=2000)
    start = mol.GetConformer().GetPositions() / 10
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(opls_system([(molecule, 1)], None, 1.0), openmm.VerletIntegrator(0.001), platform)
    context.setPositions(start)
    openmm.LocalEnergyMinimizer.minimize(context, 0.1)
    return molecule, start, context.getState(positions=True).getPositions(asNumpy=True)._value


@pytest.mark.parametrize("name", MD17)
def test_md17_geometries_agree_with_mmff(name):
    """MMFF94 is an independent force field: a bond or a planar group assigned wrongly shows."""
    molecule, start, end = relaxed(name, MD17[name][0])
    for bond in molecule.bonds:
        lengths = [np.linalg.norm(x[bond.atoms[0]] - x[bond.atoms[1]]) for x in (start, end)]
        assert lengths[0] == pytest.approx(lengths[1], abs=0.006)
    if name in ("benzene", "naphthalene", "uracil"):
        assert np.linalg.svd(end - end.mean(axis=0))[1][2] < 1e-2


def test_isomers():
    with (EXPERIMENTS / "iso17" / "smiles.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    molecules = [Chem.MolFromSmiles(row["smiles"]) for row in rows]
    assert [int(row["index"]) for row in rows] == list(range(1, 101))
    assert len({Chem.MolToSmiles(mol) for mol in molecules}) == 100
    assert len({row["groups"] for row in rows}) >= 40
    for row, mol in zip(rows, molecules, strict=True):
        assert CalcMolFormula(mol) == "C7H10O2"
        typed = type_molecule(row["index"], row["smiles"])
        assert len(typed.atoms) == 19
        assert abs(typed.charge_e) < 1e-6
    config = yaml.safe_load((EXPERIMENTS / "iso17" / "config.yaml").read_text(encoding="utf-8"))
    given = [next(iter(system["species"].values()))["smiles"] for system in config["systems"].values()]
    assert given == [row["smiles"] for row in rows]


@pytest.mark.parametrize(("experiment", "n_frames", "n_short"), [("md17", 160_000, 800), ("iso17", 2_000_000, 1_000)])
def test_experiments_have_as_many_frames_as_the_paper(experiment, n_frames, n_short):
    given = yaml.safe_load((EXPERIMENTS / experiment / "config.yaml").read_text(encoding="utf-8"))
    assert project_from(given).n_frames_of_set(experiment) == n_frames
    assert project_from(given | {"scale": "minutes"}).n_frames_of_set(experiment) == n_short
