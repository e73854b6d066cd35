"""Numbers as text: rounded to their uncertainty, and words where there is none."""

import math
from collections.abc import Sequence

import numpy as np


def no_number(reason: str) -> str:
    """What a table shows in place of a number."""
    return f"– ({reason})"


def in_brackets(reason: str) -> str:
    """What follows a number that has no uncertainty; empty where it has one."""
    return f" ({reason})" if reason else ""


def rounded(value: float, uncertainty: float | None = None, digits: int = 4) -> str:
    """A number to the first digit of its uncertainty, to the second where that starts with 1 or 2.

    Never to more than so many digits: the spread of two or three values may be small by chance.
    """
    if uncertainty is not None and uncertainty > 0 and math.isfinite(uncertainty):
        first_digit = -math.floor(math.log10(uncertainty))
        decimals = first_digit + (round(uncertainty, first_digit + 1) < 3 * 10.0**-first_digit)
        if value:
            decimals = min(decimals, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{round(value, decimals):.{max(decimals, 0)}f}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):.{max(decimals, 0)}f}" if abs(value) > 1e-3 else f"{value:.{digits}g}"


def plus_minus(value: float, uncertainty: float | None, digits: int = 4) -> str:
    """Such as "12.3 ± 1.1"; the number alone where the uncertainty is unknown or zero."""
    if uncertainty is None or not uncertainty > 0:
        return rounded(value, digits=digits)
    shown = rounded(value, uncertainty, digits)
    decimals = len(shown.partition(".")[2])
    if not decimals:
        return f"{shown} ± {rounded(uncertainty, uncertainty)}"
    return f"{shown} ± {max(uncertainty, 10.0**-decimals):.{decimals}f}"


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation; None for the spread of a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
