"""One measured number as `metrics.json` holds it: value, uncertainty, unit, how many samples, and words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

OVER_REPLICAS = "standard deviation over replicas"
STANDARD_ERROR = "standard error, from blocks in time of all replicas"
SLOPE_ERROR = "standard error, from replicas or groups of atoms, whichever is larger"

Entry = dict[str, Any]


def entry(value: float, uncertainty: float | None, unit: str, n: int, uncertainty_is: str, note: str = "") -> Entry:
    """A number. `uncertainty` is None, with the reason in `uncertainty_is`, where there is no spread."""
    known = uncertainty is not None and np.isfinite(uncertainty)
    return {
        "value": float(value),
        "uncertainty": float(uncertainty) if known else None,
        "unit": unit,
        "n": int(n),
        "uncertainty_is": uncertainty_is,
        "note": note,
    }


def over_replicas(values: Sequence[float], unit: str, note: str = "") -> Entry:
    """Mean and standard deviation over replicas, as the papers print them."""
    if len(values) == 1:
        return entry(values[0], None, unit, 1, "one replica has no spread", note)
    return entry(np.mean(values), np.std(values, ddof=1), unit, len(values), OVER_REPLICAS, note)


def absent(unit: str, reason: str) -> Entry:
    """No number, and why."""
    return {
        "value": None,
        "uncertainty": None,
        "unit": unit,
        "n": 0,
        "uncertainty_is": reason,
        "note": reason,
    }


def difference(measured: Entry, reference: Entry, note: str = "") -> Entry:
    """|measured - reference|, the uncertainties added in quadrature; absent where one of the two is."""
    for part in (measured, reference):
        if part["value"] is None:
            return absent(measured["unit"], part["note"])
    spreads = [part["uncertainty"] for part in (measured, reference) if part["uncertainty"] is not None]
    return entry(
        abs(measured["value"] - reference["value"]),
        np.sqrt(np.sum(np.square(spreads))) if spreads else None,
        measured["unit"],
        measured["n"],
        measured["uncertainty_is"] + ("; with that of the reference" if len(spreads) == 2 else ""),
        note,
    )
