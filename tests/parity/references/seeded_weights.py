"""Weights by name and shape, so that a reference need not hold them."""

import zlib

import numpy as np


def weight(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Normal numbers of variance one over the inputs; of 0.1 for vectors. [..., n_out] with three dimensions."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    values = generator.standard_normal(shape)
    if len(shape) < 2:
        return 0.1 * values
    return values / np.sqrt(shape[1] if len(shape) == 2 else shape[0] * shape[1])
