"""Radial distribution functions of periodic boxes, and their distance from a reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
from ase.data import chemical_symbols

from gpip.core.errors import InputError
from gpip.metrics.molecules import minimum_image, smallest_width

Kind = Literal["all", "intermolecular"]


@dataclass(frozen=True)
class PairCounts:
    """Histograms of pair distances, one for each chunk of consecutive frames.

    Any part of a run is a sum of chunks, so that windows, blocks and stable parts cost nothing more.
    """

    edges: np.ndarray
    """[n_bins + 1], angstrom."""
    pairs: tuple[str, ...]
    """Such as ("H-H", "H-O", "O-O")."""
    counts: np.ndarray
    """[n_chunks, n_pairs, 2, n_bins]: atoms of different molecules, of the same molecule."""
    n_atom_pairs: np.ndarray
    """[n_pairs, 2], as above."""
    inverse_volume: np.ndarray
    """[n_chunks], sum over the frames of a chunk of 1/volume, angstrom^-3."""

    @property
    def radii(self) -> np.ndarray:
        """Middle of each bin."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def shell_volumes(self) -> np.ndarray:
        return 4 / 3 * np.pi * (self.edges[1:] ** 3 - self.edges[:-1] ** 3)

    def __len__(self) -> int:
        return len(self.counts)

    def select(self, chunks: slice | np.ndarray) -> "PairCounts":
        """The counts of some chunks only."""
        return replace(self, counts=self.counts[chunks], inverse_volume=self.inverse_volume[chunks])

    def blocks(self, n_blocks: int) -> list["PairCounts"]:
        """Up to `n_blocks` consecutive parts, each summed into one chunk."""
        parts = np.array_split(np.arange(len(self)), min(n_blocks, len(self)))
        return [total(self.select(part)) for part in parts if len(part)]

    def g(self, kind: Kind = "all") -> np.ndarray:
        """g(r) over all chunks, [n_pairs, n_bins]; 1 for an ideal gas, whatever the number of atoms."""
        keep = slice(0, 2) if kind == "all" else slice(0, 1)
        observed = self.counts[:, :, keep].sum(axis=(0, 2))
        n_atom_pairs = self.n_atom_pairs[:, keep].sum(axis=1)
        expected = n_atom_pairs[:, None] * self.shell_volumes * self.inverse_volume.sum()
        # A lone atom of an element has no partner of its own kind.
        return np.divide(observed, expected, out=np.zeros_like(expected), where=expected > 0)


def total(*parts: PairCounts) -> PairCounts:
    """All chunks of all parts summed into one."""
    return replace(
        parts[0],
        counts=sum(part.counts.sum(axis=0, keepdims=True) for part in parts),
        inverse_volume=sum(part.inverse_volume.sum(keepdims=True) for part in parts),
    )


