"""Reference energies of the elements: anchored on isolated atoms, corrected by what the compositions determine.

Total energies of frames determine an energy per element only as far as their compositions differ: frames of water fix
2 e(H) + e(O) and nothing else. The rest is taken from isolated atoms, the anchors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.formula import Formula
from scipy.optimize import nnls

from gpip.core.errors import InputError
from gpip.core.files import read_json, write_json
from gpip.core.species import N_SPECIES

MAX_SHARE_EV_PER_ATOM = 15.0
"""Labels that are further from their isolated atoms have another level of theory: N2 is bound by 5 eV per atom."""
SHOWN = 3


@dataclass(frozen=True)
class Anchors:
    """Energies of isolated atoms at the level of theory of the labels; none where they are not known."""

    energies_ev: Mapping[str, float] = field(default_factory=dict)
    """By symbol of the element."""
    source: str | None = None
    """Where they come from, in words; None without anchors."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "energies_ev", dict(self.energies_ev))

    @property
    def array(self) -> np.ndarray:
        """[95] eV by atomic number, zero for the elements that are not there."""
        energies = np.zeros(N_SPECIES)
        for symbol, energy in self.energies_ev.items():
            energies[atomic_numbers[symbol]] = energy
        return energies

    def check_elements(self, numbers: Iterable[int], where: str) -> None:
        """Raise InputError for elements among the atomic numbers that have no anchor, where there are any anchors."""
        missing = [s for s in symbols_of(numbers) if s not in self.energies_ev] if self.energies_ev else []
        if missing:
            raise InputError(
                f"{where}: no energy of an isolated atom for {', '.join(missing)} ({self.source} has "
                f"{', '.join(self.energies_ev)}): give reference_energies for all elements, or fitted"
            )


def write_anchors(path: str | Path, anchors: Anchors, provenance: Mapping[str, Any]) -> None:
    """Write anchors as JSON."""
    record = {"energies_ev": dict(anchors.energies_ev), "source": anchors.source}
    write_json(path, record | {"provenance": provenance})


def read_anchors(path: str | Path | None) -> Anchors:
    """Read what `write_anchors` wrote; without a path there are none."""
    if path is None:
        return Anchors()
    record = read_json(path)
    return Anchors(record["energies_ev"], record["source"])


@dataclass(frozen=True, eq=False)
class Compositions:
    """The distinct compositions of a set of frames, each divided by its common factor: 64 H2O are H2O."""

    elements: tuple[int, ...]
    """Atomic numbers, ascending."""
    counts: np.ndarray
    """[n_compositions, n_elements]."""

    @classmethod
    def of(cls, species: Iterable[np.ndarray]) -> "Compositions":
        """Those of frames given by the atomic numbers of their atoms."""
        counts = np.unique(_counts(species), axis=0)
        present = counts.any(axis=0)
        counts = counts[:, present] // np.gcd.reduce(counts[:, present], axis=1, keepdims=True)
        return cls(tuple(int(z) for z in np.flatnonzero(present)), np.unique(counts, axis=0))

    @cached_property
    def undetermined(self) -> list[dict[str, int]]:
        """Independent changes of the reference energies, by symbol, that change no energy of these compositions.

        Exact: the null space of the counts over the integers.
        """
        from sympy import Matrix, ilcm  # slow to import, and only needed here

        changes = []
        for vector in Matrix((self.counts.T.astype(object) @ self.counts.astype(object)).tolist()).nullspace():
            whole = [int(value * ilcm(1, *(value.q for value in vector))) for value in vector]
            by_symbol = zip(symbols_of(self.elements), whole, strict=True)
            changes.append({symbol: change for symbol, change in by_symbol if change})
        return changes

    @property
    def rank(self) -> int:
        """How many independent combinations of reference energies are determined."""
        return len(self.elements) - len(self.undetermined)

    @property
    def formulas(self) -> str:
        """The compositions in words; the first of many."""
        first = [formula_of(np.repeat(self.elements, row)) for row in self.counts[:SHOWN]]
        more = len(self.counts) - len(first)
        return ", ".join(first) + (f" and {more} more" if more else "")

    def determines(self, numbers: np.ndarray) -> bool:
        """Whether the sum of the reference energies of these atoms is the same for every choice of the undetermined."""
        counts = dict(zip(*np.unique(numbers, return_counts=True), strict=True))
        if set(counts) - set(self.elements):
            return False
        return not any(
            sum(change * int(counts.get(atomic_numbers[symbol], 0)) for symbol, change in one.items())
            for one in self.undetermined
        )

    def cover(self, numbers: np.ndarray) -> bool:
        """Whether these atoms are a mixture of the compositions: a sum of them with factors of zero or more."""
        if not self.determines(numbers):
            return False
        wanted = _counts([numbers])[0, list(self.elements)].astype(float)
        wanted /= wanted.sum()
        per_atom = self.counts / self.counts.sum(axis=1, keepdims=True)
        return nnls(per_atom.T, wanted)[1] < 1e-6


