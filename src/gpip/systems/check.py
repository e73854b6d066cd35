"""Checks of the systems of a configuration before anything is built, for the command and the workflow."""

from gpip.config.limits import check_limits
from gpip.config.project import Project
from gpip.config.systems import System
from gpip.core.errors import InputError
from gpip.forcefields.available import check_force_fields
from gpip.systems.shapes import longest_distance, positions_in_box


def check_systems(project: Project, openff_by_conda: bool = False) -> list[str]:
    """Check limits, force fields, and that every molecule fits into its box.

    Args:
        openff_by_conda: Snakemake makes an environment for OpenFF.

    Returns:
        Warnings, each with its place.

    Raises:
        InputError: what cannot be built or means nothing, with the reason.
    """
    problems = []
    warnings, errors = check_limits(project)
    for name, system in project.systems.items():
        try:
            warnings += _shapes(name, system)
        except InputError as error:
            problems.append(str(error))
    if problems or errors:
        raise InputError("\n".join(problems + errors))
    return warnings + check_force_fields(project, openff_by_conda)


def _shapes(name: str, system: System) -> list[str]:
    if not system.periodic:
        return []
    where, warnings = f"systems.{name}", []
    width = system.box.length_angstrom
    for one in system.amounts:
        positions = positions_in_box(one, width, where)
        stretched = longest_distance(positions_in_box(one, float("inf"), where))
        if longest_distance(positions) < stretched and stretched > width:
            warnings.append(
                f"{where}: a molecule of {one.name} is {stretched:.1f} Å long and the box {width:.1f} Å wide: it is "
                "packed folded, and meets its own periodic images when it unfolds; put more molecules in the box"
            )
    return warnings
