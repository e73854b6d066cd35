"""Norms with derivatives of every order at zero."""

from torch import Tensor

SOFTENING = 1e-4
"""Small against features of order one, large enough for single precision second derivatives."""


def smooth_norm(vectors: Tensor) -> Tensor:
    """sqrt(|v|^2 + a^2) - a over axis -2: [..., 3, n] to [..., n]; zero at zero."""
    return (vectors.square().sum(-2) + SOFTENING**2).sqrt() - SOFTENING
