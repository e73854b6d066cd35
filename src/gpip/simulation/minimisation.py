"""A packed system into the nearest minimum of its energy."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openmm
from openmm.app import PDBFile, Topology
from openmm.unit import kilojoule_per_mole, nanometer
from scipy.sparse import csr_array
from scipy.sparse.linalg import spsolve

from gpip.core.errors import InputError
from gpip.core.files import write_json
from gpip.core.provenance import provenance
from gpip.core.units import KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM, KJ_PER_MOL_TO_EV, NM_TO_ANGSTROM
from gpip.simulation.classical import CONSTRAINT_TOLERANCE, check_atoms, load_system, masses_amu
from gpip.simulation.molecules import molecule_of_atoms, wrap_molecules
from gpip.simulation.platforms import choose_platform
from gpip.systems.build import write_topology
from gpip.systems.packing import closest_contact

TOLERANCE_KJ_PER_MOL_NM = 10.0
"""Root mean square of the force components at which the minimiser stops: 0.01 eV/Å."""
MAX_ITERATIONS = 20_000
LARGEST_FORCE_EV_PER_ANGSTROM = 10.0
"""Above this after minimisation two atoms overlap: at 1000 K forces seldom pass it, and a minimum has none."""
BOND_RATIO = (0.7, 1.4)
"""Of a bond's length after minimisation to the one before; outside, its molecule is caught in another."""
CLOSEST_CONTACT_ANGSTROM = 1.0
"""Between molecules: below, hydrogen has fallen onto a negative charge. Hydrogen bonds are above 1.4 Å."""
N_NAMED = 3


class Point(NamedTuple):
    """What is known of one configuration."""

    positions: np.ndarray
    """[n_atoms, 3], angstrom."""
    energies: dict[str, float]
    """eV, by the name of the force; `total` is their sum."""
    forces: np.ndarray
    """[n_atoms, 3], eV/Å, without what constraints take up."""

    @property
    def largest_force(self) -> float:
        """NaN if one is not finite."""
        return float(np.linalg.norm(self.forces, axis=1).max())


def minimise_system(
    name: str,
    topology_path: str | Path,
    system_path: str | Path,
    out_topology: str | Path,
    out_summary: str | Path,
    n_threads: int = 1,
    platform: str = "auto",
) -> None:
    """Minimise the energy of a built system (L-BFGS, constraints kept).

    Writes `topology.pdb` (molecules whole, their centres in the box) and a JSON summary: energy by force before and
    after (eV), largest force before and after (eV/Å, without what constraints take up), box, closest contact between
    molecules. Nothing is random.

    Args:
        name: what the system is called in the configuration.

    Raises:
        InputError: topology and system do not belong together; energy or forces stay infinite; a force stays above
            10 eV/Å; a bond breaks; or two molecules come within 1 Å. The worst atoms are named.
    """
    record = provenance("minimisation", {"system": name}, inputs=[topology_path, system_path])
    pdb, system = PDBFile(str(topology_path)), load_system(system_path)
    check_atoms(system, pdb.topology, system_path)
    molecules = molecule_of_atoms(pdb.topology)
    groups = _own_groups(system)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), *choose_platform(platform, n_threads, system))
    context.setPositions(pdb.positions)
    context.applyConstraints(CONSTRAINT_TOLERANCE)
    before = _point(context, groups)
    try:
        openmm.LocalEnergyMinimizer.minimize(context, TOLERANCE_KJ_PER_MOL_NM, MAX_ITERATIONS)
    except openmm.OpenMMException as error:
        if "NaN" not in str(error) and "infinite" not in str(error):
            raise
        raise _failed(name, pdb.topology, before, f"the minimiser stopped ({error})") from None
    after = _point(context, groups)

    length = contact = None
    positions = after.positions
    if system.usesPeriodicBoundaryConditions():
        length = system.getDefaultPeriodicBoxVectors()[0][0].value_in_unit(nanometer) * NM_TO_ANGSTROM
    _check(name, pdb.topology, before, after, length, molecules)
    if length is not None:
        positions = wrap_molecules(positions, masses_amu(system), molecules, length)
        contact = closest_contact(positions, molecules, length)
    write_topology(out_topology, name, pdb.topology, positions)
    print(
        f"{name}: energy {before.energies['total']:.6g} eV before and {after.energies['total']:.6g} eV after "
        f"minimisation, largest force {before.largest_force:.4g} and {after.largest_force:.4g} eV/Å",
        flush=True,
    )
    summary = {
        "system": name,
        "n_atoms": len(positions),
        "box_length_angstrom": length,
        "closest_contact_angstrom": contact,
    }
    for when, point in {"before": before, "after": after}.items():
        # JSON has no infinity, which overlapping atoms of a packed box may well have.
        summary[f"energy_{when}_ev"] = {key: _finite(value) for key, value in point.energies.items()}
        summary[f"largest_force_{when}_ev_per_angstrom"] = _finite(point.largest_force)
    write_json(out_summary, summary | {"provenance": record})


