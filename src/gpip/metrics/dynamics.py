"""Diffusion in an ML-driven run, against the reference."""

from typing import Any

import numpy as np
from ase.data import atomic_numbers

from gpip.core.errors import InputError, unknown_name
from gpip.metrics.diffusion import (
    PUBLISHED_LAG_PS,
    atom_groups,
    diffusivity_at_lag,
    finite_size_correction,
    fitted_diffusivity,
    lag_window,
    msd_of_element,
)
from gpip.metrics.entries import SLOPE_ERROR, Entry, absent, difference, entry, over_replicas
from gpip.metrics.files import MLMDRun
from gpip.metrics.reference import Reference, reference_msd

UNIT = "1e-9 m²/s"
DIFFUSIVE_AFTER_PS = 5.0
"""Water at 300 K leaves its cage within a few ps; slopes at shorter lags are no diffusion coefficients."""


FEW_ATOMS = 20
"""With so many, the published form of the drift takes 5 % from D; with fewer, more, which its note then says."""


def replica_msds(run: MLMDRun, n_frames: list[int], element: str, published: bool = False) -> list[np.ndarray]:
    """MSD [n_frames, n_atoms] of the diffusing element over the first frames of each replica: see `msd_of_element`."""
    if element not in atomic_numbers:
        raise unknown_name("metrics.diffusing_element", element, atomic_numbers)
    number = atomic_numbers[element]
    if number not in run.species:
        raise InputError(f"metrics.diffusing_element {element!r} is not in {run.path}")
    return [
        msd_of_element(run.positions(replica)[:n], run.species, number, published)
        for replica, n in enumerate(n_frames)
        if min(n, run.n_held(replica)) >= 2
    ]


def published_diffusivity(msds: list[np.ndarray], step_ps: float, reference: Reference, element: str) -> dict:
    """MSD/(6t) at one lag: 100 ps, or the longest there is; reference at the same lag where it reaches it."""
    name = "diffusivity_published"
    no_reference = _no_reference(reference)
    if not msds:
        reason = "no replica has two stable frames"
        return {name: absent(UNIT, reason), f"{name}_error": absent(UNIT, reason)}
    lags = [min(round(PUBLISHED_LAG_PS / step_ps), len(msd) - 1) for msd in msds]
    values = [diffusivity_at_lag(msd.mean(axis=1), lag, step_ps) for msd, lag in zip(msds, lags, strict=True)]
    lag_ps = max(lags) * step_ps
    note = f"MSD/(6t) at t = {lag_ps:g} ps"
    if lag_ps < PUBLISHED_LAG_PS - step_ps:
        note += f", the longest there is ({PUBLISHED_LAG_PS:g} ps is published)"
    if min(lags) < max(lags):
        note += f"; down to {min(lags) * step_ps:g} ps for the replica that was stable for the shortest time"
    n_atoms = msds[0].shape[1]
    note += f"; relative to the centre of the {element} atoms as published"
    if n_atoms <= FEW_ATOMS:
        note += f", which takes about 1/{n_atoms} from D"
    measured = over_replicas(values, UNIT, note)
    if no_reference:
        expected = absent(UNIT, no_reference)
    else:
        msd = reference_msd(reference, atomic_numbers[element], published=True)
        step = reference.time_step_fs / 1000
        lag = max(1, min(round(lag_ps / step), len(msd) - 1))
        value = diffusivity_at_lag(msd.mean(axis=1), lag, step)
        reason = "one trajectory at one lag has no spread"
        expected = entry(value, None, UNIT, 1, reason, f"MSD/(6t) at t = {lag * step:g} ps")
    return {name: measured, f"{name}_reference": expected, f"{name}_error": difference(measured, expected)}


