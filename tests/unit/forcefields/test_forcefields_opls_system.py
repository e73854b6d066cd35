import itertools

import numpy as np
import openmm
import pytest
from openmm.app import Element, Topology
from opls_formulas import COULOMB_KJ_NM_PER_MOL_E2, expected_energies

from gpip.core.errors import InputError
from gpip.forcefields.opls.openmm_system import energies_by_term, opls_system, ryckaert_bellemans
from gpip.forcefields.opls.structure import start_positions
from gpip.forcefields.tip3p import tip3p_system

TERMS = ("bonds", "angles", "torsions", "impropers", "coulomb", "lennard_jones_14", "lennard_jones")


def placed(molecules, spacing_nm=0.6, seed=0):
    """Distorted molecules at the corners of a cubic lattice, [n_atoms, 3] nm."""
    generator = np.random.default_rng(seed)
    positions = []
    for molecule, corner in zip(molecules, itertools.product(range(4), repeat=3), strict=False):
        rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
        own = start_positions(molecule.name, molecule.smiles) / 10
        own = own - own.mean(axis=0) + generator.normal(0, 0.004, own.shape)
        positions.append(own @ rotation + np.array(corner) * spacing_nm)
    return np.concatenate(positions)


def forces_of(system, positions):
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions)
    return context.getState(getForces=True).getForces(asNumpy=True)._value


MIXTURES = [
    ("DME",),
    ("EC",),
    ("PC",),
    ("DOL",),
    ("sulfolane",),
    ("acetonitrile",),
    ("TFSI-",),
    ("FSI-", "ClO4-"),
    ("Li+", "PF6-", "EC", "DMC"),
    ("Na+", "TFSI-", "DME"),
    ("Mg+2", "BF4-", "water", "BF4-", "water"),
]


@pytest.mark.parametrize("names", MIXTURES, ids="+".join)
def test_every_term_equals_the_formulas_of_the_paper(typed, names):
    molecules = [typed(name) for name in names]
    positions = placed(molecules)
    found = energies_by_term(opls_system([(m, 1) for m in molecules], None, 10.0), positions)
    expected = expected_energies(molecules, positions)
    for term in TERMS:
        np.testing.assert_allclose(found[term], expected[term], rtol=1e-7, atol=1e-7, err_msg=term)
    np.testing.assert_allclose(found["total"], sum(expected.values()), rtol=1e-7)


@pytest.mark.parametrize("names", [("EC",), ("Li+", "PF6-", "DMC"), ("TFSI-", "water")], ids="+".join)
def test_forces_are_slopes_of_the_formulas(typed, names):
    molecules = [typed(name) for name in names]
    positions = placed(molecules, seed=3)
    forces = forces_of(opls_system([(m, 1) for m in molecules], None, 10.0), positions)
    step = 1e-6
    for i in range(0, len(positions), 3):
        for axis in range(3):
            energies = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[i, axis] += sign * step
                energies.append(sum(expected_energies(molecules, moved).values()))
            slope = -(energies[0] - energies[1]) / (2 * step)
            np.testing.assert_allclose(forces[i, axis], slope, rtol=1e-5, atol=2e-2)


def test_single_numbers(typed):
    """One stretched bond, one pair, by hand."""
    water = typed("water")
    positions = np.array([[0, 0, 0], [0.10, 0, 0], [0, 0.10, 0]])
    energies = energies_by_term(opls_system([(water, 1)], None, 10.0), positions)
    np.testing.assert_allclose(energies["bonds"], 462750.4 * (0.10 - 0.09572) ** 2, rtol=1e-10)
    np.testing.assert_allclose(energies["angles"], 836.8 / 2 * np.radians(104.52 - 90) ** 2, rtol=1e-10)
    assert energies["coulomb"] == energies["lennard_jones"] == energies["lennard_jones_14"] == 0


def test_lithium_and_fluorine_mix_by_geometric_means(typed):
    lithium, anion = typed("Li+"), typed("PF6-")
    own = start_positions("PF6-", anion.smiles) / 10
    far = 0.25 * (own[0] - own[1]) / np.linalg.norm(own[0] - own[1]) + own[0]
    energies = energies_by_term(opls_system([(lithium, 1), (anion, 1)], None, 10.0), np.vstack([far, own]))
    expected = 0.0
    for atom, x in zip(anion.atoms, own, strict=True):
        sigma = np.sqrt(0.2126452 * {"P": 0.374, "F": 0.31181}[atom.element])
        epsilon = np.sqrt(0.0764793 * {"P": 0.8368, "F": 0.255224}[atom.element])
        ratio = sigma / np.linalg.norm(far - x)
        expected += 4 * epsilon * (ratio**12 - ratio**6)
    # Opposite and neighbouring fluorines are 1-3 of each other: nothing else has a Lennard-Jones term.
    np.testing.assert_allclose(energies["lennard_jones"], expected, rtol=1e-8)


