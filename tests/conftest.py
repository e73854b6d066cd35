"""Small liquid boxes that several tests use."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from gpip.core.frame import Frame

WATER = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])


def water_box(n_per_edge: int, seed: int, spacing_angstrom: float = 3.1) -> Frame:
    """Randomly turned, slightly distorted water molecules on a cubic lattice; labels are random numbers."""
    generator = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(n_per_edge)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = []
    for site in sites * spacing_angstrom:
        rotation, _ = np.linalg.qr(generator.normal(size=(3, 3)))
        positions.append(WATER @ rotation + site + generator.normal(0, 0.03, (3, 3)))
    n_molecules = len(sites)
    return Frame(
        species=np.tile(np.array([8, 1, 1], dtype=np.uint8), n_molecules),
        positions=np.concatenate(positions).astype(np.float32),
        cell=np.eye(3) * n_per_edge * spacing_angstrom,
        pbc=np.ones(3, dtype=bool),
        energy=float(-14.0 * n_molecules + generator.normal()),
        forces=generator.normal(size=(3 * n_molecules, 3)).astype(np.float32),
        temperature_kelvin=300.0,
        system="water",
    )


@pytest.fixture(scope="session")
def water_frames() -> list[Frame]:
    """Six boxes of eight water molecules, 6.2 Å wide: smaller than twice the usual cutoff."""
    return [water_box(2, seed) for seed in range(6)]
