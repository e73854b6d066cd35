import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import openmm
import pytest
from openmm.app import PDBFile, Topology
from openmm.unit import angstrom, elementary_charge, kilojoule_per_mole, nanometer

from gpip.config.systems import Box, System
from gpip.core.errors import InputError
from gpip.core.species import find_species
from gpip.core.units import NM_TO_ANGSTROM
from gpip.forcefields.openff import openff_system
from gpip.forcefields.tip3p import tip3p_system
from gpip.systems.build import box_topology
from gpip.systems.molecules import molecule_of
from gpip.systems.openff import build_openff_system

needs_openff = pytest.mark.skipif(
    not (find_spec("openff") and find_spec("openff.interchange") and find_spec("openff.nagl")),
    reason="openff-toolkit, openff-interchange and openff-nagl are not installed (envs/openff.yaml has them)",
)
# OpenFF's own packages warn of each other.
pytestmark = pytest.mark.filterwarnings("ignore")
FEC = {"smiles": "O=C1OCC(F)O1", "count": 1, "liquid_density_g_per_cm3": 1.454}
COULOMB_KJ_MOL_NM = 138.93545764


def box(species: dict, force_field: str = "openff-2.2.1", **options) -> Box:
    return System.model_validate({"species": species, "force_field": force_field, **options}).box


def alone(name: str, smiles: str | None = None, **options) -> Box:
    return box({name: {"smiles": smiles, "count": 1} if smiles else 1}, periodic=False, **options)


def energy(system: openmm.System, positions_nm: np.ndarray, name: str | None = None) -> float:
    """kJ/mol, of one force or of all."""
    groups = {force.getForceGroup() for force in system.getForces() if name in (None, force.getName())}
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions_nm)
    return context.getState(energy=True, groups=groups).getPotentialEnergy().value_in_unit(kilojoule_per_mole)


def shape(name: str, smiles: str | None = None, seed: int = 0) -> np.ndarray:
    """[n_atoms, 3] in nm, every atom displaced by about 0.05 Å."""
    positions = molecule_of(find_species("test", name, smiles), "X").positions / NM_TO_ANGSTROM
    return positions + np.random.default_rng(seed).normal(0, 0.005, positions.shape)


def nonbonded(system: openmm.System) -> openmm.NonbondedForce:
    return next(force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))


def charges(system: openmm.System) -> np.ndarray:
    force = nonbonded(system)
    return np.array(
        [force.getParticleParameters(i)[0].value_in_unit(elementary_charge) for i in range(force.getNumParticles())]
    )


def test_importing_needs_no_openff_package():
    code = "import sys, gpip.forcefields.openff, gpip.systems.openff; sys.exit('openff' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_openff_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openff", None)
    paths = [tmp_path / name for name in ("topology.pdb", "system.xml", "manifest.json")]
    with pytest.raises(InputError, match=r"openff-toolkit.*--software-deployment-method conda.*envs/openff\.yaml"):
        build_openff_system("fec", alone("FEC", FEC["smiles"]), 1, *paths)
    assert not list(tmp_path.iterdir())


@needs_openff
@pytest.mark.parametrize(
    ("force_field", "constraints"),
    [("openff-1.3.1", "none"), ("openff-2.2.1", "none"), ("openff-2.2.1", "h-bonds"), ("openff-2.3.0", "none")],
)
def test_one_molecule_has_the_energy_that_openff_itself_gives(force_field, constraints):
    from openff.toolkit import ForceField, Molecule

    made = openff_system(alone("FEC", FEC["smiles"], force_field=force_field, constraints=constraints))
    stem = "openff_unconstrained" if constraints == "none" else "openff"
    molecule = Molecule.from_smiles(FEC["smiles"], allow_undefined_stereo=True)
    molecule.assign_partial_charges("openff-gnn-am1bcc-1.0.0.pt")
    theirs = ForceField(force_field.replace("openff", stem) + ".offxml").create_openmm_system(
        molecule.to_topology(), charge_from_molecules=[molecule]
    )
    positions = shape("FEC", FEC["smiles"])
    assert made.system.getNumConstraints() == (0 if constraints == "none" else 3)
    assert abs(energy(theirs, positions)) > 1
    np.testing.assert_allclose(energy(made.system, positions), energy(theirs, positions), rtol=1e-6)


