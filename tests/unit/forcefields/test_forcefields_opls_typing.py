import numpy as np
import openmm
import pytest
from opls_formulas import angle, distance
from rdkit.Chem import AllChem

from gpip.core.errors import InputError
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.openmm_system import opls_system
from gpip.forcefields.opls.structure import molecule_from, opposite_pairs, start_positions

# name: charge, then atoms, bonds, angles, torsions, impropers, 1-4 pairs
COUNTS = {
    "Li+": (1, 1, 0, 0, 0, 0, 0),
    "Na+": (1, 1, 0, 0, 0, 0, 0),
    "K+": (1, 1, 0, 0, 0, 0, 0),
    "Mg+2": (2, 1, 0, 0, 0, 0, 0),
    "Zn+2": (2, 1, 0, 0, 0, 0, 0),
    "Cl-": (-1, 1, 0, 0, 0, 0, 0),
    "PF6-": (-1, 7, 6, 12, 0, 0, 0),
    "TFSI-": (-1, 15, 14, 25, 24, 0, 24),
    "FSI-": (-1, 9, 8, 13, 6, 0, 6),
    "BF4-": (-1, 5, 4, 6, 0, 0, 0),
    "ClO4-": (-1, 5, 4, 6, 0, 0, 0),
    "DME": (0, 16, 15, 26, 21, 0, 21),
    "EC": (0, 10, 10, 17, 19, 1, 14),
    "DMC": (0, 12, 11, 17, 10, 1, 10),
    "PC": (0, 13, 13, 23, 28, 1, 23),
    "EMC": (0, 15, 14, 23, 19, 1, 19),
    "DEC": (0, 18, 17, 29, 28, 1, 28),
    "DOL": (0, 11, 11, 20, 21, 0, 16),
    "diglyme": (0, 23, 22, 39, 36, 0, 36),
    "triglyme": (0, 30, 29, 52, 51, 0, 51),
    "tetraglyme": (0, 37, 36, 65, 66, 0, 66),
    "acetonitrile": (0, 6, 5, 7, 3, 0, 3),
    "sulfolane": (0, 15, 15, 30, 45, 0, 40),
    "water": (0, 3, 2, 1, 0, 0, 0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_species_has_its_charge_and_all_its_terms(typed, name):
    molecule = typed(name)
    charge, *counts = COUNTS[name]
    np.testing.assert_allclose(molecule.charge_e, charge, atol=1e-12)
    terms = (molecule.atoms, molecule.bonds, molecule.angles, molecule.torsions, molecule.impropers)
    assert [*map(len, terms), len(molecule.scaled_pairs)] == counts
    assert not set(molecule.scaled_pairs) & set(molecule.excluded_pairs)


def test_types_and_terms_of_dme(typed):
    dme = typed("DME")
    assert [atom.type_name for atom in dme.atoms[:6]] == [
        "CT_eth3",
        "OS_eth",
        "CT_eth2",
        "CT_eth2",
        "OS_eth",
        "CT_eth3",
    ]
    assert {atom.type_name for atom in dme.atoms[6:]} == {"HC_eth"}
    oxygen = dme.atoms[1]
    assert (oxygen.charge_e, oxygen.sigma_nm, oxygen.epsilon_kj_per_mol) == (-0.40, 0.29, 0.58576)
    middle = next(torsion for torsion in dme.torsions if torsion.atoms == (1, 2, 3, 4))
    assert middle.v_kj_per_mol == (-2.3012, 0.0, 0.0, 0.0)


def test_improper_of_a_carbonate_ends_with_the_carbonyl_oxygen(typed):
    (improper,) = typed("EC").impropers
    assert improper.atoms == (2, 5, 1, 0)
    assert improper.v2_kj_per_mol == pytest.approx(2 * 43.932)


def test_terms_do_not_depend_on_how_the_smiles_is_written(typed):
    other = type_molecule("EC", "C1COC(=O)O1")
    for kind in ("bonds", "angles", "torsions", "impropers"):
        first, second = ([term[1:] for term in getattr(m, kind)] for m in (typed("EC"), other))
        assert sorted(first) == sorted(second)
    assert sorted(atom.type_name for atom in other.atoms) == sorted(atom.type_name for atom in typed("EC").atoms)


def test_opposite_ligands_of_an_octahedron_carry_no_angle(typed):
    angles = {angle.atoms for angle in typed("PF6-").angles}
    opposite = opposite_pairs("PF6-", molecule_from("PF6-", "F[P-](F)(F)(F)(F)F"))
    assert len(opposite) == 3
    assert not angles & opposite
    assert sorted(i for first, _, last in opposite for i in (first, last)) == [0, 2, 3, 4, 5, 6]


def test_octahedra_start_as_octahedra(typed):
    positions = start_positions("PF6-", "F[P-](F)(F)(F)(F)F")
    angles = [np.degrees(angle(positions, *term.atoms)) for term in typed("PF6-").angles]
    assert 80 < min(angles) < max(angles) < 100


# Mean bond lengths (Å) and angles (°) by classes in the gas phase, from a separate assignment and minimisation.
RELAXED = {
    "PF6-": {"P_pf6-F_pf6": 1.606, "F_pf6-P_pf6-F_pf6": 90.0},
    "TFSI-": {"SB-OB": 1.440, "NB-SB": 1.565, "SB-CB": 1.842, "CB-FB": 1.326, "SB-NB-SB": 127.3, "OB-SB-OB": 116.8},
    "EC": {"O-C": 1.226, "C-OS": 1.319, "OS-CT": 1.410, "CT-CT": 1.535, "OS-C-OS": 111.5, "O-C-OS": 124.3},
    "DMC": {"O-C": 1.233, "C-OS": 1.337, "OS-CT": 1.417, "OS-C-OS": 114.8, "O-C-OS": 122.6, "C-OS-CT": 119.4},
}
RELAXED_ENERGY_KJ_PER_MOL = {"PF6-": 0.0, "TFSI-": 189.995, "EC": 12.154, "DMC": -75.370}


@pytest.mark.parametrize("name", RELAXED)
def test_relaxed_molecule_has_the_expected_shape(typed, name):
    molecule = typed(name)
    positions, energy = relaxed(molecule)
    values = {}
    for bond in molecule.bonds:
        values.setdefault(classes_of(molecule, bond.atoms), []).append(10 * distance(positions, *bond.atoms))
    for term in molecule.angles:
        values.setdefault(classes_of(molecule, term.atoms), []).append(np.degrees(angle(positions, *term.atoms)))
    for classes, expected in RELAXED[name].items():
        key = min(classes.split("-"), classes.split("-")[::-1])
        np.testing.assert_allclose(np.mean(values["-".join(key)]), expected, atol=0.1 if expected > 10 else 0.001)
    if name in RELAXED_ENERGY_KJ_PER_MOL:
        np.testing.assert_allclose(energy, RELAXED_ENERGY_KJ_PER_MOL[name], atol=2e-3)


def classes_of(molecule, atoms):
    names = [molecule.atoms[i].class_name for i in atoms]
    return "-".join(min(names, names[::-1]))


def relaxed(molecule):
    """Positions (nm) and energy (kJ/mol) of the lowest of six minima."""
    system = opls_system([(molecule, 1)], None, 10.0)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    embedded = molecule_from(molecule.name, molecule.smiles)
    minima = []
    for conformer in AllChem.EmbedMultipleConfs(embedded, 6, randomSeed=1):
        context.setPositions(embedded.GetConformer(conformer).GetPositions() / 10)
        openmm.LocalEnergyMinimizer.minimize(context, 1e-3)
        state = context.getState(getPositions=True, getEnergy=True)
        minima.append((state.getPotentialEnergy()._value, state.getPositions(asNumpy=True)._value))
    energy, positions = min(minima, key=lambda minimum: minimum[0])
    return positions, energy


def test_all_that_lacks_is_told_in_one_error():
    with pytest.raises(InputError) as caught:
        type_molecule("SiF4", "F[Si](F)(F)F")
    text = str(caught.value)
    assert text.startswith("species 'SiF4': OPLS-AA has no parameters for parts of F[Si](F)(F)F:\n")
    assert "no type for F0 (bonded to Si1), F2 (bonded to Si1), F3 (bonded to Si1), F4 (bonded to Si1); nearest" in text
    assert "no type for Si1 (bonded to F0, F2, F3, F4); no type of Si is known" in text
    assert "force_field: {opls-aa: extra.csv}" in text
    assert "force_field: openff-2.2.1" in text


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C1CC", "SMILES .C1CC. describes no molecule"),
        ("", "describes no molecule .*it is empty"),
        ("[Na+].[Cl-]", "is 2 separate molecules"),
        ("[Cs+]", r"no type for Cs0 \(bonded to nothing\); no type of Cs is known"),
    ],
)
def test_smiles_that_are_no_species(smiles, message):
    with pytest.raises(InputError, match=message):
        type_molecule("x", smiles)
