"""Whether a force field knows every molecule of a configuration, before anything is run."""

from gpip.config.project import Project
from gpip.core.errors import InputError
from gpip.forcefields.opls.assign import type_molecule


def check_force_fields(project: Project) -> None:
    """Type every species of the systems that OPLS-AA holds together, each once.

    Raises:
        InputError: names the systems, and for each species all atoms and terms that are missing.
    """
    found: dict[tuple[str, str, str | None], str | None] = {}
    systems: dict[str, list[str]] = {}
    for name, system in project.systems.items():
        box = system.box
        if box.force_field != "opls-aa":
            continue
        for species in box.amounts:
            wanted = (species.name, species.smiles, box.extra_terms)
            if wanted not in found:
                found[wanted] = _problem(*wanted)
            if found[wanted]:
                systems.setdefault(found[wanted], []).append(name)
    if systems:
        raise InputError("\n".join(f"systems.{', '.join(names)}: {text}" for text, names in systems.items()))


def _problem(name: str, smiles: str, extra: str | None) -> str | None:
    """What keeps OPLS-AA from holding this molecule; None when nothing does."""
    try:
        type_molecule(name, smiles, extra)
    except InputError as error:
        return str(error)
    return None
