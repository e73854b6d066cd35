"""Radial distributions between chosen atoms of a solution, and coordination numbers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.spatial import cKDTree

from gpip.core.averages import N_INDEPENDENT_NEEDED, average
from gpip.core.errors import InputError
from gpip.metrics.rdf import PairCounts, jackknife
from gpip.metrics.sites import SitePair

R_MAX_ANGSTROM = 10.0
BIN_ANGSTROM = 0.05
SMOOTHING_ANGSTROM = 0.08
"""Standard deviation of the Gaussian that g is smoothed with before its peaks are sought."""
N_BLOCKS = 10
"""Parts of a run, whose spread gives the standard errors of g."""
STANDS_OUT = 0.1
"""What a peak rises above its surroundings, or a minimum lies below them, at least."""
STANDARD_ERRORS = 5.0
"""... and so many times its standard error."""
TOO_SHORT = f"too short for an error of the coordination number: fewer than {N_INDEPENDENT_NEEDED} independent frames"
HOW_FOUND = (
    f"The first shell ends at the first minimum of g behind its first peak above 1. g is smoothed with a Gaussian of "
    f"{SMOOTHING_ANGSTROM:g} Å for the search; peak and minimum must stand out by {STANDS_OUT:g} and by "
    f"{STANDARD_ERRORS:g} standard errors."
)


class Shell(NamedTuple):
    """The first shell of neighbours; all but `reason` None where there is none."""

    peak_angstrom: float | None = None
    peak_g: float | None = None
    minimum_angstrom: float | None = None
    coordination: float | None = None
    """Mean number of neighbours up to the minimum."""
    coordination_error: float | None = None
    """Standard error of the correlated series of frames; None where the run is too short for it."""
    reason: str = ""
    """Why there is no shell, or no standard error."""


@dataclass(frozen=True)
class Distribution:
    """Neighbours of one pair of sites, by distance."""

    pair: SitePair
    counts: PairCounts
    """One pair of sites; a chunk is a block of frames."""
    n_centres: np.ndarray
    """[n_blocks], atoms of the first kind, summed over the frames of a block."""
    by_frame: np.ndarray
    """Neighbours by distance in each frame, [n_frames, n_bins]."""

    @property
    def g(self) -> np.ndarray:
        """[n_bins]; 1 for an ideal gas of the same composition."""
        return self.counts.g("intermolecular")[0]

    @property
    def g_error(self) -> np.ndarray | None:
        """Standard error of g, [n_bins]; None for a single block."""
        if len(self.counts) < 2:
            return None
        return jackknife(self.counts.blocks(len(self.counts)), lambda part: part.g("intermolecular")[0])

    @property
    def running(self) -> np.ndarray:
        """n(r): mean number of neighbours within the outer edge of each bin, [n_bins]."""
        return np.cumsum(self.counts.counts[:, 0, 0].sum(axis=0)) / self.n_centres.sum()

    def running_error(self, bin_index: int) -> float | None:
        """Standard error of `running` at one bin; None where the run is too short for it."""
        inside = self.by_frame[:, : bin_index + 1].sum(axis=1)
        if len(inside) >= N_INDEPENDENT_NEEDED and np.ptp(inside) == 0:
            return 0.0
        error = average(inside).standard_error
        return None if error is None else error * len(inside) / float(self.n_centres.sum())

    def first_shell(self) -> Shell:
        """Where the first shell ends, and how many neighbours it holds: see HOW_FOUND."""
        width = SMOOTHING_ANGSTROM / BIN_ANGSTROM
        smooth = gaussian_filter1d(self.g, width)
        if len(self.counts) < 2:
            return Shell(reason="a single frame tells no peak from noise")
        blocks = self.counts.blocks(len(self.counts))
        error = jackknife(blocks, lambda part: gaussian_filter1d(part.g("intermolecular")[0], width))
        least = np.maximum(STANDS_OUT, STANDARD_ERRORS * error)
        peaks, _ = find_peaks(smooth, height=1, prominence=least)
        if not len(peaks):
            return Shell(reason="g has no peak above 1 that stands out of its noise")
        peak = int(peaks[0])
        valleys, _ = find_peaks(-smooth, prominence=least)
        valleys = valleys[valleys > peak]
        # Nothing behind the peak at all: the curve has no rise that would end a minimum.
        last = len(smooth) - int(np.argmax(smooth[::-1] > STANDS_OUT / 2))
        ends = [int(valleys[0])] if len(valleys) else [last] if peak < last < len(smooth) else []
        found = float(self.counts.radii[peak]), float(self.g[peak])
        if not ends:
            reason = f"g has no minimum behind its first peak up to {self.counts.edges[-1]:.2f} Å"
            return Shell(*found, reason=reason)
        error = self.running_error(ends[0])
        return Shell(
            *found,
            float(self.counts.edges[ends[0] + 1]),
            float(self.running[ends[0]]),
            error,
            TOO_SHORT if error is None else "",
        )


def distributions(
    pairs: list[SitePair],
    molecule: np.ndarray,
    positions: np.ndarray,
    lengths: np.ndarray,
    r_max_angstrom: float = R_MAX_ANGSTROM,
) -> list[Distribution]:
    """Count the neighbours of each pair of sites in other molecules, never in the same one.

    Args:
        molecule: index of the molecule of each atom, [n_atoms].
        positions: [n_frames, n_atoms, 3], angstrom, wrapped or not.
        lengths: edges of the rectangular boxes, [n_frames, 3], angstrom.
        r_max_angstrom: half the smallest box edge is taken where that is less.

    Raises:
        InputError: no frames.
    """
    n_frames = len(positions)
    if not n_frames:
        raise InputError("radial distribution: no frames given")
    r_max = min(r_max_angstrom, float(lengths.min()) / 2)
    edges = BIN_ANGSTROM * np.arange(int(r_max / BIN_ANGSTROM + 1e-6) + 1)
    blocks = np.arange(n_frames) * min(N_BLOCKS, n_frames) // n_frames
    sites = {site: np.array(site.atoms) for pair in pairs for site in (pair.first, pair.second)}
    by_frame = np.zeros((len(pairs), n_frames, len(edges) - 1), np.int32)
    for frame in range(n_frames):
        box = lengths[frame]
        wrapped = {site: _wrapped(positions[frame, atoms], box) for site, atoms in sites.items()}
        trees = {site: cKDTree(points, boxsize=box) for site, points in wrapped.items()}
        for index, pair in enumerate(pairs):
            by_frame[index, frame] = _histogram(pair, sites, trees, molecule, edges)
    counts = np.add.reduceat(by_frame, np.flatnonzero(np.diff(blocks, prepend=-1)), axis=1, dtype=np.int64)
    inverse_volume = np.bincount(blocks, 1 / lengths.prod(axis=1))
    n_in_block = np.bincount(blocks)
    rows = []
    for pair, found, frames in zip(pairs, counts, by_frame, strict=True):
        first, second = sites[pair.first], sites[pair.second]
        n_atom_pairs = int((molecule[first][:, None] != molecule[second]).sum())
        both = np.zeros((len(found), 1, 2, len(edges) - 1), np.int64)
        both[:, 0, 0] = found
        shape = PairCounts(edges, (pair.name,), both, np.array([[n_atom_pairs, 0]]), inverse_volume)
        rows.append(Distribution(pair, shape, len(first) * n_in_block, frames))
    return rows


def _histogram(pair: SitePair, sites: dict, trees: dict, molecule: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Ordered pairs of atoms in different molecules by distance, [n_bins]."""
    first, second = sites[pair.first], sites[pair.second]
    if pair.first == pair.second:
        i, j = trees[pair.first].query_pairs(edges[-1], output_type="ndarray").T
        distances = _distances(trees[pair.first], i, trees[pair.second], j)
        times = 2
    else:
        found = trees[pair.first].sparse_distance_matrix(trees[pair.second], edges[-1], output_type="ndarray")
        i, j, distances = found["i"], found["j"], found["v"]
        times = 1
    apart = distances[molecule[first[i]] != molecule[second[j]]]
    bins = np.minimum((apart / BIN_ANGSTROM).astype(int), len(edges) - 2)
    return times * np.bincount(bins, minlength=len(edges) - 1)


def _distances(one: cKDTree, i: np.ndarray, other: cKDTree, j: np.ndarray) -> np.ndarray:
    vectors = other.data[j] - one.data[i]
    box = np.asarray(one.boxsize)
    vectors -= box * np.rint(vectors / box)
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def _wrapped(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Into [0, box), where rounding may leave a point on the upper face."""
    wrapped = np.mod(points.astype(float), box)
    return np.where(wrapped >= box, 0.0, wrapped)