def _own_groups(system: openmm.System) -> dict[str, int]:
    """Give the forces of each name a group of their own: name to group."""
    forces = [force for force in system.getForces() if not isinstance(force, openmm.CMMotionRemover)]
    groups = {name: i for i, name in enumerate(sorted({force.getName() for force in forces}))}
    for force in forces:
        force.setForceGroup(groups[force.getName()])
    return groups


def _point(context: openmm.Context, groups: dict[str, int]) -> Point:
    state = context.getState(positions=True, forces=True)
    positions = state.getPositions(asNumpy=True).value_in_unit(nanometer) * NM_TO_ANGSTROM
    forces = state.getForces(asNumpy=True).value_in_unit(kilojoule_per_mole / nanometer)
    forces = forces * KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM
    energies = {
        name: context.getState(energy=True, groups={group}).getPotentialEnergy().value_in_unit(kilojoule_per_mole)
        * KJ_PER_MOL_TO_EV
        for name, group in groups.items()
    }
    energies["total"] = sum(energies.values())
    if np.isfinite(forces).all():
        forces = _without_constraints(context.getSystem(), positions, forces)
    return Point(positions, energies, forces)


def _without_constraints(system: openmm.System, positions: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """The forces [n_atoms, 3] projected onto the motions that leave the constrained distances as they are.

    F - Jᵀ (J Jᵀ)⁻¹ J F, with the rows of J the slopes of the constraints.
    """
    n = system.getNumConstraints()
    if not n:
        return forces
    first, second = np.array([system.getConstraintParameters(i)[:2] for i in range(n)]).T
    along = positions[first] - positions[second]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    rows = np.repeat(np.arange(n), 6)
    columns = np.concatenate([3 * first[:, None] + [0, 1, 2], 3 * second[:, None] + [0, 1, 2]], axis=1)
    slopes = csr_array((np.concatenate([along, -along], axis=1).ravel(), (rows, columns.ravel())), (n, forces.size))
    multipliers = spsolve((slopes @ slopes.T).tocsc(), slopes @ forces.ravel())
    return forces - (slopes.T @ multipliers).reshape(forces.shape)


def _check(
    name: str, topology: Topology, before: Point, after: Point, length: float | None, molecules: np.ndarray
) -> None:
    """Raise InputError unless the minimum is one that dynamics can start from."""
    if not (np.isfinite(after.forces).all() and np.isfinite(list(after.energies.values())).all()):
        bad = [key for key, value in after.energies.items() if key != "total" and not np.isfinite(value)]
        raise _failed(name, topology, after, f"{' and '.join(bad) or 'a force'} stayed infinite")
    if after.largest_force > LARGEST_FORCE_EV_PER_ANGSTROM:
        worst = f"a force of {after.largest_force:.3g} eV/Å is left, more than {LARGEST_FORCE_EV_PER_ANGSTROM:g}"
        raise _failed(name, topology, after, worst)
    bonds = np.array([(one.index, other.index) for one, other in topology.bonds()]).reshape(-1, 2)
    was, now = (np.linalg.norm(np.subtract(*point.positions[bonds.T]), axis=1) for point in (before, after))
    broken = np.flatnonzero((now < BOND_RATIO[0] * was) | (now > BOND_RATIO[1] * was))
    if len(broken):
        worst = broken[np.argmax(np.abs(np.log(now[broken] / was[broken])))]
        one, other = _named(topology, bonds[worst])
        raise _failed(
            name, topology, None, f"the bond of {one} with {other} went from {was[worst]:.3f} to {now[worst]:.3f} Å"
        )
    if length is None:
        return
    contact = closest_contact(after.positions, molecules, length)
    if contact < CLOSEST_CONTACT_ANGSTROM:
        raise _failed(name, topology, after, f"two molecules are {contact:.2f} Å apart")


def _failed(name: str, topology: Topology, point: Point | None, what: str) -> InputError:
    where = ""
    if point is not None:
        size = np.nan_to_num(np.linalg.norm(point.forces, axis=1), nan=np.inf)
        worst = np.argsort(-size, kind="stable")[:N_NAMED]
        described = (f"{atom} ({size[i]:.3g} eV/Å)" for atom, i in zip(_named(topology, worst), worst, strict=True))
        where = f"; the largest forces are on {', '.join(described)}"
    return InputError(
        f"systems.{name}: minimisation failed: {what}{where}. Lower the density it is packed to, change the seed, or "
        "check the terms of these molecules"
    )


def _named(topology: Topology, atoms: Iterable[int]) -> list[str]:
    every = list(topology.atoms())
    return [f"{every[i].name} of {every[i].residue.name} {every[i].residue.index + 1}" for i in atoms]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
