"""Factors that keep the variance of what flows through a network, fitted once to a few configurations."""

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """Multiplies by a factor that is not learned (Gasteiger, Becker, Günnemann 2021, Sec. 6 and App. D).

    Where none is given, `Backbone.fit_scales` fits it before training: what comes out then varies as much as `like`.
    Until then it is 1.
    """

    factor: Tensor

    def __init__(self, given: float | None) -> None:
        super().__init__()
        self.is_given, self.fitting = given is not None, False
        self.register_buffer("factor", torch.tensor(1.0 if given is None else given))

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Of `x` [n, ...], as varied as `like` [m, ...]."""
        if self.fitting and min(len(x), len(like)) > 1:
            ratio = (variance(like) / variance(x)).sqrt()
            if torch.isfinite(ratio) and ratio > 0:
                self.factor.copy_(ratio)
        return x * self.factor

    def extra_repr(self) -> str:
        return f"{float(self.factor):.3g}"


def variance(x: Tensor) -> Tensor:
    """Over rows, mean over columns."""
    return x.var(dim=0).mean()
