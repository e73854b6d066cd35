"""Box, topology and force field of one system, written as files that the dynamics reads."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm.app import Element, PDBFile, Topology

from gpip import __version__
from gpip.config.composition import composition, in_words
from gpip.config.systems import Box
from gpip.core.files import write_json, write_text
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3, NM_TO_ANGSTROM
from gpip.forcefields.masses import repartition_hydrogen_mass, set_isotope_masses
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.opls.openmm_system import opls_system
from gpip.forcefields.tip3p import tip3p_system
from gpip.systems.molecules import Molecule, molecule_of, residue_names
from gpip.systems.packing import closest_contact, pack_box
from gpip.systems.shapes import positions_in_box


def build_system(
    name: str,
    settings: Box,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    manifest_path: str | Path,
) -> None:
    """Pack the box of a system and write `topology.pdb`, `system.xml` (OpenMM) and `manifest.json`.

    The PDB file holds the packed positions, not minimised, rounded to 0.001 Å. A molecule without a box is written
    as it was embedded.

    Args:
        name: what the system is called in the configuration.
        seed: root seed; the packing's own is derived from it and the name.

    Raises:
        InputError: a species that the force field lacks terms for, or a box that cannot be packed.
    """
    molecules = species_molecules(settings)
    topology = box_topology(molecules, settings.length_angstrom)
    system = force_field_system(settings, topology)
    write_packed(name, settings, seed, molecules, topology, topology_path, manifest_path)
    write_text(system_path, openmm.XmlSerializer.serialize(system))


def force_field_system(settings: Box, topology: Topology) -> openmm.System:
    """The OpenMM system of a box by tip3p or opls-aa.

    Raises:
        InputError: a species that OPLS-AA lacks types or terms for, or hydrogens too heavy.
    """
    if settings.force_field == "tip3p":
        system = tip3p_system(topology, settings.cutoff_angstrom, settings.rigid_water)
    else:
        typed = [
            (type_molecule(one.name, one.smiles, settings.extra_terms), count)
            for one, count in settings.amounts.items()
        ]
        system = opls_system(
            typed,
            settings.length_angstrom,
            settings.cutoff_angstrom,
            ion_charge_scale=settings.ion_charge_scale,
            constraints=settings.constraints,
            rigid_water=settings.rigid_water,
        )
    set_isotope_masses(system, settings.amounts)
    if settings.hydrogen_mass_amu:
        repartition_hydrogen_mass(system, topology, settings.hydrogen_mass_amu)
    return system


def packed_positions(name: str, settings: Box, seed: int, molecules: list[tuple[str, Molecule, int]]) -> np.ndarray:
    """Positions [n_atoms, 3] of the packed box of a system, in Å: the same for the same settings and seed.

    Raises:
        InputError: a molecule that is longer than its box is wide, or a box that cannot be packed.
    """
    where, length = f"systems.{name}", settings.length_angstrom
    shaped = [
        (one.name, replace(molecule, positions=positions_in_box(one, length, where)), count)
        for one, (_, molecule, count) in zip(settings.amounts, molecules, strict=True)
    ]
    return pack_box(shaped, length, seed_for(seed, "build", name), where)


def species_molecules(settings: Box) -> list[tuple[str, Molecule, int]]:
    """Name, molecule and count of each species of a box."""
    names = residue_names(settings.amounts)
    return [(one.name, molecule_of(one, names[one.name]), count) for one, count in settings.amounts.items()]


def write_packed(
    name: str,
    settings: Box,
    seed: int,
    molecules: list[tuple[str, Molecule, int]],
    topology: Topology,
    topology_path: str | Path,
    manifest_path: str | Path,
) -> None:
    """Pack the molecules and write `topology.pdb` and `manifest.json`: see `build_system`."""
    length = settings.length_angstrom
    mixture = composition(settings.amounts, settings.density_g_per_cm3)
    print(f"{name}: {in_words(mixture)}", flush=True)
    manifest: dict[str, Any] = {
        "system": name,
        **mixture,
        "force_field": settings.force_field,
        "ion_charge_scale": settings.ion_charge_scale,
        "cutoff_angstrom": settings.cutoff_angstrom,
        "box_length_angstrom": length,
    }
    if any(molecule.isotopes for _, molecule, _ in molecules):
        # Physical masses: hydrogens made heavier for longer time steps are a matter of the classical runs alone.
        masses = [np.tile(molecule.masses_amu, count) for _, molecule, count in molecules]
        manifest["masses_amu"] = np.concatenate(masses).tolist()
    if settings.periodic:
        positions = packed_positions(name, settings, seed, molecules)
        mass_amu = sum(molecule.mass_amu * count for _, molecule, count in molecules)
        index = [i for i, residue in enumerate(topology.residues()) for _ in residue.atoms()]
        manifest["density_g_per_cm3"] = mass_amu / length**3 / G_PER_CM3_TO_AMU_PER_ANGSTROM3
        manifest["closest_contact_angstrom"] = closest_contact(positions, np.array(index), length)
    else:
        ((_, molecule, _),) = molecules
        positions = molecule.positions
    write_topology(topology_path, name, topology, positions)
    write_json(manifest_path, manifest | {"provenance": provenance("build", settings, seed)})


def write_topology(path: str | Path, name: str, topology: Topology, positions: np.ndarray) -> None:
    """Write a PDB file that is the same for the same box; positions [n_atoms, 3] in Å, rounded to 0.001."""
    text = io.StringIO()
    PDBFile.writeFile(topology, positions / NM_TO_ANGSTROM * openmm.unit.nanometer, text)
    # The first line holds the date, and would make equal boxes differ.
    write_text(path, f"REMARK   1 gpip {__version__}: {name}\n" + text.getvalue().partition("\n")[2])


def box_topology(molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float | None) -> Topology:
    """OpenMM topology of a cubic box, or of no box: one residue a molecule, in the order given."""
    topology = Topology()
    chain = topology.addChain()
    for _, molecule, count in molecules:
        for _ in range(count):
            residue = topology.addResidue(molecule.residue, chain)
            atoms = [
                topology.addAtom(atom_name, Element.getBySymbol(symbol), residue)
                for atom_name, symbol in zip(molecule.atom_names, molecule.elements, strict=True)
            ]
            for i, j in molecule.bonds:
                topology.addBond(atoms[i], atoms[j])
    if box_length_angstrom is not None:
        topology.setPeriodicBoxVectors(np.eye(3) * box_length_angstrom / NM_TO_ANGSTROM * openmm.unit.nanometer)
    return topology