@needs_openff
def test_nonbonded_energy_is_lorentz_berthelot_with_scaled_pairs_three_bonds_apart():
    from openff.toolkit import ForceField, Molecule

    smiles = find_species("test", "DME").smiles
    molecule = Molecule.from_smiles(smiles)
    labels = ForceField("openff_unconstrained-2.2.1.offxml").label_molecules(molecule.to_topology())[0]["vdW"]
    sigma = np.array([labels[(i,)].sigma.m_as("nanometer") for i in range(molecule.n_atoms)])
    epsilon = np.array([labels[(i,)].epsilon.m_as("kilojoule_per_mole") for i in range(molecule.n_atoms)])
    made = openff_system(alone("DME"))
    q = np.array(made.partial_charges_e["DME"])
    near = np.zeros((molecule.n_atoms, molecule.n_atoms))
    for bond in molecule.bonds:
        near[bond.atom1_index, bond.atom2_index] = near[bond.atom2_index, bond.atom1_index] = 1
    within = [np.linalg.matrix_power(near + np.eye(molecule.n_atoms), n) > 0 for n in (2, 3)]
    positions = shape("DME")
    expected = 0.0
    for i, j in zip(*np.triu_indices(molecule.n_atoms, 1), strict=True):
        if within[0][i, j]:
            continue
        r = np.linalg.norm(positions[i] - positions[j])
        x = ((sigma[i] + sigma[j]) / 2 / r) ** 6
        lennard_jones = 4 * np.sqrt(epsilon[i] * epsilon[j]) * (x**2 - x)
        coulomb = COULOMB_KJ_MOL_NM * q[i] * q[j] / r
        expected += lennard_jones / 2 + coulomb / 1.2 if within[1][i, j] else lennard_jones + coulomb
    np.testing.assert_allclose(energy(made.system, positions, "nonbonded"), expected, rtol=1e-5)


@needs_openff
def test_equivalent_atoms_have_equal_charges_that_sum_to_the_charge_of_the_ion():
    made = openff_system(alone("TFSI-"))
    q = np.array(made.partial_charges_e["TFSI-"])
    oxygens, fluorines = [0, 2, 5, 6], [8, 9, 10, 12, 13, 14]
    assert np.ptp(q[oxygens]) < 1e-4
    assert np.ptp(q[fluorines]) < 1e-4
    np.testing.assert_allclose(q.sum(), -1, atol=1e-5)
    assert made.charge_method["TFSI-"].startswith("NAGL")


@needs_openff
def test_ion_charge_scale_scales_ions_and_their_scaled_pairs_alone():
    species = {"FEC": FEC | {"count": 6}, "TFSI-": 1, "Li+": 1}
    plain, scaled = (
        openff_system(box(species, density=1.2, cutoff_angstrom=4.0, ion_charge_scale=scale)).system
        for scale in (1.0, 0.8)
    )
    np.testing.assert_allclose(charges(scaled)[60:], 0.8 * charges(plain)[60:], rtol=1e-9)
    np.testing.assert_array_equal(charges(scaled)[:60], charges(plain)[:60])
    pairs = [
        [force.getExceptionParameters(n) for n in range(force.getNumExceptions())]
        for force in map(nonbonded, (plain, scaled))
    ]
    assert len(pairs[0]) == len(pairs[1])
    for before, after in zip(*pairs, strict=True):
        factor = 0.8**2 if before[0] >= 60 else 1.0
        np.testing.assert_allclose(after[2]._value, factor * before[2]._value, rtol=1e-9)
        assert after[3:] == before[3:]


@needs_openff
def test_flexible_water_is_that_of_the_other_force_fields():
    settings = alone("water")
    made = openff_system(settings).system
    molecule = molecule_of(find_species("test", "water"), "HOH")
    topology: Topology = box_topology([("water", molecule, 1)], 30.0)
    other = tip3p_system(topology, 10.0, rigid_water=False)
    bonded = openmm.System()
    for i in range(3):
        bonded.addParticle(other.getParticleMass(i))
    for force in other.getForces():
        if isinstance(force, openmm.HarmonicBondForce | openmm.HarmonicAngleForce):
            bonded.addForce(openmm.XmlSerializer.clone(force))
    positions = shape("water")
    assert energy(bonded, positions) > 1
    np.testing.assert_allclose(energy(made, positions), energy(bonded, positions), rtol=1e-6)
    np.testing.assert_allclose(charges(made), [-0.834, 0.417, 0.417], atol=1e-9)


@needs_openff
@pytest.mark.parametrize(
    ("rigid_water", "constraints", "n_constraints", "n_springs"),
    [
        (False, "none", 0, 2 * 20 + 15),
        (False, "h-bonds", 2 * 20 + 10, 5),
        (True, "none", 3 * 20, 15),
        (True, "h-bonds", 3 * 20 + 10, 5),
    ],
)
def test_constraints_of_water_and_of_bonds_to_hydrogen(rigid_water, constraints, n_constraints, n_springs):
    settings = box(
        {"water": 20, "DME": 1}, density=0.9, cutoff_angstrom=4.0, rigid_water=rigid_water, constraints=constraints
    )
    system = openff_system(settings).system
    assert system.getNumConstraints() == n_constraints
    assert sum(f.getNumBonds() for f in system.getForces() if f.getName() == "bonds") == n_springs
    if rigid_water:
        distances = {round(system.getConstraintParameters(i)[2]._value, 6) for i in range(system.getNumConstraints())}
        assert {0.09572, 0.15139} <= {round(distance, 5) for distance in distances}


