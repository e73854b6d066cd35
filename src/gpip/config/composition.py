"""What is in a box: species by counts, or a salt concentration and a solvent mixture resolved to whole molecules."""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field, WithJsonSchema

from gpip.config.base import Count, Positive, Strict, number_with_unit
from gpip.config.molecule_counts import Demand, closest_counts
from gpip.core.errors import InputError, nearest
from gpip.core.species import BUILT_IN, Species, find_species
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3


class SpeciesAmount(Strict):
    """A species of a box, by a number of molecules. `DME: 192` is short for `DME: {count: 192}`."""

    count: Count
    smiles: str | None = None
    """Of a molecule that is not built in, charges written out."""
    liquid_density_g_per_cm3: Positive | None = None
    """Of its pure liquid: a first guess of the volume it takes, estimated from its atoms when null."""


class SolventPart(Strict):
    """A species of a solvent mixture, by its part. `EC: 1` is short for `EC: {ratio: 1}`."""

    ratio: Positive
    """By mole, mass or volume, as `solvent_ratio` says; only the proportions count."""
    smiles: str | None = None
    """Of a molecule that is not built in."""
    liquid_density_g_per_cm3: Positive | None = None
    """Of its pure liquid; needed for a ratio by volume of a molecule that is not built in."""


class Ion(Strict):
    """An ion of a salt that is not built in. `TFA-: "..."` is short for `TFA-: {smiles: "..."}`."""

    smiles: str
    """Charge written out, for example `O=C([O-])C(F)(F)F`."""


def _by_name(amount: str) -> Any:
    """Short and list forms into name -> mapping: {DME: 3}, {DME: {count: 3}}, [{name: DME, count: 3}]."""

    def normalise(raw: Any) -> Any:
        if isinstance(raw, list):
            named = [dict(one) if isinstance(one, dict) else {} for one in raw]
            if not all("name" in one for one in named):
                raise ValueError(f"each item of the list needs a name, as in {{name: DME, {amount}: ...}}")
            names = [one.pop("name") for one in named]
            if len(set(names)) != len(names):
                raise ValueError(f"a species is listed twice among {names}: give its whole amount once")
            raw = dict(zip(names, named, strict=True))
        if isinstance(raw, dict):
            plain = (int, float, str)
            return {name: {amount: one} if isinstance(one, plain) else one for name, one in raw.items()}
        return raw

    return BeforeValidator(normalise)


def _shown(amount: str, number: dict[str, Any], model: type[Strict]) -> WithJsonSchema:
    """The same forms as JSON schema."""
    details = model.model_json_schema()["properties"]
    one = {"type": "object", "properties": details, "required": [amount], "additionalProperties": False}
    listed = {**one, "properties": {"name": {"type": "string"}, **details}, "required": ["name", amount]}
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"anyOf": [number, one]}},
                {"type": "array", "items": listed},
            ]
        }
    )


SpeciesAmounts = Annotated[
    dict[str, SpeciesAmount], _by_name("count"), _shown("count", {"type": "integer", "minimum": 1}, SpeciesAmount)
]
SolventParts = Annotated[
    dict[str, SolventPart], _by_name("ratio"), _shown("ratio", {"type": "number", "exclusiveMinimum": 0}, SolventPart)
]
Ions = Annotated[dict[str, Ion], _by_name("smiles"), _shown("smiles", {"type": "string"}, Ion)]

CONCENTRATION = r"^\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(mol/L|mol/kg)\s*$"
_OTHER_UNITS = {
    "mol/l": "mol/L", "m": "mol/kg", "M": "mol/L", "molal": "mol/kg", "molar": "mol/L", "mol/dm3": "mol/L",
    "mol/dm^3": "mol/L", "mol/dm³": "mol/L", "mol l-1": "mol/L", "mol kg-1": "mol/kg", "mol/kg solvent": "mol/kg",
}  # fmt: skip


def _concentration(raw: Any) -> Any:
    """Refuse a number without a unit, and say what to write."""
    if isinstance(raw, int | float) and raw > 0:
        raise ValueError(f"{raw:g} has no unit; write '{raw:g} mol/L' (of solution) or '{raw:g} mol/kg' (of solvent)")
    if isinstance(raw, int | float):
        raise ValueError("a concentration is above zero and has a unit, as in '1.0 mol/L'")
    return raw


