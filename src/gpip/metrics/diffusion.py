"""Mean squared displacements and diffusion coefficients (in 1e-9 m²/s)."""

from typing import NamedTuple

import numpy as np
from ase.data import atomic_masses

from gpip.core.errors import InputError
from gpip.core.units import ANGSTROM2_PER_FS_TO_1E9_M2_PER_S, BOLTZMANN_EV_PER_K, PS_TO_FS
from gpip.core.units import ELEMENTARY_CHARGE_C as JOULE_PER_EV
from gpip.metrics.molecules import minimum_image

ANGSTROM2_PER_PS = ANGSTROM2_PER_FS_TO_1E9_M2_PER_S / PS_TO_FS
PUBLISHED_LAG_PS = 100.0
WATER_VISCOSITY_300_K_PA_S = 0.854e-3
"""Of real water at 1 atm (IAPWS 2008); a model's own viscosity differs (TIP3P: about 0.3e-3)."""
YEH_HUMMER_XI = 2.837297
N_ATOM_GROUPS = 8


class Slope(NamedTuple):
    """A diffusion coefficient and its standard error, 1e-9 m²/s."""

    value: float
    uncertainty: float


def unwrap(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Continuous paths from positions [n_frames, n_atoms, 3] that may jump across the box [3, 3].

    Right as long as no atom moves half a box between two frames.
    """
    positions = np.asarray(positions, float)
    steps = minimum_image(np.diff(positions, axis=0), cell)
    return np.concatenate([positions[:1], positions[:1] + np.cumsum(steps, axis=0)])


def remove_drift(positions: np.ndarray, species: np.ndarray) -> np.ndarray:
    """Positions [n_frames, n_atoms, 3] relative to the centre of mass of all atoms in each frame.

    All atoms of the configuration must be there, with their atomic numbers [n_atoms]: relative to the centre of n
    diffusing atoms alone, these would seem to diffuse about (n - 1)/n as fast as they do, and a single one not at all.
    """
    positions, masses = np.asarray(positions, float), atomic_masses[species]
    return positions - np.einsum("a,fax->fx", masses / masses.sum(), positions)[:, None]


def remove_own_drift(positions: np.ndarray) -> np.ndarray:
    """Positions [n_frames, n_atoms, 3] of the diffusing atoms relative to their own centre in each frame.

    The published form, for the published number alone: too low for few atoms.
    """
    positions = np.asarray(positions, float)
    return positions - positions.mean(axis=1, keepdims=True)


def msd_of_element(positions: np.ndarray, species: np.ndarray, atomic_number: int, published: bool) -> np.ndarray:
    """MSD [n_frames, n_atoms of that element], angstrom², of unwrapped positions [n_frames, n_atoms, 3] of all atoms.

    Drift is removed relative to all atoms, or to the atoms of the element in the published form.
    """
    chosen = species == atomic_number
    if published:
        return mean_squared_displacement(remove_own_drift(positions[:, chosen]))
    return mean_squared_displacement(remove_drift(positions, species)[:, chosen])


def mean_squared_displacement(positions: np.ndarray) -> np.ndarray:
    """MSD of each atom over all time origins, [n_frames, n_atoms, 3] to [n_frames, n_atoms], lag 0 first.

    By Fourier transform (Calandrini et al., Collection SFN 12, 201, 2011); lag m has n - m origins.
    """
    positions = np.asarray(positions, float)
    positions = positions - positions.mean(axis=0)
    n_frames = len(positions)
    spectrum = np.fft.rfft(positions, n=2 * n_frames, axis=0)
    products = np.fft.irfft(np.abs(spectrum) ** 2, n=2 * n_frames, axis=0)[:n_frames].sum(axis=2)
    squares = np.concatenate([np.zeros((1, positions.shape[1])), np.cumsum((positions**2).sum(axis=2), axis=0)])
    lags = np.arange(n_frames)
    sums = squares[n_frames - lags] + squares[n_frames] - squares[lags]
    msd = (sums - 2 * products) / (n_frames - lags)[:, None]
    msd[0] = 0.0
    return msd


def mean_squared_displacement_direct(positions: np.ndarray) -> np.ndarray:
    """The same by the double sum that defines it: slow, for comparison."""
    positions = np.asarray(positions, float)
    lags = range(1, len(positions))
    later = [((positions[lag:] - positions[:-lag]) ** 2).sum(axis=2).mean(axis=0) for lag in lags]
    return np.stack([np.zeros(positions.shape[1]), *later])


def diffusivity_at_lag(msd: np.ndarray, lag: int, step_ps: float) -> float:
    """MSD/(6t) at one lag, the published form; `msd` [n_frames], angstrom²."""
    return float(msd[lag] / (6 * lag * step_ps) * ANGSTROM2_PER_PS)


def diffusivity_from_slope(msd: np.ndarray, step_ps: float, window_ps: tuple[float, float]) -> float:
    """Slope/6 of a straight line, simple least squares, through `msd` [n_frames] within a window of lags.

    All lags weigh alike: the covariance of an all-origins MSD makes no simple weighting better, and the
    uncertainty comes from the spread of independent parts, not from the residuals.
    """
    low, high = lag_window(len(msd), step_ps, window_ps)
    slope = np.polyfit(np.arange(low, high + 1) * step_ps, msd[low : high + 1], 1)[0]
    return float(slope / 6 * ANGSTROM2_PER_PS)


def lag_window(n_frames: int, step_ps: float, window_ps: tuple[float, float]) -> tuple[int, int]:
    """First and last lag index of a window. Raises InputError when it holds fewer than three."""
    low = max(1, int(np.ceil(window_ps[0] / step_ps - 1e-6)))
    high = int(np.floor(window_ps[1] / step_ps + 1e-6))
    if high - low < 2 or high > n_frames - 1:
        raise InputError(
            f"msd_fit_ps {window_ps[0]:g} to {window_ps[1]:g} ps holds fewer than 3 lags of a run of "
            f"{n_frames} frames {step_ps:g} ps apart: change the window or lengthen the run"
        )
    return low, high


def fitted_diffusivity(msds: list[np.ndarray], step_ps: float, window_ps: tuple[float, float]) -> Slope:
    """Mean over replicas of the fitted slope, with its standard error.

    Args:
        msds: MSD of each atom of each replica, [n_frames, n_atoms] each.

    The standard error is the larger of two: from the spread of the replicas, and from the spread of groups of
    atoms (each group's whole path counts as one sample, so correlation in time does no harm).
    """
    per_replica = np.array([diffusivity_from_slope(msd.mean(axis=1), step_ps, window_ps) for msd in msds])
    groups = [group for msd in msds for group in atom_groups(msd)]
    spreads = [
        values.std(ddof=1) / np.sqrt(len(values))
        for values in (per_replica, np.array([diffusivity_from_slope(g, step_ps, window_ps) for g in groups]))
        if len(values) > 1
    ]
    return Slope(float(per_replica.mean()), float(max(spreads)) if spreads else float("nan"))


def atom_groups(msd: np.ndarray) -> list[np.ndarray]:
    """MSD [n_frames] of each of up to eight groups of atoms."""
    n_atoms = msd.shape[1]
    return [msd[:, part].mean(axis=1) for part in np.array_split(np.arange(n_atoms), min(N_ATOM_GROUPS, n_atoms))]


def finite_size_correction(
    temperature_kelvin: float, cell: np.ndarray, viscosity_pa_s: float = WATER_VISCOSITY_300_K_PA_S
) -> float:
    """What a cubic periodic box takes from the diffusion coefficient, 1e-9 m²/s: k_B T ξ/(6π η L).

    Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004), Eq. 12. Raises InputError for a box that is not cubic.
    """
    length = np.abs(np.linalg.det(cell)) ** (1 / 3)
    if not np.allclose(cell @ cell.T, length**2 * np.eye(3), atol=1e-3 * length**2):
        raise InputError("the finite-size correction with ξ = 2.837297 holds for cubic boxes only")
    thermal_joule = BOLTZMANN_EV_PER_K * temperature_kelvin * JOULE_PER_EV
    return thermal_joule * YEH_HUMMER_XI / (6 * np.pi * viscosity_pa_s * length * 1e-10) * 1e9
