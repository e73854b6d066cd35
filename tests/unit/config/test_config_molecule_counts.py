"""Whole molecules closest to a composition: exhaustive search, many random compositions, sizes that serve."""

import re

import numpy as np
import pytest

from gpip.config import project_from
from gpip.config.composition import salts
from gpip.config.molecule_counts import COST_OF_SIZE, LARGEST_DEVIATION, SIZE_RANGE, Demand, closest_counts
from gpip.config.systems import System
from gpip.core.errors import InputError
from gpip.core.species import BUILT_IN, find_species

SOLVENTS = [
    name
    for name, built_in in BUILT_IN.items()
    if find_species("test", name).charge == 0 and built_in.liquid_density_g_per_cm3
]


def system(**given) -> System:
    return project_from({"systems": {"a": {"force_field": "opls-aa", "density": "npt"} | given}}).systems["a"]


def demand(concentrations, per_litre, fractions, atoms, masses, volumes) -> Demand:
    names = tuple(f"{'salt' if i < len(concentrations) else 'solvent'}{i}" for i in range(len(atoms)))
    arrays = [np.array(one, dtype=float) for one in (atoms, masses, volumes, volumes, concentrations)]
    return Demand(names, *arrays, np.array(per_litre, dtype=bool), np.array(fractions, dtype=float))


def by_hand(one: Demand, counts: tuple[int, ...]) -> float:
    """The largest relative deviation of a composition, written out."""
    n = len(one.concentrations)
    kilograms = sum(c * m for c, m in zip(counts[n:], one.molar_masses[n:], strict=True)) / 1000
    litres = sum(c * v for c, v in zip(counts, one.volumes, strict=True)) / 1000
    off = [abs(counts[i] / (litres if one.per_litre[i] else kilograms) / one.concentrations[i] - 1) for i in range(n)]
    total = sum(counts[n:])
    off += [abs(c / total / x - 1) for c, x in zip(counts[n:], one.fractions, strict=True)]
    return max(off)


@pytest.mark.parametrize("seed", range(30))
def test_no_other_box_of_about_this_size_is_closer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n_solvents = int(generator.integers(1, 3))
    fractions = generator.dirichlet(np.full(n_solvents, 8.0))
    atoms = [int(generator.integers(2, 12)), *generator.integers(3, 20, n_solvents).tolist()]
    one = demand(
        concentrations=[generator.uniform(0.5, 3)],
        per_litre=[bool(seed % 2)],
        fractions=fractions,
        atoms=atoms,
        masses=generator.uniform(50, 200, 1 + n_solvents),
        volumes=generator.uniform(40, 130, 1 + n_solvents),
    )
    n_atoms = int(generator.integers(150, 500))
    low, high = n_atoms * (1 - SIZE_RANGE), n_atoms * (1 + SIZE_RANGE)
    every = np.stack(np.meshgrid(*[np.arange(1, int(high / a) + 1) for a in atoms], indexing="ij"), -1)
    every = every.reshape(-1, len(atoms))
    total = every @ np.array(atoms)
    every = every[(total >= low) & (total <= high)]

    def score(counts: tuple[int, ...]) -> float:
        size = abs(np.dot(counts, atoms) / n_atoms - 1)
        return by_hand(one, counts) + COST_OF_SIZE * size

    serve = [tuple(c) for c in every.tolist() if by_hand(one, c) <= LARGEST_DEVIATION]
    if serve:
        found = tuple(closest_counts(one, n_atoms).values())
        assert by_hand(one, found) <= LARGEST_DEVIATION
        assert score(found) == pytest.approx(min(map(score, serve)), abs=1e-12)
    else:
        with pytest.raises(InputError, match="come within 5 % of what is asked for"):
            closest_counts(one, n_atoms)


