"""Levels of theory whose isolated atoms are tabulated. Imported while the workflow is planned."""

import csv
from collections.abc import Collection
from functools import cache
from pathlib import Path

from gpip.config.labels import FileLabels, LabelSettings
from gpip.core.errors import InputError, unknown_name
from gpip.core.units import HARTREE_TO_EV

TABLE = Path(__file__).with_name("isolated_atoms") / "energies.csv"


def check_reference_energies(where: str, settings: LabelSettings, elements: Collection[str] | None = None) -> None:
    """Raise InputError, before anything is run, where isolated atoms are asked for that are not known.

    Args:
        where: the labels in the configuration.
        settings: of these labels.
        elements: symbols of the elements of the labels, where they are known before labels are read.
    """
    choice = settings.reference_energies
    missing = sorted(set(elements or ()) - set(choice)) if isinstance(choice, dict) else []
    if missing:
        raise InputError(
            f"{where}.reference_energies: {', '.join(choice)} given, but the labels have {', '.join(missing)} as well: "
            "give the energy in eV of an isolated atom of each element, or isolated, or fitted"
        )
    if isinstance(settings, FileLabels) and choice == "isolated" and level_in_table(settings) is None:
        what = f"{where}: level_of_theory without a table of isolated atoms"
        raise unknown_name(what, str(settings.level_of_theory), tabulated_energies())


def level_in_table(settings: FileLabels) -> str | None:
    """The level of theory of labels as the table spells it; None where it is not in the table."""
    if settings.level_of_theory is None:
        return None
    known = {_plain(level): level for level in tabulated_energies()}
    return known.get(_plain(settings.level_of_theory))


@cache
def tabulated_energies() -> dict[str, dict[str, float]]:
    """Energies in eV by level of theory and symbol; how they were computed is in isolated_atoms/compute.py."""
    table: dict[str, dict[str, float]] = {}
    with open(TABLE, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            energy = float(row["energy_hartree"]) * HARTREE_TO_EV
            table.setdefault(row["level_of_theory"], {})[row["element"]] = energy
    return table


def _plain(level: str) -> str:
    """A level of theory without the choices of spelling: case, ω, spaces, * for (d)."""
    return level.lower().replace("ω", "w").replace("*", "(d)").replace(" ", "")
