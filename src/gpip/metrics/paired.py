"""Are errors of one network lower than those of another: ratios of paired runs, with an interval of their mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
FEWEST_PAIRS = 3
"""For an interval. Student's t with two pairs has one degree of freedom: its interval is 12.7 standard errors wide
on each side, and shows nothing that could be used."""

Verdict = Literal["lower", "higher", "no difference shown", "too few pairs"]


@dataclass(frozen=True)
class PairedRatio:
    """Ratios of two positive quantities, measured in pairs."""

    ratios: tuple[float, ...]
    mean: float
    """Geometric, so that twice and half as large cancel."""
    interval: tuple[float, float] | None
    """95 % interval of the mean; None below three pairs."""

    @property
    def verdict(self) -> Verdict:
        """What is shown at 95 % confidence: without an effect, one comparison in twenty still shows a difference."""
        if self.interval is None:
            return "too few pairs"
        low, high = self.interval
        if low <= 1 <= high:
            return "no difference shown"
        return "lower" if high < 1 else "higher"

    @property
    def agree(self) -> bool:
        """Whether all pairs are on one side of 1."""
        return all(ratio < 1 for ratio in self.ratios) or all(ratio > 1 for ratio in self.ratios)


@cache
def _quantile(degrees_of_freedom: int) -> float:
    """Of Student's t, for a two-sided interval."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees_of_freedom))


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> PairedRatio:
    """Ratio ours/theirs of paired runs, one pair for each seed.

    The logarithms of the ratios are taken as normally distributed: the interval is Student's t, mean ± t s/√n with
    n - 1 degrees of freedom, raised back.

    Args:
        ours, theirs: errors of the two networks, in the order of the pairs; positive.

    Raises:
        ValueError: no pair, not as many of one as of the other, or an error that is not positive.
    """
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    if ours.shape != theirs.shape or not ours.size:
        raise ValueError(f"pairs of errors are needed, got {ours.size} and {theirs.size}")
    if not (np.isfinite([ours, theirs]).all() and (ours > 0).all() and (theirs > 0).all()):
        raise ValueError("errors must be positive and finite to form a ratio")
    logs = np.log(ours / theirs)
    n, mean, interval = len(logs), float(logs.mean()), None
    if n >= FEWEST_PAIRS:
        half = _quantile(n - 1) * float(logs.std(ddof=1)) / n**0.5
        interval = (float(np.exp(mean - half)), float(np.exp(mean + half)))
    return PairedRatio(tuple(map(float, ours / theirs)), float(np.exp(mean)), interval)
