"""Whether a force field knows every molecule of a configuration, before anything is run."""

from gpip.config.project import Project
from gpip.core.errors import InputError
from gpip.forcefields.opls.assign import type_molecule


def check_force_fields(project: Project) -> None:
    """Type every species of the systems that OPLS-AA holds together.

    Raises:
        InputError: names the systems, and for each species all atoms and terms that are missing.
    """
    problems: dict[str, list[str]] = {}
    for name, system in project.systems.items():
        box = system.box
        if box.force_field != "opls-aa":
            continue
        for species in box.amounts:
            try:
                type_molecule(species.name, species.smiles, box.extra_terms)
            except InputError as error:
                problems.setdefault(str(error), []).append(name)
    if problems:
        raise InputError("\n".join(f"systems.{', '.join(names)}: {text}" for text, names in problems.items()))
