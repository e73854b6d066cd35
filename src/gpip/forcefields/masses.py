"""Mass moved from heavy atoms to their hydrogens, for longer time steps."""

import openmm
from openmm.app import Topology
from openmm.unit import dalton

from gpip.core.errors import InputError

LIGHTEST_HEAVY_AMU = 2.0


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
