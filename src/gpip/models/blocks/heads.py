"""Read-outs of a backbone's features."""

import torch
from torch import Tensor, nn

from gpip.models.blocks.norms import smooth_norm


class EnergyHead(nn.Module):
    """E = sum_i MLP(h_i) (GPIP Sec. 4): the term of each atom, [n_atoms, n_features] to [n_atoms]."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, n_features), nn.SiLU(), nn.Linear(n_features, 1))

    def forward(self, scalars: Tensor) -> Tensor:
        return self.layers(scalars).squeeze(-1)


class GatedEquivariantBlock(nn.Module):
    """Scalars and vectors to fewer scalars and vectors (Schütt et al. 2021, Fig. 3; Weiler et al. 2018).

    Scalars [n_atoms, n_in], vectors [n_atoms, 3, n_in] to [n_atoms, n_out], [n_atoms, 3, n_out].
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_out = n_out
        self.mix = nn.Linear(n_in, n_in + n_out, bias=False)
        self.gate = nn.Sequential(nn.Linear(2 * n_in, n_in), nn.SiLU(), nn.Linear(n_in, 2 * n_out))

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        for_norm, for_output = self.mix(vectors).split([self.mix.in_features, self.n_out], dim=-1)
        scalars, gate = self.gate(torch.cat([scalars, smooth_norm(for_norm)], -1)).chunk(2, dim=-1)
        return scalars, gate[:, None] * for_output


class VectorReadout(nn.Module):
    """One vector per atom, [n_atoms, 3], from scalars and vectors by two gated equivariant blocks."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        n_hidden = max(n_features // 2, 1)
        self.first = GatedEquivariantBlock(n_features, n_hidden)
        self.second = GatedEquivariantBlock(n_hidden, 1)

    def forward(self, scalars: Tensor, vectors: Tensor) -> Tensor:
        scalars, vectors = self.first(scalars, vectors)
        return self.second(nn.functional.silu(scalars), vectors)[1].squeeze(-1)
