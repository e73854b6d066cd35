"""Whether a force field knows every molecule of a configuration, before anything is run."""

from collections.abc import Callable, Hashable

from gpip.config.project import Project
from gpip.config.systems import OPENFF, Box
from gpip.core.errors import InputError
from gpip.core.species import molecule_of_smiles
from gpip.forcefields.opls.assign import type_molecule


def check_force_fields(project: Project, openff_by_conda: bool = False) -> list[str]:
    """Find the parameters of every species of all systems, each once.

    OPLS-AA types them here. OpenFF does where it is installed; where it is not, what it has no parameters for at all
    is refused, and the rest is a warning.

    Args:
        openff_by_conda: Snakemake makes an environment for OpenFF, so that it need not be installed here.

    Returns:
        Warnings, one for each system that could not be checked.

    Raises:
        InputError: names the systems, and for each species all atoms and terms that are missing.
    """
    found: dict[Hashable, str | None] = {}
    systems: dict[str, list[str]] = {}
    warnings = []
    for name, system in project.systems.items():
        box = system.box
        for key, check in _checks(box).items():
            if key not in found:
                found[key] = _problem(check)
            if found[key]:
                systems.setdefault(found[key], []).append(name)
        if OPENFF.match(box.force_field):
            warnings += [f"systems.{name}: {text}" for text in _openff_warnings(box, openff_by_conda)]
    if systems:
        raise InputError("\n".join(f"systems.{', '.join(names)}: {text}" for text, names in systems.items()))
    return warnings


def _checks(box: Box) -> dict[Hashable, Callable[[], object]]:
    """What has to be checked of a box, by a key that equal checks share."""
    if box.force_field == "opls-aa":
        return {
            ("opls-aa", one.name, one.smiles, box.extra_terms): lambda one=one: type_molecule(
                one.name, one.smiles, box.extra_terms
            )
            for one in box.amounts
        }
    if not OPENFF.match(box.force_field):
        return {}
    from gpip.forcefields import openff

    checks: dict[Hashable, Callable[[], object]] = {
        (box.force_field, one.name, one.smiles): lambda one=one: openff.check_species(one, box.force_field)
        for one in box.amounts
    }
    if openff.is_installed() and not any(map(_problem, checks.values())):
        checks[box.model_dump_json()] = lambda: openff.check_with_openff(box)
    return checks


def _openff_warnings(box: Box, by_conda: bool) -> list[str]:
    from gpip.forcefields import openff

    warnings = []
    if not openff.is_installed():
        how = "" if by_conda else f"; {openff.INSTALL}"
        warnings.append(
            f"{box.force_field} is not installed here, so only elements and neighbours of its species were checked. "
            f"Whether it has charges and terms for them shows when the system is built{how}"
        )
    for one in box.amounts:
        centres = _undefined_centres(one.name, one.smiles)
        if centres:
            warnings.append(
                f"the SMILES of {one.name}, {one.smiles!r}, leaves {centres} open: every molecule in the box is the "
                "same one of its stereoisomers; write @, @@, / or \\ to choose"
            )
    return warnings


def _undefined_centres(name: str, smiles: str) -> str:
    from rdkit.Chem import FindPotentialStereo, StereoSpecified

    molecule = molecule_of_smiles(f"species {name!r}", smiles)
    open_ones = [one for one in FindPotentialStereo(molecule) if one.specified == StereoSpecified.Unspecified]
    return f"{len(open_ones)} stereocentre{'s' * (len(open_ones) > 1)}" if open_ones else ""


def _problem(check: Callable[[], object]) -> str | None:
    """What keeps the force field from holding this molecule; None when nothing does."""
    try:
        check()
    except InputError as error:
        return str(error)
    return None
