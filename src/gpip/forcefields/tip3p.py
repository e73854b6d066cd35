"""TIP3P water, rigid or flexible, by OpenMM's own `tip3p.xml`."""

from openmm import System
from openmm.app import PME, ForceField, NoCutoff, Topology

from gpip.core.units import NM_TO_ANGSTROM

EWALD_ERROR_TOLERANCE = 5e-4


def tip3p_system(topology: Topology, cutoff_angstrom: float | None, rigid_water: bool) -> System:
    """The OpenMM system of a box of TIP3P water: PME, Lennard-Jones cut off with long-range correction.

    Without a cutoff there is no box, and all pairs interact.

    Charges and O-O Lennard-Jones of Jorgensen et al., J. Chem. Phys. 79, 926 (1983), in AMBER's rounding that
    `tip3p.xml` has: q(O) = -0.834 e, sigma = 3.15075 Å, epsilon = 0.635968 kJ/mol (1983: 3.15061, 0.636386).
    TIP3P is a rigid model, and published flexible variants differ in their springs. Those of `tip3p.xml`,
    used here, for U = k/2 (x - x0)^2: k(OH) = 462750.4 kJ/mol/nm^2 (553 kcal/mol/Å^2 without the half) and
    k(HOH) = 836.8 kJ/mol/rad^2 (100 kcal/mol/rad^2). GROMACS's oplsaa has 502416 and 628.02, CHARMM 376560
    and 460.24.
    """
    periodic = (
        {
            "nonbondedMethod": PME,
            "nonbondedCutoff": cutoff_angstrom / NM_TO_ANGSTROM,
            "ewaldErrorTolerance": EWALD_ERROR_TOLERANCE,
        }
        if cutoff_angstrom is not None
        else {"nonbondedMethod": NoCutoff}
    )
    return ForceField("tip3p.xml").createSystem(
        topology,
        **periodic,
        rigidWater=rigid_water,
        removeCMMotion=True,
    )
