"""Masses of isotopes, and mass moved from heavy atoms to their hydrogens for longer time steps."""

from collections.abc import Mapping

import openmm
from openmm.app import Topology
from openmm.unit import dalton

from gpip.core.errors import InputError
from gpip.core.species import Species, isotope_masses

LIGHTEST_HEAVY_AMU = 2.0


def set_isotope_masses(system: openmm.System, amounts: Mapping[Species, int]) -> None:
    """Give the atoms whose isotope a SMILES names the mass of that isotope; the others keep theirs.

    Args:
        system: its particles are the atoms of the species in the order given, molecule by molecule.
        amounts: how many molecules of each species.
    """
    first = 0
    for species, count in amounts.items():
        masses = isotope_masses(f"species {species.name!r}", species.smiles)
        n_atoms = len(species.elements)
        for molecule in range(count if masses else 0):
            for atom, mass_amu in masses.items():
                system.setParticleMass(first + molecule * n_atoms + atom, mass_amu)
        first += count * n_atoms


def repartition_hydrogen_mass(system: openmm.System, topology: Topology, hydrogen_mass_amu: float) -> None:
    """Give every bonded hydrogen this mass and take it from the atom it is bonded to; the total stays.

    Averages over configurations do not depend on masses, so densities and distributions stay; times do not.
    Hopkins et al., J. Chem. Theory Comput. 11, 1864 (2015).

    Raises:
        InputError: a heavy atom would be left with less than 2 amu.
    """
    mass = {atom.index: system.getParticleMass(atom.index).value_in_unit(dalton) for atom in topology.atoms()}
    for bond in topology.bonds():
        pair = sorted(bond, key=lambda atom: atom.element.symbol == "H")
        heavy, hydrogen = pair
        if hydrogen.element.symbol != "H" or heavy.element.symbol == "H":
            continue
        mass[heavy.index] -= hydrogen_mass_amu - mass[hydrogen.index]
        mass[hydrogen.index] = hydrogen_mass_amu
        if mass[heavy.index] < LIGHTEST_HEAVY_AMU:
            raise InputError(
                f"hydrogen_mass_amu {hydrogen_mass_amu:g} leaves {heavy.name} of residue {heavy.residue.name} with "
                f"{mass[heavy.index]:.2f} amu: use a smaller one, 3 amu are common"
            )
    for index, value in mass.items():
        system.setParticleMass(index, value)
