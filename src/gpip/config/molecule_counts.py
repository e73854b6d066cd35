"""Whole numbers of molecules for a salt concentration and a solvent ratio, in a box of about a given size."""

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gpip.core.errors import InputError

LARGEST_DEVIATION = 0.05
"""Of each concentration and of each mole fraction among the solvents, relative to what is asked for."""
SIZE_RANGE = 0.2
"""A box holds at most this fraction more or fewer atoms than asked for."""
COST_OF_SIZE = 0.05
"""20 % more or fewer atoms count as much as a composition that is 1 % farther off."""
SEARCHED = (1.1, 2.0, 5.0, 20.0)
"""How far a size that serves is searched for: times the atoms asked for, or those that the rarest component needs."""
MOST_CORNERS = 64


class Demand(NamedTuple):
    """A composition asked for: n salts by concentration, then m solvents by ratio."""

    names: tuple[str, ...]
    """[n + m]"""
    atoms: np.ndarray
    """[n + m], of a formula unit of each salt and a molecule of each solvent."""
    molar_masses: np.ndarray
    """[n + m], g/mol."""
    pure_volumes: np.ndarray
    """[n + m], cm^3/mol, as pure liquids."""
    volumes: np.ndarray
    """[n + m], cm^3/mol, in the solution."""
    concentrations: np.ndarray
    """[n], mol per litre of solution or per kilogram of solvent."""
    per_litre: np.ndarray
    """[n], bool: which of the two."""
    fractions: np.ndarray
    """[m], mole fraction among the solvents."""

    @property
    def n_salts(self) -> int:
        return len(self.concentrations)

    def room_for_solvent(self) -> float:
        """Fraction of the volume that salts given per litre leave."""
        return 1 - float((self.concentrations / 1000 * self.volumes[: self.n_salts])[self.per_litre].sum())

    def per_solvent_molecule(self) -> np.ndarray:
        """Real numbers [n + m] of each component for one molecule of solvent, as asked for."""
        n = self.n_salts
        by_mass = np.where(self.per_litre, 0.0, self.concentrations * (self.fractions @ self.molar_masses[n:]) / 1000)
        volume = self.fractions @ self.volumes[n:] + by_mass @ self.volumes[:n]
        by_volume = np.where(self.per_litre, self.concentrations / 1000 * volume / self.room_for_solvent(), 0.0)
        return np.concatenate([by_mass + by_volume, self.fractions])

    def found(self, counts: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Concentrations [k, n] and mole fractions among the solvents [k, m] of whole numbers [k, n + m]."""
        counts, n = np.asarray(counts, dtype=float), self.n_salts
        litres, kilograms = counts @ self.volumes / 1000, counts[:, n:] @ self.molar_masses[n:] / 1000
        amount = np.where(self.per_litre, litres[:, None], kilograms[:, None])
        return counts[:, :n] / amount, counts[:, n:] / counts[:, n:].sum(axis=1, keepdims=True)

    def deviation(self, counts: np.ndarray) -> np.ndarray:
        """Largest relative deviation [k] of any concentration or fraction from what is asked for."""
        concentrations, fractions = self.found(counts)
        off = [np.abs(concentrations / self.concentrations - 1), np.abs(fractions / self.fractions - 1)]
        return np.concatenate(off, axis=1).max(axis=1)


def closest_counts(demand: Demand, n_atoms: int) -> dict[str, int]:
    """How many formula units of each salt and molecules of each solvent are closest to a composition.

    Among boxes of `n_atoms` ± 20 % the one with the least of: largest relative deviation of a concentration or of a
    solvent's mole fraction, plus 0.05 times the relative deviation of the number of atoms.

    Raises:
        InputError: the closest is more than 5 % off; the message names the nearest `n_atoms` that serve.
    """
    counts = _candidates(demand, n_atoms * (1 - SIZE_RANGE), n_atoms * (1 + SIZE_RANGE))
    if len(counts):
        deviation = demand.deviation(counts)
        size = np.abs(counts @ demand.atoms / n_atoms - 1)
        best = int(np.argmin(deviation + COST_OF_SIZE * size + np.where(deviation > LARGEST_DEVIATION, 1.0, 0.0)))
        if deviation[best] <= LARGEST_DEVIATION:
            return dict(zip(demand.names, counts[best].tolist(), strict=True))
    raise InputError(_no_box(demand, n_atoms, counts))


def _candidates(demand: Demand, least_atoms: float, most_atoms: float) -> np.ndarray:
    """Whole numbers [k, n + m], none zero, near to the composition, with a number of atoms between two limits.

    Each component in turn takes each whole number, the others are rounded down and up from what then belongs to it.
    """
    shares = demand.per_solvent_molecule()
    atoms = shares @ demand.atoms
    # Rounding changes the number of atoms, so scales beyond the limits count, too.
    lowest, highest = np.array([least_atoms, most_atoms]) / atoms + np.array([-1, 1]) * demand.atoms.sum() / atoms
    scales = [np.arange(max(np.ceil(lowest * x), 1), np.floor(highest * x) + 1) / x for x in shares]
    real = np.unique(np.concatenate(scales))[:, None] * shares
    corners = list(product((0, 1), repeat=len(shares)))
    if len(corners) <= MOST_CORNERS:
        counts = (np.floor(real + 1e-9)[:, None] + np.array(corners)).reshape(-1, len(shares))
    else:
        counts = np.round(real)
    total = counts @ demand.atoms
    counts = counts[(counts >= 1).all(axis=1) & (total >= least_atoms) & (total <= most_atoms)]
    return np.unique(counts.astype(int), axis=0)


def _no_box(demand: Demand, n_atoms: int, counts: np.ndarray) -> str:
    limits = f"{n_atoms * (1 - SIZE_RANGE):.0f} to {n_atoms * (1 + SIZE_RANGE):.0f} atoms"
    if len(counts):
        best = counts[[int(np.argmin(demand.deviation(counts)))]]
        concentrations, fractions = demand.found(best)
        contents = ", ".join(f"{n} {name}" for n, name in zip(best[0], demand.names, strict=True))
        asked = np.concatenate([demand.concentrations, demand.fractions])
        found = np.concatenate([concentrations[0], fractions[0]])
        worst = int(np.argmax(np.abs(found / asked - 1)))
        name = demand.names[worst]
        unit = ("mol/L" if demand.per_litre[worst] else "mol/kg") if worst < demand.n_salts else None
        what = f"{found[worst]:.3g} instead of {asked[worst]:.3g} " + (
            f"{unit} of {name}" if unit else f"as the mole fraction of {name} among the solvents"
        )
        problem = f"no whole molecules in {limits} come within 5 % of what is asked for; the closest, {contents}, "
        problem += f"have {what}"
    else:
        problem = f"{limits} do not hold a whole molecule of each of {', '.join(demand.names)} in this composition"
    sizes = _sizes_that_serve(demand, n_atoms)
    if not sizes:
        advice = "No size that was searched serves: change the composition"
    elif len(sizes) == 1:
        advice = f"The nearest n_atoms that serves is {sizes[0]}: take it"
    else:
        advice = f"The nearest n_atoms that serve are {sizes[0]} and {sizes[1]}: take one of them"
    return f"n_atoms {n_atoms}: {problem}. {advice}, or give species with counts of your own"


def _sizes_that_serve(demand: Demand, n_atoms: int) -> list[int]:
    """Numbers of atoms, the nearest below and the nearest above, of boxes within 5 % of the composition."""
    sizes = []
    below = _within(demand, 0, n_atoms)
    if len(below):
        sizes.append(int(below.max()))
    shares = demand.per_solvent_molecule()
    smallest = float(shares @ demand.atoms / shares.min())  # one molecule of the rarest component
    for factor in SEARCHED:
        above = _within(demand, n_atoms, factor * max(n_atoms, smallest))
        if len(above):
            return [*sizes, int(above.min())]
    return sizes


def _within(demand: Demand, least_atoms: float, most_atoms: float) -> np.ndarray:
    counts = _candidates(demand, least_atoms, most_atoms)
    counts = counts[demand.deviation(counts) <= LARGEST_DEVIATION] if len(counts) else counts
    return counts @ demand.atoms