@pytest.mark.parametrize("v", [(1.0, 0, 0, 0), (0, 2.0, 0, 0), (0, 0, 3.0, 0), (0, 0, 0, 4.0), (-2.3, 1.1, 0.7, -0.4)])
def test_fourier_series_as_powers_of_the_cosine(v):
    phi = np.linspace(-np.pi, np.pi, 73)
    series = sum(v[n - 1] / 2 * (1 - (-1) ** n * np.cos(n * phi)) for n in range(1, 5))
    powers = sum(c * np.cos(phi - np.pi) ** n for n, c in enumerate(ryckaert_bellemans(v)))
    np.testing.assert_allclose(powers, series, atol=1e-12)


def test_box_cuts_off_at_nearest_images(typed):
    molecules = [typed(name) for name in ("Li+", "PF6-", "EC", "EC", "DMC", "DME", "water")]
    box, cutoff = 1.9, 0.8
    system = opls_system([(m, 1) for m in molecules], 10 * box, 10 * cutoff)
    found, expected = [], []
    for seed in (1, 2):
        positions = placed(molecules, spacing_nm=0.65, seed=seed)
        found.append(energies_by_term(system, positions)["lennard_jones"])
        expected.append(expected_energies(molecules, positions, box=box, cutoff=cutoff)["lennard_jones"])
    # The correction for what lies beyond the cutoff is a constant at given volume.
    np.testing.assert_allclose(found[0] - found[1], expected[0] - expected[1], rtol=1e-8)


def test_correction_beyond_the_cutoff_is_the_integral_over_a_uniform_liquid(typed):
    water = typed("water")
    n, box, cutoff = 30, 2.4, 0.9
    system = opls_system([(water, n)], 10 * box, 10 * cutoff)
    positions = placed([water] * n, spacing_nm=0.6)
    correction = (
        energies_by_term(system, positions)["lennard_jones"]
        - (expected_energies([water] * n, positions, box=box, cutoff=cutoff)["lennard_jones"])
    )
    sigma, epsilon = 0.315061, 0.636386
    integral = 4 * epsilon * (sigma**12 / (9 * cutoff**9) - sigma**6 / (3 * cutoff**3))
    # OpenMM averages over N (N + 1) / 2 pairs of atoms, of which n (n + 1) / 2 are of oxygens.
    share = n * (n + 1) / (3 * n * (3 * n + 1))
    np.testing.assert_allclose(correction, 2 * np.pi * (3 * n) ** 2 * share * integral / box**3, rtol=1e-5)


def test_water_in_a_box_is_that_of_tip3p_but_for_its_rounding(typed):
    water, n, edge = typed("water"), 27, 19.0
    positions = placed([water] * n, spacing_nm=0.62)
    topology = Topology()
    chain = topology.addChain()
    for _ in range(n):
        residue = topology.addResidue("HOH", chain)
        o, h1, h2 = (topology.addAtom(a, Element.getBySymbol(a[0]), residue) for a in ("O", "H1", "H2"))
        topology.addBond(o, h1)
        topology.addBond(o, h2)
    topology.setPeriodicBoxVectors(np.eye(3) * edge / 10 * openmm.unit.nanometer)
    for rigid in (False, True):
        ours = opls_system([(water, n)], edge, 8.0, rigid_water=rigid)
        other = tip3p_system(topology, 8.0, rigid)
        assert ours.getNumConstraints() == other.getNumConstraints() == (3 * n if rigid else 0)
        for i in range(ours.getNumConstraints()):
            i1, j1, d1 = ours.getConstraintParameters(i)
            constraints = [other.getConstraintParameters(k) for k in range(3 * n)]
            d2 = next(d for a, b, d in constraints if {a, b} == {i1, j1})
            np.testing.assert_allclose(d1._value, d2._value, rtol=1e-6)
        np.testing.assert_allclose(forces_of(ours, positions), forces_of(other, positions), rtol=2e-3, atol=1.0)


