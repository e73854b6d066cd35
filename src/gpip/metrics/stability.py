"""How long a run stays physical: bulk liquids by g(r) in a sliding window, molecules by their bonds."""

from typing import NamedTuple

import numpy as np

from gpip.metrics.molecules import minimum_image
from gpip.metrics.rdf import Kind, PairCounts

BOND_TOLERANCE_ANGSTROM = 0.5


class Stability(NamedTuple):
    """Until when one replica was stable."""

    time_ps: float
    censored: bool
    """True when it was stable to the end: the true time is at least `time_ps`."""
    reason: str
    n_stable: int
    """Chunks (bulk) or frames (molecules) before that time."""


def window_deviations(counts: PairCounts, g_reference: np.ndarray, n_chunks: int, kind: Kind = "all") -> np.ndarray:
    """∫|g_window - g_ref| dr of every window of `n_chunks` chunks, [n_windows, n_pairs], angstrom."""
    width = counts.edges[-1] / (len(counts.edges) - 1)
    windows = [counts.select(slice(start, start + n_chunks)) for start in range(len(counts) - n_chunks + 1)]
    return np.stack([np.abs(window.g(kind) - g_reference).sum(axis=1) * width for window in windows])


def bulk_stability(
    counts: PairCounts,
    g_reference: np.ndarray,
    chunk_ps: float,
    held_ps: float,
    stop_reason: str = "",
    window_ps: float = 1.0,
    threshold_angstrom: float = 3.0,
    kind: Kind = "all",
) -> Stability:
    """Stability of one replica (Fu et al., TMLR 2023): start of the first window that is off for any pair.

    Args:
        counts: of the frames before the run became unstable, if it did; windows move by one chunk of `chunk_ps`.
        g_reference: [n_pairs, n_bins].
        held_ps: time to the end of the run, or until the dynamics stopped it.
        stop_reason: why the dynamics stopped it; empty when it ran to the end.
        kind: "all" is published; "intermolecular" leaves out the narrow peaks of the bonds, which another
            reference model alone can push over the threshold.
    """
    n_window = min(max(1, round(window_ps / chunk_ps)), len(counts))
    deviations = window_deviations(counts, g_reference, n_window, kind)
    bad = np.flatnonzero((deviations > threshold_angstrom).any(axis=1))
    if len(bad):
        start = int(bad[0])
        pair = int(deviations[start].argmax())
        deviation = deviations[start, pair]
        reason = f"g(r) of {counts.pairs[pair]} is off by {deviation:.1f} Å from {start * chunk_ps:g} ps"
        return Stability(min(start * chunk_ps, held_ps), False, reason, start)
    return Stability(held_ps, not stop_reason, stop_reason or "stable to the end", len(counts))


def bond_stability(
    positions: np.ndarray,
    cell: np.ndarray,
    bonds: np.ndarray,
    reference_lengths: np.ndarray,
    step_ps: float,
    held_ps: float,
    stop_reason: str = "",
    tolerance_angstrom: float = BOND_TOLERANCE_ANGSTROM,
) -> Stability:
    """Stability of one replica [n_frames, n_atoms, 3]: first frame with a bond off its reference length."""
    stretch = np.abs(bond_lengths(positions, cell, bonds) - reference_lengths)
    bad = np.flatnonzero((stretch > tolerance_angstrom).any(axis=1))
    if len(bad):
        start = int(bad[0])
        first, second = bonds[stretch[start].argmax()]
        reason = f"bond of atoms {first} and {second} is off by {stretch[start].max():.2f} Å"
        return Stability(start * step_ps, False, reason, start)
    return Stability(held_ps, not stop_reason, stop_reason or "stable to the end", len(positions))


def bond_lengths(positions: np.ndarray, cell: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """[n_frames, n_bonds] of positions [n_frames, n_atoms, 3]."""
    vectors = positions[:, bonds[:, 1]] - positions[:, bonds[:, 0]]
    return np.linalg.norm(minimum_image(np.asarray(vectors, float), cell), axis=2)
