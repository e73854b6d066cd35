"""Equivariant Transformer of TorchMD-Net (Thölke, De Fabritiis, ICLR 2022)."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.dense import dense
from gpip.models.blocks.neighbour_sums import NeighbourPairs, bond_sum, neighbour_products, neighbour_sum
from gpip.models.blocks.radial import ExpNormalBasis
from gpip.models.blocks.splines import SplineBins, TableCache, node_distances, spline_through
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding

BINS_PER_RADIAL = 8


class Nodes(NamedTuple):
    """What the filters of all layers have in common at the nodes of their splines, float64."""

    radial: Tensor
    """[n_nodes, n_radial]."""
    cutoff: Tensor
    """[n_nodes, 1]."""
    zero: int
    """The node at distance zero."""
    weights: tuple[Tensor, ...]
    """Of the radial functions."""


def _at_nodes(layer: nn.Linear, nodes: Nodes) -> Tensor:
    return nn.functional.linear(nodes.radial, layer.weight.double(), layer.bias.double())


class NeighbourEmbedding(nn.Module):
    """Eq. 3 and 4: what an atom is, and what its neighbours are."""

    def __init__(self, n_features: int, n_radial: int) -> None:
        super().__init__()
        self.embedding = SpeciesEmbedding(n_features)
        self.filter = dense(n_radial, n_features)
        self.combine = dense(2 * n_features, n_features)

    def forward(self, scalars: Tensor, species: Tensor, nodes: Nodes, neighbour_pairs: NeighbourPairs) -> Tensor:
        table = spline_through(_at_nodes(self.filter, nodes) * nodes.cutoff)
        neighbours = neighbour_sum(table, self.embedding(species)[:, None], neighbour_pairs).squeeze(1)
        return self.combine(torch.cat([scalars, neighbours], 1))


class Attention(nn.Module):
    """Eq. 5 to 11: attention over neighbours and the atom itself, with distances in keys and values.

    A layer that is first has zero vectors before it, and no weights for them.
    """

    def __init__(self, n_features: int, n_radial: int, n_heads: int, vector_cutoff: bool, first: bool) -> None:
        super().__init__()
        self.n_features, self.n_heads, self.vector_cutoff = n_features, n_heads, vector_cutoff
        self.norm = nn.LayerNorm(n_features)
        self.query = dense(n_features, n_features)
        self.key = dense(n_features, n_features)
        self.value = dense(n_features, 3 * n_features)
        self.out = dense(n_features, 3 * n_features)
        self.mix = None if first else dense(n_features, 3 * n_features, bias=False)
        self.key_filter = dense(n_radial, n_features)
        self.value_filter = dense(n_radial, 3 * n_features)
        self.filters = TableCache()

    def forward(
        self, scalars: Tensor, vectors: Tensor | None, nodes: Nodes, unit: Tensor, neighbour_pairs: NeighbourPairs
    ) -> tuple[Tensor, Tensor]:
        """Changes of scalars [n_atoms, n_features] and vectors [n_atoms, 3, n_features]; None stands for zero."""
        normed = self.norm(scalars)
        query, key = self.query(normed), self.key(normed)
        values = self.value(normed).chunk(3, dim=1)
        weights = [*nodes.weights, *self.key_filter.parameters(), *self.value_filter.parameters()]
        filters = self.filters(weights, lambda: self._filters(nodes, scalars.dtype))
        (key_table, *tables), (key_at_zero, *values_at_zero) = filters[:4], filters[4:]

        scores = neighbour_products(key_table, query[:, None], key[:, None], neighbour_pairs, 1, self.n_heads)
        attended = neighbour_sum(tables[0], values[0][:, None], neighbour_pairs, nn.functional.silu(scores)).squeeze(1)
        change_of_vectors = bond_sum(tables[2], values[2], unit, neighbour_pairs)
        # The atom itself, at distance zero and without a direction.
        own = nn.functional.silu((query * key * key_at_zero).unflatten(1, (self.n_heads, -1)).sum(2, keepdim=True))
        own = own * (values[0] * values_at_zero[0]).unflatten(1, (self.n_heads, -1))
        out = self.out(attended + own.flatten(1)).chunk(3, dim=1)
        if vectors is None:
            return out[2], change_of_vectors

        u, v, w = self.mix(vectors).chunk(3, dim=2)
        sent = values[1][:, None] * vectors
        change_of_vectors = change_of_vectors + neighbour_sum(tables[1], sent, neighbour_pairs)
        change_of_vectors = change_of_vectors + sent * values_at_zero[1] + w * out[0][:, None]
        return (u * v).sum(1) * out[1] + out[2], change_of_vectors

    def _filters(self, nodes: Nodes, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Of the key and three parts of the value: tables [n_bins + 5, n_features], then values at distance zero."""
        key = nn.functional.silu(_at_nodes(self.key_filter, nodes))
        values = nn.functional.silu(_at_nodes(self.value_filter, nodes)).chunk(3, dim=1)
        cut = (True, self.vector_cutoff, self.vector_cutoff)
        filters = [key, *(part * nodes.cutoff if yes else part for part, yes in zip(values, cut, strict=True))]
        return *(spline_through(each) for each in filters), *(each[nodes.zero].to(dtype) for each in filters)


class EquivariantTransformer(Backbone):
    """Attention with distances in keys and values, and vector features that it turns and sends along bonds.

    Filters depend on the distance alone and are splines through their values at `BINS_PER_RADIAL` nodes for each
    radial function.
    """

    noise_readout: ClassVar[NoiseReadout] = "vectors"

    def __init__(
        self,
        n_layers: int,
        n_features: int,
        n_radial: int,
        cutoff_angstrom: float,
        n_heads: int,
        vector_cutoff: bool,
    ) -> None:
        super().__init__(n_features, cutoff_angstrom)
        self.n_bins = BINS_PER_RADIAL * n_radial
        self.embedding = SpeciesEmbedding(n_features)
        self.basis = ExpNormalBasis(n_radial, cutoff_angstrom)
        self.neighbours = NeighbourEmbedding(n_features, n_radial)
        self.layers = nn.ModuleList(
            Attention(n_features, n_radial, n_heads, vector_cutoff, first=index == 0) for index in range(n_layers)
        )
        self.norm = nn.LayerNorm(n_features)

    def forward(self, graph: Graph) -> Features:
        difference = graph.pair_vectors()
        distance = difference.square().sum(-1).sqrt()
        unit = difference / distance[:, None]
        neighbour_pairs, nodes = (
            NeighbourPairs(graph, SplineBins(distance, self.cutoff_angstrom, self.n_bins)),
            self._nodes(),
        )
        scalars = self.neighbours(self.embedding(graph.species), graph.species, nodes, neighbour_pairs)
        vectors = None
        for layer in self.layers:
            change, change_of_vectors = layer(scalars, vectors, nodes, unit, neighbour_pairs)
            scalars = scalars + change
            vectors = change_of_vectors if vectors is None else vectors + change_of_vectors
        return Features(self.norm(scalars), vectors)

    def _nodes(self) -> Nodes:
        distance = node_distances(self.n_bins, self.cutoff_angstrom, self.basis.means.device)
        # Not clamped: the spline then follows the cosine to the very cutoff.
        cutoff = 0.5 * torch.cos(distance * (torch.pi / self.cutoff_angstrom)) + 0.5
        radial, zero = self.basis(distance) * cutoff[:, None], int(torch.argmin(distance.abs()))
        return Nodes(radial, cutoff[:, None], zero, tuple(self.basis.parameters()))