@dataclass(frozen=True)
class Reference:
    """What the reference energies of a potential rest on."""

    compositions: Compositions
    anchors: Anchors

    def to_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "elements": symbols_of(self.compositions.elements),
            "compositions": self.compositions.counts.tolist(),
            "anchors_ev": dict(self.anchors.energies_ev),
            "anchors_source": self.anchors.source,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Reference":
        """From what `to_record` gave."""
        numbers = tuple(atomic_numbers[symbol] for symbol in record["elements"])
        compositions = Compositions(numbers, np.array(record["compositions"], dtype=int).reshape(-1, len(numbers)))
        return cls(compositions, Anchors(record["anchors_ev"], record["anchors_source"]))

    @property
    def summary(self) -> str:
        """How far the compositions determine the reference energies, and what the rest rests on."""
        n_elements = len(self.compositions.elements)
        rank = self.compositions.rank
        if rank == n_elements:
            return f"determined by the training compositions ({self.compositions.formulas})"
        fixed = (
            f"the training compositions ({self.compositions.formulas}) determine {rank} of {n_elements} independent "
            f"combinations; adding {self._changes} changes no training energy"
        )
        return f"{fixed}; {self._rest}"

    @property
    def _changes(self) -> str:
        """The undetermined changes in words, in eV."""
        changes = self.compositions.undetermined
        words = [
            ", ".join(f"{change:+d} eV to each {symbol}" for symbol, change in one.items()) for one in changes[:SHOWN]
        ]
        more = len(changes) - len(words)
        return ", or ".join(words) + (f", or {more} others," if more else "")

    @property
    def _rest(self) -> str:
        if self.anchors.source is None:
            return "the rest is an equal share per atom without physical meaning (no isolated atoms are known)"
        return f"the rest is anchored on isolated atoms ({self.anchors.source}) plus an equal share per atom"

    def doubt_about(self, numbers: np.ndarray) -> str | None:
        """Why the total energy of these atoms is uncertain; None where it is not.

        Elements that were not in training are not judged here.
        """
        numbers = np.asarray(numbers)
        if set(numbers.tolist()) - set(self.compositions.elements) or self.compositions.cover(numbers):
            return None
        formula, trained = formula_of(numbers), self.compositions.formulas
        if self.compositions.determines(numbers):
            return (
                f"composition {formula} is no mixture of the compositions that the potential was trained on "
                f"({trained}): its energies are extrapolated"
            )
        if self.anchors.source is None:
            trust = "energies relative to other compositions are arbitrary and can be off by tens of eV"
        else:
            trust = (
                f"energies relative to other compositions rest on isolated atoms ({self.anchors.source}) plus an equal "
                "share of the binding energy per atom, and can be off by several eV"
            )
        return (
            f"the energy of composition {formula} is not determined by the compositions that the potential was "
            f"trained on ({trained}): {trust}; label configurations of this composition and fine-tune on them"
        )


def fit_reference_energies(
    species: Sequence[np.ndarray], energies: np.ndarray, anchors: np.ndarray | None = None
) -> np.ndarray:
    """Energy per element, [95] eV by atomic number: least squares of E = Σ_i e(Z_i), zero for absent elements.

    With e = a + d, where a are the anchors, d solves the least-squares problem, and of all solutions it is the one with
    the smallest sum of d² over the atoms of all frames. A single composition thus adds the same share to each atom;
    compositions of full rank give the ordinary least-squares fit, whatever the anchors.

    Args:
        species: atomic numbers of the atoms of each frame.
        energies: [n_frames], eV.
        anchors: [95] eV, energies of isolated atoms; zero without.
    """
    counts = _counts(species).astype(float)
    present = counts.any(axis=0)
    start = np.zeros(N_SPECIES) if anchors is None else np.where(present, anchors, 0.0)
    weights = np.sqrt(counts[:, present].sum(axis=0))
    remainder = np.asarray(energies, dtype=float) - counts @ start
    fitted = start.copy()
    fitted[present] += np.linalg.lstsq(counts[:, present] / weights, remainder, rcond=None)[0] / weights
    return fitted


def check_anchors(species: Sequence[np.ndarray], energies: np.ndarray, anchors: Anchors, where: str) -> None:
    """Raise InputError where an element has no anchor, or labels are too far from their isolated atoms to be bound."""
    if not anchors.energies_ev:
        return
    counts = _counts(species)
    anchors.check_elements(np.flatnonzero(counts.any(axis=0)), where)
    share = float(np.median((np.asarray(energies) - counts @ anchors.array) / counts.sum(axis=1)))
    if abs(share) > MAX_SHARE_EV_PER_ATOM:
        raise InputError(
            f"{where}: energies are {share:.1f} eV per atom from those of isolated atoms ({anchors.source}), more than "
            f"the {MAX_SHARE_EV_PER_ATOM:g} eV that bonds could explain. The labels have another level of theory, "
            "pseudopotentials or a shifted zero: give the energies of isolated atoms at their own level as "
            "reference_energies, or reference_energies: fitted"
        )


def symbols_of(numbers: Iterable[int]) -> list[str]:
    """Symbols of atomic numbers."""
    return [chemical_symbols[int(z)] for z in numbers]


def formula_of(numbers: np.ndarray) -> str:
    """Empirical formula in Hill order, without the common factor."""
    found, counts = np.unique(numbers, return_counts=True)
    reduced = (counts // np.gcd.reduce(counts)).tolist()
    return Formula.from_dict(dict(zip(symbols_of(found), reduced, strict=True))).format("hill")


def _counts(species: Iterable[np.ndarray]) -> np.ndarray:
    """[n_frames, 95] int."""
    return np.stack([np.bincount(atoms, minlength=N_SPECIES) for atoms in species])
