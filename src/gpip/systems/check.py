"""Checks of the systems of a configuration before anything is built, for the command and the workflow."""

from rdkit.Chem import GetDistanceMatrix

from gpip.config.limits import check_limits
from gpip.config.project import Project
from gpip.config.systems import System
from gpip.core.errors import InputError
from gpip.core.seeds import seed_for
from gpip.core.species import Species, molecule_of_smiles
from gpip.forcefields.available import check_force_fields

LONGEST_BOND_ANGSTROM = 1.9
"""Of the bonds of electrolytes, those of metal atoms left aside."""
ROOM_ANGSTROM = 2.0


def check_systems(project: Project, openff_by_conda: bool = False, pack: bool = False) -> list[str]:
    """Check limits, force fields, and that every molecule fits into its box.

    Args:
        openff_by_conda: Snakemake makes an environment for OpenFF.
        pack: pack the boxes that hold folded molecules, which may fail; takes seconds each.

    Returns:
        Warnings, each with its place.

    Raises:
        InputError: what cannot be built or means nothing, with the reason.
    """
    problems = []
    warnings, errors = check_limits(project)
    for name, system in project.systems.items():
        try:
            folded = _folded(name, system)
            warnings += folded
            if folded and pack and not errors:
                from gpip.systems.build import packed_positions, species_molecules

                seed = seed_for(project.seed, "build", name)  # as the rule build_system has it
                packed_positions(name, system.box, seed, species_molecules(system.box))
        except InputError as error:
            problems.append(str(error))
    if problems or errors:
        raise InputError("\n".join(problems + errors))
    return warnings + check_force_fields(project, openff_by_conda)


def _folded(name: str, system: System) -> list[str]:
    """A warning for each species that fits into the box only when it is folded."""
    if not system.periodic:
        return []
    where, warnings = f"systems.{name}", []
    width = system.box.length_angstrom
    for one in system.amounts:
        if _longest_possible(one) + ROOM_ANGSTROM <= width:
            continue
        from gpip.systems.shapes import longest_distance, positions_in_box

        positions = positions_in_box(one, width, where)
        stretched = longest_distance(positions_in_box(one, float("inf"), where))
        if longest_distance(positions) < stretched:
            warnings.append(
                f"{where}: a molecule of {one.name} is {stretched:.1f} Å long and the box {width:.1f} Å wide: it is "
                "packed folded, and meets its own periodic images when it unfolds; put more molecules in the box"
            )
    return warnings


def _longest_possible(species: Species) -> float:
    """An upper bound of the length of a molecule, in Å: its longest chain of bonds drawn straight."""
    molecule = molecule_of_smiles(f"species {species.name!r}", species.smiles)
    return LONGEST_BOND_ANGSTROM * float(GetDistanceMatrix(molecule).max(initial=0.0))
