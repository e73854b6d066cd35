"""What ML-driven runs are compared with: labelled frames, or a classical run."""

from dataclasses import dataclass

import numpy as np

from gpip.core.errors import InputError
from gpip.metrics.diffusion import msd_of_element, unwrap
from gpip.metrics.molecules import find_molecules
from gpip.metrics.rdf import PairCounts, count_pairs

N_BLOCKS = 5


@dataclass(frozen=True)
class Reference:
    """Configurations of one system, from one source."""

    species: np.ndarray
    """Atomic numbers, [n_atoms]."""
    positions: np.ndarray
    """[n_frames, n_atoms, 3], angstrom, wrapped or not."""
    cell: np.ndarray
    """[n_frames, 3, 3] or [3, 3], angstrom; zero without a box."""
    molecule: np.ndarray | None = None
    """[n_atoms]; from covalent radii in the first frame when None or negative."""
    time_step_fs: float | None = None
    """Between frames, where they are one trajectory in order; without it there is no diffusivity."""
    description: str = "reference frames"
    """In words, for the report."""

    def __post_init__(self) -> None:
        shape = np.shape(self.positions)
        if len(shape) != 3 or shape[1:] != (len(self.species), 3) or not shape[0]:
            raise InputError(
                f"{self.description}: positions have shape {shape}, expected [n_frames >= 1, {len(self.species)}, 3]"
            )

    @property
    def cells(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.cell, float), (len(self.positions), 3, 3))

    @property
    def is_periodic(self) -> bool:
        return bool(np.any(self.cells[0]))

    @property
    def molecules(self) -> np.ndarray:
        """The molecule of each atom, [n_atoms]."""
        if self.molecule is not None and np.min(self.molecule) >= 0:
            return np.asarray(self.molecule)
        return find_molecules(self.species, np.asarray(self.positions[0], float), self.cells[0])


def reference_counts(reference: Reference, r_max_angstrom: float, n_bins: int) -> PairCounts:
    """Histograms of pair distances, in one chunk for each of up to 20 blocks of frames."""
    return count_pairs(
        reference.species,
        reference.positions,
        reference.cells,
        r_max_angstrom,
        n_bins,
        reference.molecules,
        frames_per_chunk=max(1, len(reference.positions) // (4 * N_BLOCKS)),
    )


def reference_msd(reference: Reference, atomic_number: int, published: bool = False) -> np.ndarray:
    """MSD [n_frames, n_atoms of that element], angstrom², drift removed: see `msd_of_element`."""
    cell = reference.cells[0]
    paths = unwrap(reference.positions, cell) if reference.is_periodic else reference.positions
    return msd_of_element(paths, reference.species, atomic_number, published)
