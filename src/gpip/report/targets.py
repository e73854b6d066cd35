"""Measured densities of pure liquids at one atmosphere, to hold a system's against: `targets.csv`."""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

WITHIN_KELVIN = 1.0
"""A liquid's density changes by about 0.1 % a kelvin."""
WITHIN_BAR = 10.0


class Target(NamedTuple):
    species: str
    temperature_kelvin: float
    density_g_per_cm3: float
    source: str


@cache
def known_targets() -> tuple[Target, ...]:
    """Every row of the table."""
    with files("gpip.report").joinpath("targets.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        return tuple(
            Target(
                row["species"],
                float(row["temperature_kelvin"]),
                float(row["density_g_per_cm3"]),
                row["source"],
            )
            for row in rows
        )


def target_of(molecules: Mapping[str, int], temperature_kelvin: float, pressure_bar: float) -> Target | None:
    """The measured density of a pure liquid within 1 K and 10 bar; None for other systems and conditions.

    Args:
        molecules: {species: count} of the box.
    """
    if len(molecules) != 1 or abs(pressure_bar - 1.01325) > WITHIN_BAR:
        return None
    (species,) = molecules
    near = [
        target
        for target in known_targets()
        if target.species == species and abs(target.temperature_kelvin - temperature_kelvin) <= WITHIN_KELVIN
    ]
    return min(near, key=lambda target: abs(target.temperature_kelvin - temperature_kelvin), default=None)
