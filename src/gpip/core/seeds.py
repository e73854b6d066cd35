"""Seeds for everything random, derived from one root seed by hashing what they are for."""

import hashlib

import numpy as np


def seed_for(root: int, *purpose: object) -> int:
    """A seed in [1, 2^31) for one purpose, for example ``seed_for(2026, "classical_md", "water", 300)``.

    The same root and purpose give the same seed on every machine; different purposes are independent.
    """
    text = "\x1f".join([str(root), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % (2**31 - 1) + 1


def generator_for(root: int, *purpose: object) -> np.random.Generator:
    """A numpy generator for one purpose."""
    return np.random.default_rng(seed_for(root, *purpose))
