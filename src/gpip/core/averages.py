"""Mean of a correlated series, its standard error, and whether it drifts."""

from typing import NamedTuple

import numpy as np


class Average(NamedTuple):
    """Of one series."""

    mean: float
    standard_error: float
    statistical_inefficiency: float
    """How many samples are worth one independent sample."""
    n_independent: float


class Drift(NamedTuple):
    """Change from the first to the last sample on the straight line through them, in the unit of the series."""

    change: float
    standard_error: float


def statistical_inefficiency(series: np.ndarray) -> float:
    """g = 1 + 2 Σ (1 - t/n) C(t), summed up to the first C(t) that is not positive; at least 1.

    Chodera et al., J. Chem. Theory Comput. 3, 26 (2007), Eqs. 20-25.

    Args:
        series: [n], equally spaced in time.
    """
    n = len(series)
    fluctuation = series - np.mean(series)
    padded = np.fft.rfft(fluctuation, 2 * n)
    products = np.fft.irfft(np.abs(padded) ** 2, 2 * n)[:n]
    if n < 2 or products[0] <= 0:
        return 1.0
    # C(t) = products / (n - t) / variance, so that each term of the sum is products / (n variance).
    not_positive = np.flatnonzero(products[1:] <= 0)
    last = not_positive[0] if len(not_positive) else n - 1
    return float(max(1.0, 1 + 2 * products[1 : last + 1].sum() / products[0]))


def average(series: np.ndarray) -> Average:
    """Mean [1] of a series [n], with the standard error of its correlated samples."""
    inefficiency = statistical_inefficiency(series)
    n_independent = len(series) / inefficiency
    error = np.std(series) / np.sqrt(max(n_independent - 1, 1))
    return Average(float(np.mean(series)), float(error), inefficiency, n_independent)


def drift(series: np.ndarray) -> Drift:
    """Least-squares line through a series [n]; the error counts the samples that are independent about the line."""
    time = np.linspace(-0.5, 0.5, len(series))
    change = time @ series / (time @ time)
    residual = series - np.mean(series) - change * time
    inefficiency = statistical_inefficiency(residual)
    n_free = max(len(series) / inefficiency - 2, 1)
    error = np.sqrt(residual @ residual / len(series) / n_free / np.mean(time**2))
    return Drift(float(change), float(error))
