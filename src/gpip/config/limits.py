"""Limits of what is physically sensible: warnings, and errors where no meaningful result is left.

Each limit is a sentence of physics with its numbers. They are checked once, by `gpip check` and when the workflow
starts, not by every job.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gpip.config.composition import estimated_density
from gpip.config.labels import ComputedLabels
from gpip.config.project import Project
from gpip.config.systems import System
from gpip.core.species import Species, molecule_of_smiles

STRETCH_WAVENUMBER_PER_CM = {"O": 3700.0, "N": 3400.0, "C": 3050.0, "F": 4000.0, "S": 2600.0, "P": 2400.0}
"""Of hydrogen against another element, near the largest of each kind."""
OTHER_STRETCH_PER_CM = 3000.0
BEND_WAVENUMBER_PER_CM = 1600.0
"""Of angles with hydrogen, water's being the largest."""
PERIOD_OF_1_PER_CM_FS = 33356.41
"""1 / (c · 1 cm⁻¹)"""
STEPS_PER_PERIOD_WARNED = 8.0
"""Below, a leapfrog integrator has 15 % of a mode's energy wrong: (ω Δt)²/4 at 8 steps."""
STEPS_PER_PERIOD_REFUSED = 4.0
"""Below π steps a period Verlet's integrator is unstable for a harmonic bond; anharmonic and hot ones want more."""
HYDROGEN_AMU = 1.008

SHORT_TIMESTEP_FS = 0.1
SMALLEST_CUTOFF_ANGSTROM = 3.0
SHORT_CUTOFF_ANGSTROM = 5.0
COLD_KELVIN = 90.0
BOILING_KELVIN = 500.0
DILUTED, COMPRESSED = 0.5, 1.3
"""Of the density that the species have as pure liquids."""
SOLVENTS_PER_CATION = 1.0
LOW_CHARGE_SCALE = 0.5


class Vibration(NamedTuple):
    """The fastest motion that a system is free to make."""

    name: str
    period_fs: float


def check_limits(project: Project) -> tuple[list[str], list[str]]:
    """Warnings and errors about what a configuration asks for, each with its place and reason.

    Errors are what cannot give a meaningful result, warnings what seldom does.
    """
    warnings: list[str] = []
    errors: list[str] = []
    for name, system in project.systems.items():
        for is_error, text in _of_system(system):
            (errors if is_error else warnings).append(f"systems.{name}: {text}")
    for name, experiment in project.experiments.items():
        if experiment.ml_md is None:
            continue
        where = f"experiments.{name}.ml_md"
        labels = project.labels[experiment.labels]
        computed = isinstance(labels, ComputedLabels)
        species = [one for name in labels.systems for one in project.systems[name].amounts] if computed else None
        vibration = Vibration("O-H bond", _stretch_period_fs("O")) if species is None else fastest_vibration(species)
        for is_error, text in _of_timestep(
            experiment.ml_md.timestep_fs, vibration, "as ML-driven dynamics has no constraints"
        ):
            note = "" if species is not None else ", if these molecules have hydrogen"
            refused = is_error and species is not None
            (errors if refused else warnings).append(f"{where}.timestep_fs: {text}{note}")
        warnings += [f"{where}: {text}" for text in _cold("temperature_kelvin", experiment.ml_md.temperature_kelvin)]
    return warnings, errors


def _of_system(system: System) -> Iterator[tuple[bool, str]]:
    """Whether it is an error, and what, for everything about one system."""
    box, amounts = system.box, system.amounts
    hydrogen_mass = system.hydrogen_mass_amu or HYDROGEN_AMU
    vibration = fastest_vibration(amounts, system.constraints == "h-bonds", system.rigid_water, hydrogen_mass)
    for part in ("sampling", "npt", "annealing"):
        settings = getattr(system, part)
        if settings is not None:
            remedy = _remedy(system, settings.timestep_fs)
            for is_error, text in _of_timestep(settings.timestep_fs, vibration, remedy):
                yield is_error, f"{part}.timestep_fs: {text}"
    if system.periodic:
        yield from _of_cutoff(system)
        yield from _of_density(system)
        yield from _of_concentration(amounts)
        if system.npt and system.npt.temperature_kelvin > BOILING_KELVIN:
            yield (
                False,
                f"npt.temperature_kelvin: at {system.npt.temperature_kelvin:g} K and {system.npt.pressure_bar:g} bar "
                "most solvents boil, and the box grows into a vapour; find the density near 300 K, and heat at it",
            )
    for key, values in (
        ("temperatures_kelvin", system.temperatures_kelvin),
        ("npt.temperature_kelvin", [system.npt.temperature_kelvin] if system.npt else []),
        ("annealing.end_kelvin", [system.annealing.end_kelvin] if system.annealing else []),
    ):
        yield from ((False, text) for value in values for text in _cold(key, value))
    if box.ion_charge_scale < LOW_CHARGE_SCALE and any(one.charge for one in amounts):
        yield (
            False,
            f"ion_charge_scale: with {box.ion_charge_scale:g} of their charges ions hardly attract each other; "
            "0.7 to 0.85 stands for electronic polarisation",
        )


