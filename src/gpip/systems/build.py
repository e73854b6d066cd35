"""Box, topology and force field of one system, written as files that the dynamics reads."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openmm
from openmm.app import Element, PDBFile, Topology

from gpip import __version__
from gpip.config.systems import Box
from gpip.core.errors import unknown_name
from gpip.core.files import write_json, write_text
from gpip.core.provenance import provenance
from gpip.core.seeds import seed_for
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3, NM_TO_ANGSTROM
from gpip.systems.molecules import Molecule, molecule_of
from gpip.systems.packing import closest_contact, pack_box
from gpip.systems.tip3p import tip3p_system

FORCE_FIELDS: dict[str, Callable[[Topology, float, bool], openmm.System]] = {"tip3p": tip3p_system}


def build_system(
    name: str,
    settings: Box,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    manifest_path: str | Path,
) -> None:
    """Pack the box of a system and write `topology.pdb`, `system.xml` (OpenMM) and `manifest.json`.

    The PDB file holds the packed positions, not minimised, rounded to 0.001 Å.

    Args:
        name: what the system is called in the configuration.
        seed: root seed; the packing's own is derived from it and the name.

    Raises:
        InputError: unknown force field or species, or a box that cannot be packed.
    """
    if settings.force_field not in FORCE_FIELDS:
        raise unknown_name(f"systems.{name}.force_field", settings.force_field, FORCE_FIELDS)
    molecules = [(species, molecule_of(species), count) for species, count in settings.species.items()]
    length = settings.length_angstrom
    positions = pack_box(molecules, length, seed_for(seed, "build", name), f"systems.{name}")
    topology = box_topology(molecules, length)
    system = FORCE_FIELDS[settings.force_field](topology, settings.cutoff_angstrom, settings.rigid_water)

    write_topology(topology_path, name, topology, positions)
    write_text(system_path, openmm.XmlSerializer.serialize(system))
    mass_amu = sum(molecule.mass_amu * count for _, molecule, count in molecules)
    index = [i for i, residue in enumerate(topology.residues()) for _ in residue.atoms()]
    write_json(
        manifest_path,
        {
            "system": name,
            "species": settings.species,
            "n_atoms": topology.getNumAtoms(),
            "n_molecules": topology.getNumResidues(),
            "box_length_angstrom": length,
            "density_g_per_cm3": mass_amu / length**3 / G_PER_CM3_TO_AMU_PER_ANGSTROM3,
            "closest_contact_angstrom": closest_contact(positions, np.array(index), length),
            "provenance": provenance("build", settings, seed),
        },
    )


def write_topology(path: str | Path, name: str, topology: Topology, positions: np.ndarray) -> None:
    """Write a PDB file that is the same for the same box; positions [n_atoms, 3] in Å, rounded to 0.001."""
    text = io.StringIO()
    PDBFile.writeFile(topology, positions / NM_TO_ANGSTROM * openmm.unit.nanometer, text)
    # The first line holds the date, and would make equal boxes differ.
    write_text(path, f"REMARK   1 gpip {__version__}: {name}\n" + text.getvalue().partition("\n")[2])


def box_topology(molecules: list[tuple[str, Molecule, int]], box_length_angstrom: float) -> Topology:
    """OpenMM topology of a cubic box: one residue a molecule, in the order given."""
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
    topology.setPeriodicBoxVectors(np.eye(3) * box_length_angstrom / NM_TO_ANGSTROM * openmm.unit.nanometer)
    return topology