def fitted_entries(
    msds: list[np.ndarray], run: MLMDRun, reference: Reference, settings: Any, viscosity_pa_s: float | None
) -> dict[str, Entry]:
    """D from the slope of the MSD in a window of lags and corrected for the finite box."""
    name = "diffusivity_fit"
    duration_ps = (len(run.time_fs) - 1) * run.step_ps
    window = settings.msd_fit_ps or (0.1 * duration_ps, 0.5 * duration_ps)
    expected = _fitted_reference(reference, settings.diffusing_element, tuple(window))
    try:
        lag_window(len(run.time_fs), run.step_ps, window)
    except InputError as error:
        if settings.msd_fit_ps:
            raise
        measured = absent(UNIT, f"the run is too short: {error}")
        return _with_reference(name, measured, expected) | {"diffusivity_finite_size": measured}
    long_enough = [msd for msd in msds if (len(msd) - 1) * run.step_ps >= window[1] - 1e-6]
    if not long_enough:
        longest = max((len(msd) - 1) * run.step_ps for msd in msds) if msds else 0
        measured = absent(UNIT, f"no replica was stable for {window[1]:g} ps; the longest {longest:g} ps")
        return _with_reference(name, measured, expected) | {"diffusivity_finite_size": measured}
    slope = fitted_diffusivity(long_enough, run.step_ps, window)
    note = f"slope of the MSD from {window[0]:g} to {window[1]:g} ps, "
    note += f"{len(long_enough)} of {run.n_replicas} replicas"
    if window[1] < DIFFUSIVE_AFTER_PS:
        note += "; too short a time for true diffusion: compare with the reference at the same lags only"
    measured = entry(slope.value, slope.uncertainty, UNIT, len(long_enough), SLOPE_ERROR, note)
    corrected = _corrected(measured, run, viscosity_pa_s)
    return _with_reference(name, measured, expected) | {"diffusivity_finite_size": corrected}


def msd_rows(msds: list[np.ndarray], step_ps: float, reference: Reference, element: str) -> list[tuple]:
    """Rows of msd.csv: mean over replicas and its standard error from groups of atoms, at most 500 lags."""
    rows = _msd_rows(msds, step_ps, "run")
    if not _no_reference(reference):
        rows += _msd_rows(
            [reference_msd(reference, atomic_numbers[element])], reference.time_step_fs / 1000, "reference"
        )
    return rows


def _msd_rows(msds: list[np.ndarray], step_ps: float, series: str) -> list[tuple]:
    rows = []
    longest = max((len(msd) for msd in msds), default=0)
    for lag in range(0, longest, max(1, longest // 500)):
        groups = np.array([group[lag] for msd in msds if len(msd) > lag for group in atom_groups(msd[: lag + 1])])
        mean = np.mean([msd[lag].mean() for msd in msds if len(msd) > lag])
        spread = groups.std(ddof=1) / np.sqrt(len(groups)) if len(groups) > 1 else None
        words = "none" if spread is None else f"{spread:.6g}"
        rows.append((f"{lag * step_ps:.6g}", f"{mean:.6g}", words, series))
    return rows


def _no_reference(reference: Reference) -> str:
    if reference.time_step_fs is None:
        return f"{reference.description} are not a trajectory in time, so they have no diffusivity"
    if len(reference.positions) < 2:
        return f"{reference.description} hold a single frame, so they have no diffusivity"
    return ""


def _fitted_reference(reference: Reference, element: str, window: tuple[float, float]) -> Entry:
    if reason := _no_reference(reference):
        return absent(UNIT, reason)
    msd, step = reference_msd(reference, atomic_numbers[element]), reference.time_step_fs / 1000
    note = ""
    try:
        lag_window(len(msd), step, window)
    except InputError:
        window = (0.1 * (len(msd) - 1) * step, 0.5 * (len(msd) - 1) * step)
        note = "; the reference is too short or too coarse in time for the lags of the run"
        try:
            lag_window(len(msd), step, window)
        except InputError as error:
            return absent(UNIT, f"{reference.description}: {error}")
    slope = fitted_diffusivity([msd], step, window)
    note = f"slope of the MSD from {window[0]:g} to {window[1]:g} ps{note}"
    return entry(slope.value, slope.uncertainty, UNIT, 1, "standard error, from groups of atoms", note)


def _with_reference(name: str, measured: Entry, expected: Entry) -> dict[str, Entry]:
    return {name: measured, f"{name}_reference": expected, f"{name}_error": difference(measured, expected)}


def _corrected(measured: Entry, run: MLMDRun, viscosity_pa_s: float | None) -> Entry:
    if viscosity_pa_s is None:
        return absent(UNIT, "the finite-size correction needs a viscosity, and none was given")
    try:
        shift = finite_size_correction(run.target_temperature_kelvin, run.cell[0], viscosity_pa_s)
    except InputError as error:
        return absent(UNIT, str(error))
    note = f"{measured['note']}; {shift:.3f} added (Yeh-Hummer, {viscosity_pa_s * 1e3:g} mPa s)"
    return measured | {"value": measured["value"] + shift, "note": note}
