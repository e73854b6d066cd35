"""Mean of a correlated series, its standard error, and whether it drifts."""

import logging
from typing import NamedTuple

import numpy as np

N_INDEPENDENT_NEEDED = 20
"""A series worth fewer independent samples gets no standard error. A shorter series also hides how strongly it is
correlated: for autoregressive series worth 8 independent samples, the estimates of the error that pass a limit of 10
are 0.7 of the true error, and two thirds of the series pass; one tenth passes a limit of 20."""


class Average(NamedTuple):
    """Of one series."""

    mean: float
    standard_error: float | None
    """None where the series is too short for an error."""
    statistical_inefficiency: float
    """How many samples are worth one independent sample."""
    n_independent: float
    reason: str
    """Why there is no standard error; empty where there is one."""


class Drift(NamedTuple):
    """Change from the first to the last sample on the straight line through them, in the unit of the series."""

    change: float
    standard_error: float


def statistical_inefficiency(series: np.ndarray) -> float:
    """g = 1 + 2 Σ (1 - t/n) C(t) by pymbar, summed up to the first C(t) behind lag 3 that is not positive; at least 1.

    Chodera et al., J. Chem. Theory Comput. 3, 26 (2007), Eqs. 20-25.

    Args:
        series: [n], equally spaced in time.
    """
    # At its import pymbar logs advice for all of its users, such as to install JAX.
    logging.getLogger("pymbar").setLevel(logging.ERROR)
    from pymbar.timeseries import statistical_inefficiency as of_pymbar

    series = np.asarray(series, float)
    # pymbar refuses a series without variance.
    return 1.0 if len(series) < 2 or np.ptp(series) == 0 else float(of_pymbar(series))


def average(series: np.ndarray) -> Average:
    """Mean of a series [n], with the standard error of its correlated samples.

    A series worth fewer than N_INDEPENDENT_NEEDED independent samples, or without any fluctuation, has no standard
    error but a `reason`.
    """
    inefficiency = statistical_inefficiency(series)
    n_independent = len(series) / inefficiency
    error, reason = None, ""
    if n_independent < N_INDEPENDENT_NEEDED:
        reason = f"too short for an error: {n_independent:.1f} independent samples, {N_INDEPENDENT_NEEDED} needed"
    elif np.ptp(series) == 0:
        reason = "no error: all values are the same"
    else:
        error = float(np.std(series) / np.sqrt(n_independent - 1))
    return Average(float(np.mean(series)), error, inefficiency, n_independent, reason)


def drift(series: np.ndarray) -> Drift:
    """Least-squares line through a series [n]; the error counts the samples that are independent about the line."""
    time = np.linspace(-0.5, 0.5, len(series))
    change = time @ series / (time @ time)
    residual = series - np.mean(series) - change * time
    inefficiency = statistical_inefficiency(residual)
    n_free = max(len(series) / inefficiency - 2, 1)
    error = np.sqrt(residual @ residual / len(series) / n_free / np.mean(time**2))
    return Drift(float(change), float(error))