def _remedy(system: System, timestep_fs: float) -> str:
    """The first of the usual ways to slow a system down with which this step is short enough."""
    mass = system.hydrogen_mass_amu
    for constraints, rigid_water, hydrogen_mass in (
        (system.constraints, True, mass),
        ("h-bonds", system.rigid_water, mass),
        ("h-bonds", True, mass),
        ("h-bonds", True, 3.0),
    ):
        free = fastest_vibration(system.amounts, constraints == "h-bonds", rigid_water, hydrogen_mass or HYDROGEN_AMU)
        if free is None or timestep_fs * STEPS_PER_PERIOD_WARNED <= free.period_fs:
            changes = [
                f"{key}: {text}"
                for key, text, differs in (
                    ("constraints", constraints, constraints != system.constraints),
                    ("rigid_water", "true", rigid_water and not system.rigid_water and _has_water(system)),
                    ("hydrogen_mass_amu", f"{hydrogen_mass or 0:g}", hydrogen_mass != mass),
                )
                if differs
            ]
            return f"or set {' and '.join(changes)}"
    return ""


def _has_water(system: System) -> bool:
    return any(one.is_water for one in system.amounts)


def _of_timestep(timestep_fs: float, vibration: Vibration | None, remedy: str) -> Iterator[tuple[bool, str]]:
    if timestep_fs < SHORT_TIMESTEP_FS:
        yield (
            False,
            f"a step of {timestep_fs:g} fs is far below the 0.25 to 4 fs that molecules need; steps are in fs: if "
            f"{timestep_fs:g} ps is meant, write {1000 * timestep_fs:g}",
        )
    if vibration is None or timestep_fs * STEPS_PER_PERIOD_WARNED <= vibration.period_fs:
        return
    steps = vibration.period_fs / timestep_fs
    good = max(math.floor(4 * vibration.period_fs / STEPS_PER_PERIOD_WARNED) / 4, 0.25)
    fact = (
        f"a step of {timestep_fs:g} fs has {steps:.1f} steps for a vibration of the {vibration.name} "
        f"({vibration.period_fs:.1f} fs)"
    )
    refused = steps < STEPS_PER_PERIOD_REFUSED
    effect = (
        "the integration becomes unstable near three of them"
        if refused
        else f"below {STEPS_PER_PERIOD_WARNED:g} of them energy is not conserved and the temperature is wrong by some "
        "kelvin"
    )
    advice = f"take {good:g} fs" + (f", {remedy}" if remedy else "")
    yield refused, f"{fact}; {effect}: {advice}"


def fastest_vibration(
    species: "list[Species] | dict[Species, int]",
    hydrogen_bonds_fixed: bool = False,
    water_fixed: bool = False,
    hydrogen_mass_amu: float = HYDROGEN_AMU,
) -> Vibration | None:
    """The fastest motion of hydrogen that is free, from wavenumbers of its bonds and angles; None where there is none.

    Heavier hydrogens, by `hydrogen_mass_amu` or as an isotope in the SMILES, are slower by the square root of the
    reduced mass of the pair.
    """
    found = []
    for one in species:
        if one.is_water and water_fixed:
            continue
        molecule = molecule_of_smiles(f"species {one.name!r}", one.smiles)
        for atom in molecule.GetAtoms():
            if atom.GetAtomicNum() != 1 or not atom.GetDegree():
                continue
            (heavy,) = (near for near in atom.GetNeighbors())
            mass = max(hydrogen_mass_amu, atom.GetMass())
            symbol = heavy.GetSymbol()
            if not hydrogen_bonds_fixed:
                period = _stretch_period_fs(symbol, mass, heavy.GetMass())
                found.append(Vibration(f"{symbol}-H bond of {one.name}", period))
            elif heavy.GetDegree() > 1:
                slower = math.sqrt(_reduced(mass, heavy.GetMass()) / _reduced(HYDROGEN_AMU, heavy.GetMass()))
                period = PERIOD_OF_1_PER_CM_FS / BEND_WAVENUMBER_PER_CM * slower
                found.append(Vibration(f"angles with hydrogen of {one.name}", period))
    return min(found, key=lambda one: one.period_fs, default=None)