@needs_openff
def test_box_of_an_electrolyte_is_written_minimised_and_moves(tmp_path):
    settings = box({"FEC": FEC | {"count": 10}, "water": 2, "Li+": 1, "TFSI-": 1}, density=1.3, cutoff_angstrom=5.0)
    paths = [tmp_path / name for name in ("topology.pdb", "system.xml", "manifest.json")]
    build_openff_system("box", settings, 1, *paths)
    pdb, manifest = PDBFile(str(paths[0])), json.loads(paths[2].read_text())
    system = openmm.XmlSerializer.deserialize(paths[1].read_text())
    atoms = list(pdb.topology.atoms())
    assert system.getNumParticles() == len(atoms) == 10 * 10 + 6 + 1 + 15
    masses = [system.getParticleMass(i)._value for i in range(len(atoms))]
    np.testing.assert_allclose(masses, [atom.element.mass._value for atom in atoms], atol=0.01)
    bonds = {
        frozenset(force.getBondParameters(n)[:2])
        for force in system.getForces()
        if force.getName() == "bonds"
        for n in range(force.getNumBonds())
    }
    assert bonds == {frozenset((bond[0].index, bond[1].index)) for bond in pdb.topology.bonds()}
    force = nonbonded(system)
    assert force.getNonbondedMethod() == openmm.NonbondedForce.PME
    assert force.getUseDispersionCorrection()
    np.testing.assert_allclose(force.getCutoffDistance().value_in_unit(angstrom), 5.0)
    np.testing.assert_allclose(force.getSwitchingDistance().value_in_unit(angstrom), 4.0)
    np.testing.assert_allclose(charges(system).sum(), 0, atol=1e-5)
    edge = system.getDefaultPeriodicBoxVectors()[0][0].value_in_unit(angstrom)
    np.testing.assert_allclose(edge, manifest["box_length_angstrom"], rtol=1e-9)
    assert manifest["openff"]["force_field_files"] == ["openff_unconstrained-2.2.1.offxml", "tip3p.offxml"]
    assert manifest["openff"]["charge_method"]["Li+"] == "library of the force field"
    assert "openff-toolkit" in manifest["provenance"]["packages"]

    integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.001)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})
    context.setPositions(pdb.positions)
    packed = context.getState(energy=True).getPotentialEnergy()
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=200)
    assert context.getState(energy=True).getPotentialEnergy() < packed
    context.setVelocitiesToTemperature(300, 1)
    integrator.step(200)
    state = context.getState(energy=True, positions=True)
    degrees_of_freedom = 3 * len(atoms) - 3
    temperature = state.getKineticEnergy().value_in_unit(kilojoule_per_mole) / (degrees_of_freedom / 2 * 0.0083144626)
    assert 150 < temperature < 450
    positions = state.getPositions(asNumpy=True).value_in_unit(nanometer)
    lengths = [np.linalg.norm(positions[i] - positions[j]) for i, j in map(tuple, bonds)]
    assert 0.08 < min(lengths) < max(lengths) < 0.21


@needs_openff
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "PF6-"}, r"species 'PF6-': atom 1 \(P\) has 6 neighbours.*opls-aa"),
        ({"name": "Mg+2"}, r"species 'Mg\+2': neither openff-2\.2\.1 nor tip3p\.offxml.*alkali.*opls-aa"),
        ({"name": "BF4-"}, r"species 'BF4-': no partial charges by NAGL.*element 5.*opls-aa"),
        ({"name": "ClO4-"}, r"species 'ClO4-': openff-2\.2\.1 lacks terms.*opls-aa"),
        ({"name": "DME", "force_field": "openff-2.2.9"}, r"'openff-2\.2\.9' is not known.*openff-2\.2\.1"),
    ],
)
def test_what_openff_lacks_is_named(settings, message):
    with pytest.raises(InputError, match=message):
        openff_system(alone(**settings))


@needs_openff
def test_charges_that_tell_equivalent_atoms_apart_are_refused():
    from openff.toolkit import Molecule
    from openff.units import Quantity

    from gpip.forcefields.openff import _check_equivalent

    molecule = Molecule.from_smiles("FCF")
    molecule.partial_charges = Quantity(np.array([-0.2, 0.2, -0.2, 0.1, 0.1]), "elementary_charge")
    _check_equivalent("here", molecule, "this method")
    molecule.partial_charges = Quantity(np.array([-0.25, 0.2, -0.15, 0.1, 0.1]), "elementary_charge")
    with pytest.raises(InputError, match=r"here: this method gave equivalent atoms.*F0 -0\.250 e, F2 -0\.150 e"):
        _check_equivalent("here", molecule, "this method")