@pytest.mark.parametrize("seed", range(60))
def test_every_composition_is_reached_or_refused_with_a_size_that_serves(seed: int) -> None:
    generator = np.random.default_rng(1000 + seed)
    chosen = generator.choice(SOLVENTS, size=int(generator.integers(1, 4)), replace=False)
    ratio = {str(name): round(float(generator.uniform(0.2, 3)), 2) for name in chosen}
    unit = ["mol/kg", "mol/L"][seed % 2]
    names = generator.choice(sorted(salts()), size=int(generator.integers(1, 3)), replace=False)
    salt = {str(name): f"{generator.uniform(0.2, 1.5):.2f} {unit}" for name in names}
    given = {"solvent": ratio, "salt": salt, "solvent_ratio": ["mole", "mass", "volume"][seed % 3]}
    n_atoms = int(10 ** generator.uniform(2, 4))
    try:
        check(system(**given, n_atoms=n_atoms), given, n_atoms)
    except InputError as error:
        message = str(error)
    else:
        return
    assert "come within 5 %" in message or "do not hold a whole molecule" in message
    sizes = re.search(r"The nearest n_atoms that serves? (?:is|are) (\d+)(?: and (\d+))?", message)
    assert sizes, message
    for size in filter(None, sizes.groups()):
        check(system(**given, n_atoms=int(size)), given, int(size))


def check(found: System, given: dict, n_atoms: int) -> None:
    """Concentrations and ratio within 5 %, computed from the molecules alone."""
    counts = {name: one.count for name, one in found.contents.items()}
    species = {name: find_species("test", name) for name in counts}
    assert sum(n * species[name].charge for name, n in counts.items()) == 0
    atoms = sum(n * len(species[name].elements) for name, n in counts.items())
    assert abs(atoms / n_atoms - 1) <= SIZE_RANGE + 1e-9
    kilograms = sum(counts[name] * species[name].molar_mass_g_per_mol for name in given["solvent"]) / 1000
    litres = sum(n * species[name].molar_volume_cm3_per_mol for name, n in counts.items()) / 1000
    ions = {}
    for name, text in given["salt"].items():
        value, unit = text.split()
        for ion, n in salts()[name].items():
            amount = float(value) * (litres if unit == "mol/L" else kilograms)
            ions[ion] = ions.get(ion, 0) + n * amount
    for ion, expected in ions.items():
        assert counts[ion] == pytest.approx(expected, rel=LARGEST_DEVIATION + 1e-9)
    per_mole = {
        "mole": lambda s: 1.0,
        "mass": lambda s: s.molar_mass_g_per_mol,
        "volume": lambda s: s.molar_volume_cm3_per_mol,
    }[given["solvent_ratio"]]
    asked = {name: part / per_mole(species[name]) for name, part in given["solvent"].items()}
    for name, part in asked.items():
        fraction = counts[name] / sum(counts[other] for other in asked)
        assert fraction == pytest.approx(part / sum(asked.values()), rel=LARGEST_DEVIATION + 1e-9)


def test_a_concentration_far_off_is_an_error_not_a_box() -> None:
    given = {"salt": {"LiFSI": "1.0 mol/kg"}, "solvent": {"triglyme": 1}}
    with pytest.raises(InputError, match=r"n_atoms 220: no whole molecules in 176 to 264 atoms .* instead of 1 mol/kg"):
        system(**given, n_atoms=220)


def test_what_is_asked_and_what_is_reached() -> None:
    found = system(salt={"LiPF6": "1.0 mol/kg"}, solvent={"EC": 3, "EMC": 7}, solvent_ratio="mass", n_atoms=3000)
    salt, ratio = found.asked_and_reached
    reached = found.composition()["mol_per_kg_solvent"]["Li+"]
    assert salt == f"LiPF6: 1 mol/kg asked, {reached:.3g} reached"
    grams = {n: found.contents[n].count * find_species("t", n).molar_mass_g_per_mol for n in ("EC", "EMC")}
    share = 10 * grams["EC"] / sum(grams.values())
    assert ratio == f"EC:EMC by mass: 3:7 asked, {share:.3g}:{10 - share:.3g} reached"
    assert system(species={"EC": 20}).asked_and_reached == []