def test_charges_of_ions_alone_are_scaled(typed):
    molecules = [typed(name) for name in ("Na+", "TFSI-", "DME")]
    positions = placed(molecules)
    system = opls_system([(m, 1) for m in molecules], None, 10.0, ion_charge_scale=0.8)
    expected = expected_energies(molecules, positions, charge_scale=0.8)
    found = energies_by_term(system, positions)
    for term in TERMS:
        np.testing.assert_allclose(found[term], expected[term], rtol=1e-7, atol=1e-7, err_msg=term)
    nonbonded = system.getForces()[4]
    charges = [nonbonded.getParticleParameters(i)[0]._value for i in range(system.getNumParticles())]
    np.testing.assert_allclose([charges[0], sum(charges[1:16]), sum(charges[16:])], [0.8, -0.8, 0], atol=1e-12)


def test_constraints_replace_the_terms_of_their_bonds(typed):
    contents = [(typed("DME"), 2), (typed("water"), 3)]

    def counts(**options):
        system = opls_system(contents, 30.0, 9.0, **options)
        return system.getNumConstraints(), system.getForces()[0].getNumBonds(), system.getForces()[1].getNumAngles()

    assert counts() == (0, 36, 55)
    assert counts(constraints="h-bonds") == (26, 10, 55)
    assert counts(rigid_water=True) == (9, 30, 52)
    assert counts(constraints="h-bonds", rigid_water=True) == (29, 10, 52)
    lengths = {
        opls_system(contents, 30.0, 9.0, rigid_water=True).getConstraintParameters(i)[2]._value for i in range(3)
    }
    np.testing.assert_allclose(sorted(lengths), [0.09572, 0.1513901], atol=1e-6)


def test_two_molecules_far_apart_add_up(typed):
    first, second = typed("EC"), typed("sulfolane")
    positions = placed([first, second], spacing_nm=1000.0)
    n = len(first.atoms)
    both = energies_by_term(opls_system([(first, 1), (second, 1)], None, 10.0), positions)["total"]
    alone = [
        energies_by_term(opls_system([(molecule, 1)], None, 10.0), own)["total"]
        for molecule, own in ((first, positions[:n]), (second, positions[n:]))
    ]
    np.testing.assert_allclose(both, sum(alone), atol=1e-5)


def test_two_ions_attract_by_coulombs_law(typed):
    system = opls_system([(typed("Na+"), 1), (typed("Cl-"), 1)], None, 10.0)
    energies = energies_by_term(system, np.array([[0, 0, 0], [2.0, 0, 0]]))
    np.testing.assert_allclose(energies["coulomb"], -COULOMB_KJ_NM_PER_MOL_E2 / 2.0, rtol=1e-6)


def test_forces_are_named_and_molecules_stand_in_order(typed):
    system = opls_system([(typed("PF6-"), 2), (typed("Li+"), 2), (typed("EC"), 1)], 30.0, 9.0)
    assert [force.getName() for force in system.getForces()] == [
        "bonds", "angles", "torsions", "impropers", "coulomb_14_and_repulsion", "attraction",
        "CMMotionRemover",
    ]  # fmt: skip
    assert [force.getForceGroup() for force in system.getForces()[:6]] == list(range(6))
    masses = [system.getParticleMass(i)._value for i in range(system.getNumParticles())]
    np.testing.assert_allclose(masses[14:17], [6.941, 6.941, 15.9994])
    assert system.getForces()[4].getNonbondedMethod() == openmm.NonbondedForce.PME
    assert all(force.getUseDispersionCorrection() for force in system.getForces()[4:6])
    assert not system.getForces()[5].getUseSwitchingFunction()


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (0, {}, "count must be at least 1, got 0"),
        (1, {"ion_charge_scale": 0.0}, "ion_charge_scale must be above 0"),
        (1, {"ion_charge_scale": float("nan")}, "ion_charge_scale must be above 0"),
        (1, {"cutoff_angstrom": 12.0}, r"at most half the box \(10.000 Å\), got 12"),
        (1, {"constraints": "hbonds"}, "did you mean 'h-bonds'"),
    ],
)
def test_bad_settings_are_refused(typed, count, options, message):
    with pytest.raises(InputError, match=message):
        opls_system([(typed("EC"), count)], 20.0, **{"cutoff_angstrom": 9.0} | options)