Concentration = Annotated[str, BeforeValidator(_concentration), Field(examples=["1.0 mol/L", "0.5 mol/kg"])]
"""A number with `mol/L` (of the solution) or `mol/kg` (of the solvents)."""


class Concentrations(NamedTuple):
    value: float
    unit: str


def read_concentration(where: str, text: str) -> Concentrations:
    """Value and unit of a concentration. Raises InputError for anything but "<number> mol/L" or "<number> mol/kg"."""
    found = re.match(CONCENTRATION, text)
    if found and float(found[1]) > 0:
        return Concentrations(float(found[1]), found[2])
    advice = "write for example '1.0 mol/L' or '1.0 mol/kg'"
    given = number_with_unit(text)
    if found or (given and given[0] <= 0):
        advice = "it must be above zero; leave out a salt that is not there"
    elif given:
        value, name = given
        if name.startswith("m") and name[1:] in {"M", "mol/L", "mol/kg", "mol/l"}:  # milli
            value, name = value / 1000, name[1:]
        unit = {"mol/L": "mol/L", "mol/kg": "mol/kg"}.get(name) or _OTHER_UNITS.get(name)
        unit = unit or _OTHER_UNITS.get(name.lower())
        advice = f"write '{value:g} {unit}'" if unit else advice
    raise InputError(f"{where}: {text!r} is no concentration; {advice}")


