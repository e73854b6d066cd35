import json

import numpy as np
import openmm
import pytest
from openmm.app import PDBFile
from openmm.unit import angstrom, dalton, nanometer

from gpip.config.systems import Box
from gpip.core.errors import InputError
from gpip.core.species import find_species
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3
from gpip.forcefields.masses import repartition_hydrogen_mass
from gpip.systems.build import build_system
from gpip.systems.molecules import molecule_of
from gpip.systems.packing import closest_contact, pack_box


def water(count: int = 64, density: float = 0.997, **options) -> Box:
    return Box(species={"water": count}, force_field="tip3p", density_g_per_cm3=density, cutoff_angstrom=6.0, **options)


def build(folder, settings: Box, seed: int = 1):
    paths = [folder / name for name in ("topology.pdb", "system.xml", "manifest.json")]
    build_system("water", settings, seed, *paths)
    return (
        PDBFile(str(paths[0])),
        openmm.XmlSerializer.deserialize(paths[1].read_text()),
        json.loads(paths[2].read_text()),
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("build"), water())


def test_water_has_the_geometry_of_tip3p():
    oxygen, first, second = molecule_of(find_species("test", "water"), "HOH").positions
    np.testing.assert_allclose([np.linalg.norm(first), np.linalg.norm(second)], 0.9572, rtol=1e-12)
    angle = np.degrees(np.arccos(first @ second / 0.9572**2))
    np.testing.assert_allclose(angle, 104.52, rtol=1e-12)
    assert (oxygen == 0).all()


def test_molecule_from_smiles_has_its_hydrogens_bonds_and_a_reasonable_shape():
    ethanol = molecule_of(find_species("test", "ethanol", "CCO"), "ET0")
    assert sorted(ethanol.elements) == ["C"] * 2 + ["H"] * 6 + ["O"]
    lengths = [np.linalg.norm(ethanol.positions[i] - ethanol.positions[j]) for i, j in ethanol.bonds]
    assert len(lengths) == 8
    assert 0.9 < min(lengths) < max(lengths) < 1.6
    np.testing.assert_allclose(ethanol.mass_amu, 46.07, atol=0.01)


def test_box_has_the_wanted_density_and_contents(built):
    pdb, system, manifest = built
    assert system.getNumParticles() == manifest["n_atoms"] == 192
    assert manifest["n_molecules"] == pdb.topology.getNumResidues() == 64
    edge = system.getDefaultPeriodicBoxVectors()[0][0].value_in_unit(angstrom)
    mass = sum(system.getParticleMass(i).value_in_unit(dalton) for i in range(192))
    np.testing.assert_allclose(mass / edge**3 / G_PER_CM3_TO_AMU_PER_ANGSTROM3, 0.997, rtol=2e-5)
    np.testing.assert_allclose(manifest["density_g_per_cm3"], 0.997, rtol=2e-5)
    np.testing.assert_allclose(manifest["box_length_angstrom"], edge, rtol=1e-9)
    assert manifest["provenance"]["stage"] == "build"


def test_molecules_are_whole_and_none_touches_another_through_the_boundary(built):
    pdb, _, manifest = built
    positions = pdb.getPositions(asNumpy=True).value_in_unit(angstrom)
    bonds = positions.reshape(64, 3, 3)[:, 1:] - positions.reshape(64, 3, 3)[:, :1]
    np.testing.assert_allclose(np.linalg.norm(bonds, axis=-1), 0.9572, atol=2e-3)
    length = manifest["box_length_angstrom"]
    offsets = positions[:, None] - positions[None]
    distances = np.linalg.norm(offsets - length * np.round(offsets / length), axis=-1)
    molecule = np.repeat(np.arange(64), 3)
    closest = distances[molecule[:, None] != molecule[None]].min()
    assert closest > 1.9
    np.testing.assert_allclose(manifest["closest_contact_angstrom"], closest, atol=2e-3)


def test_force_field_is_flexible_tip3p_with_pme_and_dispersion_correction(built):
    _, system, _ = built
    forces = {type(force): force for force in system.getForces()}
    nonbonded = forces[openmm.NonbondedForce]
    assert nonbonded.getNonbondedMethod() == openmm.NonbondedForce.PME
    assert nonbonded.getUseDispersionCorrection()
    np.testing.assert_allclose(nonbonded.getCutoffDistance().value_in_unit(nanometer), 0.6)
    assert [nonbonded.getParticleParameters(i)[0]._value for i in range(3)] == [-0.834, 0.417, 0.417]
    assert system.getNumConstraints() == 0
    assert forces[openmm.HarmonicBondForce].getBondParameters(0)[3]._value == 462750.4
    assert forces[openmm.HarmonicAngleForce].getAngleParameters(0)[4]._value == 836.8


def test_rigid_water_has_three_constraints_a_molecule(tmp_path):
    _, system, _ = build(tmp_path, water(rigid_water=True))
    assert system.getNumConstraints() == 192


def test_same_seed_gives_the_same_files_and_another_seed_another_box(tmp_path):
    texts = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(tmp_path / folder, water(), seed)
        texts.append((tmp_path / folder / "topology.pdb").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_box_too_dense_to_pack_is_an_error():
    with pytest.raises(InputError, match=r"systems\.water: 3 water could not be packed .* lower the density"):
        pack_box([("water", molecule_of(find_species("test", "water"), "HOH"), 3)], 3.1, 1, "systems.water")


def test_closest_contact_sees_periodic_images():
    positions = np.array([[0.1, 5, 5], [9.8, 5, 5], [5, 5, 5]])
    np.testing.assert_allclose(closest_contact(positions, np.arange(3), 10.0), 0.3, rtol=1e-12)
    assert closest_contact(positions, np.array([0, 0, 1]), 10.0) == 4.0


def test_heavy_hydrogens_keep_the_mass_of_the_molecule(tmp_path):
    _, light, _ = build(tmp_path / "light", water())
    _, heavy, _ = build(tmp_path / "heavy", water(hydrogen_mass_amu=3.0))
    masses = [[system.getParticleMass(i).value_in_unit(dalton) for i in range(3)] for system in (light, heavy)]
    assert masses[1][1:] == [3.0, 3.0]
    np.testing.assert_allclose(sum(masses[1]), sum(masses[0]), rtol=1e-12)
    with pytest.raises(InputError, match=r"hydrogen_mass_amu 9 leaves O of residue HOH with 0.02 amu"):
        repartition_hydrogen_mass(heavy, built_topology(tmp_path / "heavy"), 9.0)


def built_topology(folder):
    return PDBFile(str(folder / "topology.pdb")).topology