def count_pairs(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    r_max_angstrom: float = 6.0,
    n_bins: int = 500,
    molecule: np.ndarray | None = None,
    frames_per_chunk: int = 1,
) -> PairCounts:
    """Histograms of the minimum-image distances of every pair of elements.

    Args:
        species: atomic numbers, [n_atoms].
        positions: [n_frames, n_atoms, 3], angstrom, wrapped or not.
        cell: [3, 3] or [n_frames, 3, 3], angstrom.
        molecule: [n_atoms]; without it every atom is a molecule of its own.
        frames_per_chunk: the last chunk may hold fewer.

    Raises:
        InputError: no frames, no box, or r_max above half its smallest width.
    """
    n_frames, n_atoms = positions.shape[:2]
    if not n_frames:
        raise InputError("radial distribution: no frames given")
    cells = np.broadcast_to(np.asarray(cell, float), (n_frames, 3, 3))
    _check_boxes(cells, r_max_angstrom)
    molecule = np.arange(n_atoms) if molecule is None else np.asarray(molecule)

    first, second = np.triu_indices(n_atoms, k=1)
    elements = sorted(np.unique(species), key=lambda z: chemical_symbols[z])
    pairs = list(combinations_with_replacement(range(len(elements)), 2))
    pair_of = np.zeros((len(elements),) * 2, int)
    for index, (a, b) in enumerate(pairs):
        pair_of[a, b] = pair_of[b, a] = index
    element = np.array([elements.index(z) for z in species])
    group = 2 * pair_of[element[first], element[second]] + (molecule[first] == molecule[second])

    shape = (len(pairs), 2, n_bins)
    counts = np.zeros((-(-n_frames // frames_per_chunk), *shape), np.int32)
    for frame in range(n_frames):
        points = np.asarray(positions[frame], float)
        vectors = minimum_image(points[second] - points[first], cells[frame])
        distances = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        near = distances < r_max_angstrom
        bins = np.minimum((distances[near] * (n_bins / r_max_angstrom)).astype(int), n_bins - 1)
        flat = np.bincount(group[near] * n_bins + bins, minlength=np.prod(shape))
        counts[frame // frames_per_chunk] += flat.reshape(shape).astype(np.int32)
    return PairCounts(
        edges=np.linspace(0, r_max_angstrom, n_bins + 1),
        pairs=tuple(f"{chemical_symbols[elements[a]]}-{chemical_symbols[elements[b]]}" for a, b in pairs),
        counts=counts,
        n_atom_pairs=np.bincount(group, minlength=2 * len(pairs)).reshape(-1, 2),
        inverse_volume=np.add.reduceat(1 / np.abs(np.linalg.det(cells)), np.arange(0, n_frames, frames_per_chunk)),
    )


def radial_distribution(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    r_max_angstrom: float = 6.0,
    n_bins: int = 500,
    molecule: np.ndarray | None = None,
    exclude_same_molecule: bool = False,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Radii [n_bins] and g(r) [n_bins] of each pair of elements; arguments as in `count_pairs`."""
    if exclude_same_molecule and molecule is None:
        raise InputError("exclude_same_molecule needs `molecule`, the molecule of each atom")
    counted = count_pairs(species, positions, cell, r_max_angstrom, n_bins, molecule, len(positions))
    g = counted.g("intermolecular" if exclude_same_molecule else "all")
    return counted.radii, dict(zip(counted.pairs, g, strict=True))


def rdf_error_mean(g: np.ndarray, g_reference: np.ndarray) -> np.ndarray:
    """Mean over the bins of |g - g_ref|, no unit; [..., n_bins] to [...]."""
    return np.abs(g - g_reference).mean(axis=-1)


def rdf_error_integral(g: np.ndarray, g_reference: np.ndarray, r_max_angstrom: float) -> np.ndarray:
    """∫|g - g_ref| dr in angstrom, the number that Fu et al. (2023) print: the mean times r_max."""
    return r_max_angstrom * rdf_error_mean(g, g_reference)


def jackknife(blocks: Sequence[PairCounts], quantity: Callable[[PairCounts], np.ndarray]) -> np.ndarray:
    """Standard error of `quantity(counts)` from leaving out one block at a time.

    Blocks shorter than the correlation time make it too small.
    """
    n_blocks = len(blocks)
    assert n_blocks > 1, "one block has no spread"
    left_out = np.stack([quantity(total(*blocks[:index], *blocks[index + 1 :])) for index in range(n_blocks)])
    return np.sqrt((n_blocks - 1) * left_out.var(axis=0))


def _check_boxes(cells: np.ndarray, r_max_angstrom: float) -> None:
    for index in np.unique(cells.reshape(len(cells), 9), axis=0, return_index=True)[1]:
        if np.linalg.det(cells[index]) == 0:
            raise InputError(f"frame {index} has no box: g(r) is defined for periodic boxes only")
        half = smallest_width(cells[index]) / 2
        if r_max_angstrom > half * (1 + 1e-9):
            raise InputError(
                f"rdf_max_angstrom {r_max_angstrom:g} is above half the box, {half:.3f} Å in frame {index}: lower it"
            )