def salts(declared: Mapping[str, Ion] = MappingProxyType({})) -> dict[str, dict[str, int]]:
    """Every salt of a cation and an anion, built in or declared: LiPF6, NaTFSI, MgCl2, Mg(TFSI)2.

    Returns:
        The ions of one formula unit by its formula: the names of cation and anion without their charges.

    Raises:
        InputError: a declared ion that has no charge, or one with which two salts would have the same formula.
    """
    ions = [find_species("built in", name) for name in BUILT_IN if name not in declared]
    for name, ion in declared.items():
        ions.append(find_species(f"ions.{name}", name, ion.smiles))
        if not ions[-1].charge:
            raise InputError(
                f"ions.{name}: {ion.smiles!r} has no charge; write the charge of an ion out, as in "
                "O=C([O-])C(F)(F)F, and give a neutral molecule under solvent"
            )
    cations = [ion for ion in ions if ion.charge > 0]
    anions = [ion for ion in ions if ion.charge < 0]
    known = {}
    for cation in cations:
        for anion in anions:
            n = math.lcm(cation.charge, -anion.charge)
            first, second = (re.sub(r"[+-]\d*$", "", ion.name) for ion in (cation, anion))
            formula = _times(first, n // cation.charge, len(cation.elements))
            formula += _times(second, n // -anion.charge, len(anion.elements))
            if formula in known:
                raise InputError(
                    f"ions: {formula} would be the formula of {' and '.join(known[formula])} as well as of "
                    f"{cation.name} and {anion.name}: give the ion of your own another name"
                )
            known[formula] = {cation.name: n // cation.charge, anion.name: n // -anion.charge}
    return known


def _times(ion: str, n: int, n_atoms: int) -> str:
    """Cl 2 gives Cl2, TFSI 2 gives (TFSI)2."""
    return ion if n == 1 else f"{ion}{n}" if n_atoms == 1 else f"({ion}){n}"


def mole_fractions(parts: Mapping[str, SolventPart], by: str) -> dict[str, float]:
    """Mole fraction of each solvent of a mixture given by "mole", "mass" or "volume".

    Raises:
        InputError: an unknown species, an ion, or a ratio by volume of a liquid whose density is not known.
    """
    moles = {}
    for name, part in parts.items():
        species = find_species("solvent", name, part.smiles, part.liquid_density_g_per_cm3)
        if species.charge:
            raise InputError(f"solvent: {name!r} carries {species.charge:+d} e; ions belong into salt or species")
        known = BUILT_IN[name].liquid_density_g_per_cm3 if name in BUILT_IN else None
        density = part.liquid_density_g_per_cm3 or known
        if by == "volume" and density is None:
            raise InputError(
                f"solvent: a ratio by volume needs the density of pure {name}: give {name} its "
                "liquid_density_g_per_cm3, or use solvent_ratio: mole or mass"
            )
        per_mole = {"mole": 1.0, "mass": species.molar_mass_g_per_mol, "volume": species.molar_volume_cm3_per_mol}[by]
        moles[name] = part.ratio / per_mole
    return {name: value / sum(moles.values()) for name, value in moles.items()}


def resolve(
    salt: Mapping[str, str],
    solvent: Mapping[str, SolventPart],
    by: str,
    n_atoms: int,
    density_g_per_cm3: float | None,
    ions: Mapping[str, Ion] = MappingProxyType({}),
) -> dict[str, SpeciesAmount]:
    """Whole molecules nearest to a composition, about `n_atoms` atoms in all, salts first.

    Raises:
        InputError: unknown salt or solvent, a concentration that leaves no room for solvent, or no box of about
            `n_atoms` atoms within 5 % of the composition: see `closest_counts`.
    """
    demand, units = _demand(salt, solvent, by, density_g_per_cm3, ions)
    n_of = closest_counts(demand, n_atoms)
    counts: dict[str, SpeciesAmount] = {}
    for name in salt:
        for ion, n in units[name]:
            before = counts[ion.name].count if ion.name in counts else 0
            counts[ion.name] = SpeciesAmount(count=before + n * n_of[name], smiles=_smiles(ions, ion.name))
    for name, part in solvent.items():
        counts[name] = SpeciesAmount(
            count=n_of[name], smiles=part.smiles, liquid_density_g_per_cm3=part.liquid_density_g_per_cm3
        )
    return counts


def asked_and_reached(
    salt: Mapping[str, str],
    solvent: Mapping[str, SolventPart],
    by: str,
    n_atoms: int,
    density_g_per_cm3: float | None,
    ions: Mapping[str, Ion] = MappingProxyType({}),
) -> list[str]:
    """What a composition asks for beside what the whole molecules of `resolve` have, a phrase for each."""
    demand, _ = _demand(salt, solvent, by, density_g_per_cm3, ions)
    n_of = closest_counts(demand, n_atoms)
    concentrations, fractions = demand.found([[n_of[name] for name in demand.names]])
    estimated = "" if density_g_per_cm3 else " (volume estimated from the pure liquids)"
    phrases = []
    for i, name in enumerate(salt):
        value, unit = read_concentration(f"salt.{name}", salt[name])
        note = estimated if unit == "mol/L" else ""
        phrases.append(f"{name}: {value:g} {unit} asked, {concentrations[0, i]:.3g} reached{note}")
    if len(solvent) > 1:
        weights = {"mole": np.ones(len(demand.names)), "mass": demand.molar_masses, "volume": demand.pure_volumes}[by]
        shares = fractions[0] * weights[len(salt) :]
        asked = [part.ratio for part in solvent.values()]
        phrases.append(
            f"{':'.join(solvent)} by {by}: {':'.join(f'{one:g}' for one in asked)} asked, "
            f"{':'.join(f'{one * sum(asked):.3g}' for one in shares / shares.sum())} reached"
        )
    return phrases


def _demand(
    salt: Mapping[str, str],
    solvent: Mapping[str, SolventPart],
    by: str,
    density_g_per_cm3: float | None,
    ions: Mapping[str, Ion],
) -> tuple[Demand, dict[str, list[tuple[Species, int]]]]:
    """The composition asked for, and the ions of a formula unit of each salt.

    Concentrations in mol/L need the volume of the solution: from its density where that is given, else from the
    volumes that its species take as pure liquids.

    Raises:
        InputError: unknown salt or solvent, a declared ion that no salt has, or a concentration that leaves no room for
            solvent.
    """
    fractions = mole_fractions(solvent, by)
    solvents = {
        name: find_species("solvent", name, part.smiles, part.liquid_density_g_per_cm3)
        for name, part in solvent.items()
    }
    known = salts(ions)
    units = {}
    for name in salt:
        if name not in known:
            raise _unknown_salt(name, known)
        units[name] = [(find_species("salt", ion, _smiles(ions, ion)), n) for ion, n in known[name].items()]
    unused = set(ions) - {ion for name in salt for ion in known[name]}
    if unused:
        example = min((name for name in known if set(known[name]) & unused), key=len)
        raise InputError(f"ions: no salt contains {', '.join(sorted(unused))}; use it in one, such as {example}")
    parts = [*units.values(), *([(one, 1)] for one in solvents.values())]
    masses = np.array([sum(n * one.molar_mass_g_per_mol for one, n in part) for part in parts])
    volumes = np.array([sum(n * one.molar_volume_cm3_per_mol for one, n in part) for part in parts])
    concentrations = [read_concentration(f"salt.{name}", text) for name, text in salt.items()]
    demand = Demand(
        names=(*salt, *solvent),
        atoms=np.array([sum(n * len(one.elements) for one, n in part) for part in parts]),
        molar_masses=masses,
        pure_volumes=volumes,
        volumes=masses / density_g_per_cm3 if density_g_per_cm3 else volumes,
        concentrations=np.array([one.value for one in concentrations]),
        per_litre=np.array([one.unit == "mol/L" for one in concentrations], dtype=bool),
        fractions=np.array(list(fractions.values())),
    )
    room = demand.room_for_solvent()
    if room <= 0:
        litre = [name for name, one in zip(salt, concentrations, strict=True) if one.unit == "mol/L"]
        raise InputError(
            f"salt: {', '.join(f'{name} {salt[name]}' for name in litre)} leaves no room for solvent: the salt "
            f"alone takes {100 * (1 - room):.0f} % of the volume; lower the concentration"
        )
    return demand, units


def _unknown_salt(name: str, known: Mapping[str, Mapping[str, int]]) -> InputError:
    near = nearest(name, known)
    ions = dict.fromkeys(ion for salt in known.values() for ion in salt)
    return InputError(
        f"salt: {name!r} is not known; {f'did you mean {near!r}? ' if near else ''}A salt has the names of its cation "
        f"and anion without their charges, of {', '.join(ions)}; declare any other, as in ions: {{TFA-: {{smiles: "
        '"O=C([O-])C(F)(F)F"}} for LiTFA'
    )


def _smiles(ions: Mapping[str, Ion], name: str) -> str | None:
    """Of a declared ion; None of a built-in one."""
    return ions[name].smiles if name in ions else None


def composition(species: Mapping[Species, int], density_g_per_cm3: float | None) -> dict[str, Any]:
    """The composition reached: molecules, atoms, and for solutions mol/L and mol/kg of each ion and solute.

    Args:
        species: how many molecules of each.
        density_g_per_cm3: of the box; mol/L are left out without it.

    Returns:
        `n_atoms`, `n_molecules`, `molecules` {name: count}, and where they have a meaning `mol_per_litre` {name: value}
        and `mol_per_kg_solvent` {ion: value}.
    """
    mass = sum(one.molar_mass_g_per_mol * n for one, n in species.items())
    solvent = sum(one.molar_mass_g_per_mol * n for one, n in species.items() if not one.charge)
    found: dict[str, Any] = {
        "n_atoms": sum(len(one.elements) * n for one, n in species.items()),
        "n_molecules": sum(species.values()),
        "molecules": {one.name: n for one, n in species.items()},
    }
    if density_g_per_cm3:
        litres_per_mol = mass / density_g_per_cm3 / 1000
        found["mol_per_litre"] = {one.name: n / litres_per_mol for one, n in species.items()}
    if solvent and any(one.charge for one in species):
        found["mol_per_kg_solvent"] = {one.name: 1000 * n / solvent for one, n in species.items() if one.charge}
    return found


def in_words(mixture: Mapping[str, Any]) -> str:
    """A composition, as `composition` gives it, in one line."""
    molecules = ", ".join(f"{n} {name}" for name, n in mixture["molecules"].items())
    solutes = mixture.get("mol_per_kg_solvent", {})
    amounts = [
        f"{mixture[key][name]:.3g} {unit} {name}"
        for key, unit in (("mol_per_litre", "mol/L"), ("mol_per_kg_solvent", "mol/kg"))
        if key in mixture
        for name in solutes
    ]
    return "; ".join([molecules, f"{mixture['n_atoms']} atoms", *([", ".join(amounts)] if amounts else [])])


def estimated_density(species: Mapping[Species, int]) -> float:
    """g/cm^3 of a mixture whose species keep their volumes as pure liquids: a first guess for packing."""
    mass = sum(one.molar_mass_g_per_mol * n for one, n in species.items())
    volume = sum(one.molar_volume_cm3_per_mol * n for one, n in species.items())
    return mass / max(volume, 1.0)


def cubic_length_angstrom(species: Mapping[Species, int], density_g_per_cm3: float) -> float:
    """Edge of a cubic box of that density."""
    mass = sum(one.molar_mass_g_per_mol * n for one, n in species.items())
    return (mass / (density_g_per_cm3 * G_PER_CM3_TO_AMU_PER_ANGSTROM3)) ** (1 / 3)
