"""Box, topology and OpenFF force field of one system: what `build_system` does, by packages of an environment apart."""

from pathlib import Path

import openmm

from gpip.config.systems import Box
from gpip.core.files import read_json, write_json, write_text
from gpip.forcefields.masses import repartition_hydrogen_mass, set_isotope_masses
from gpip.forcefields.openff import openff_system
from gpip.systems.build import box_topology, species_molecules, write_packed


def build_openff_system(
    name: str,
    settings: Box,
    seed: int,
    topology_path: str | Path,
    system_path: str | Path,
    manifest_path: str | Path,
) -> None:
    """Pack the box of a system and write `topology.pdb`, `system.xml` (OpenMM) and `manifest.json`.

    The manifest also has the files of the force field, and the partial charges of each species with their method.
    Arguments as those of `gpip.systems.build.build_system`.

    Raises:
        InputError: OpenFF is not installed, a species that it lacks terms or charges for, or a box that cannot be
            packed.
    """
    built = openff_system(settings)
    molecules = species_molecules(settings)
    topology = box_topology(molecules, settings.length_angstrom)
    set_isotope_masses(built.system, settings.amounts)
    if settings.hydrogen_mass_amu:
        repartition_hydrogen_mass(built.system, topology, settings.hydrogen_mass_amu)
    write_packed(name, settings, seed, molecules, topology, topology_path, manifest_path)
    details = {
        "force_field_files": built.force_field_files,
        "charge_method": built.charge_method,
        "partial_charges_e": built.partial_charges_e,
    }
    write_json(manifest_path, read_json(manifest_path) | {"openff": details})
    write_text(system_path, openmm.XmlSerializer.serialize(built.system))