def _stretch_period_fs(symbol: str, mass_amu: float = HYDROGEN_AMU, heavy_amu: float = 16.0) -> float:
    wavenumber = STRETCH_WAVENUMBER_PER_CM.get(symbol, OTHER_STRETCH_PER_CM)
    slower = math.sqrt(_reduced(mass_amu, heavy_amu) / _reduced(HYDROGEN_AMU, heavy_amu))
    return PERIOD_OF_1_PER_CM_FS / wavenumber * slower


def _reduced(one: float, other: float) -> float:
    return one * other / (one + other)


def _of_cutoff(system: System) -> Iterator[tuple[bool, str]]:
    cutoff = system.box.cutoff_angstrom
    if system.cutoff_angstrom is not None:
        what, advice = f"cutoff_angstrom: {cutoff:g} Å", "9 Å or more is usual"
    else:
        what = f"the cutoff of {cutoff:g} Å that fits into this box of {system.box.length_angstrom:.1f} Å"
        advice = "put more molecules in the box"
    if cutoff < SMALLEST_CUTOFF_ANGSTROM:
        yield (
            True,
            f"{what} is shorter than the 3 Å at which neighbouring molecules touch, so that they would not feel each "
            f"other's attraction; {advice}",
        )
    elif cutoff < SHORT_CUTOFF_ANGSTROM:
        yield (
            False,
            f"{what} ends within the first shell of neighbours, so that density and structure depend on it; {advice}",
        )


def _of_density(system: System) -> Iterator[tuple[bool, str]]:
    if not isinstance(system.density, float):
        return
    expected = estimated_density(system.amounts)
    if system.density < DILUTED * expected:
        yield (
            False,
            f"density: {system.density:g} g/cm3 is less than half of the {expected:.2f} g/cm3 of these liquids: below "
            "the boiling point such a box separates into liquid and vacuum; density: npt finds the right one",
        )
    elif system.density > COMPRESSED * expected:
        yield (
            False,
            f"density: {system.density:g} g/cm3 is {system.density / expected:.1f} times the {expected:.2f} g/cm3 "
            "of these liquids, which would take thousands of bar; density: npt finds the right one",
        )


def _of_concentration(amounts: dict[Species, int]) -> Iterator[tuple[bool, str]]:
    cations = {one: n for one, n in amounts.items() if one.charge > 0}
    solvents = sum(n for one, n in amounts.items() if not one.charge)
    metals = sum(n for one, n in cations.items() if len(one.elements) == 1)
    if not solvents or not metals or metals < sum(cations.values()):
        return  # a molten salt, an ionic liquid, or no ions at all
    if solvents < SOLVENTS_PER_CATION * metals:
        mass = sum(one.molar_mass_g_per_mol * n for one, n in amounts.items() if not one.charge) / 1000
        names = ", ".join(one.name for one in cations if len(one.elements) == 1)
        yield (
            False,
            f"{metals} cations ({names}) share {solvents} solvent molecule{'s' * (solvents != 1)} "
            f"({metals / mass:.3g} mol/kg): a cation binds four to six donor atoms, and below one solvent molecule "
            "each no such solution is a liquid near room temperature; check the counts",
        )


def _cold(key: str, value: float) -> Iterator[str]:
    if value < COLD_KELVIN:
        yield (
            f"{key}: {value:g} K is {value - 273.15:.0f} °C, far below where liquids freeze; if {value:g} °C is "
            f"meant, write {value + 273.15:g}"
        )
