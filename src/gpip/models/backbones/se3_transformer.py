"""SE(3)-Transformer (Fuchs, Worrall, Fischer, Welling, NeurIPS 2020).

Features of degree l are [n_atoms, n_channels, 2 l + 1] and turn like harmonics; all here is held for pairs, both
directions side by side, so that radial functions and kernels are computed and kept once for both.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from gpip.graphs.graph import Graph
from gpip.models.blocks.clebsch_gordan import clebsch_gordan
from gpip.models.blocks.messages import Sides, gather, sides_of, total
from gpip.models.blocks.radial import GaussianBasis, cosine_cutoff
from gpip.models.blocks.spherical import real_harmonics
from gpip.models.blocks.splines import SplineBins, interpolate, node_distances, spline_through
from gpip.models.interface import Backbone, Features, NoiseReadout, SpeciesEmbedding

N_HIDDEN = 32
"""Of the radial functions, as in the authors' code."""
BINS_PER_RADIAL, LEAST_BINS = 8, 60
"""Intervals of the splines of radial functions: for each function of the basis, and at least."""
SOFTENING = 0.1
"""Norms below it lose their direction gradually, so that features may vanish smoothly."""


def degrees_between(degree_in: int, degree_out: int, pseudotensors: bool) -> range:
    """Of the harmonics that take one degree to the other: all that the triangle allows (Eq. 8), or those under which
    inversion acts on features as on harmonics."""
    return range(abs(degree_in - degree_out), degree_in + degree_out + 1, 1 if pseudotensors else 2)


class Kernels(nn.Module):
    """W_J(r/|r|) = sum_m Y_Jm Q_Jm of all degrees (Eq. 8), scaled so that they keep the variance of an entry."""

    def __init__(self, n_degrees: int, pseudotensors: bool) -> None:
        super().__init__()
        self.n_degrees = n_degrees
        self._exact: dict[str, Tensor] = {}
        self.degrees = [[degrees_between(i, o, pseudotensors) for o in range(n_degrees)] for i in range(n_degrees)]
        for degree_in, by_degree_out in enumerate(self.degrees):
            columns = []
            for degree_out, degrees in enumerate(by_degree_out):
                scale = (4 * torch.pi * (2 * degree_out + 1)) ** 0.5
                for degree in degrees:
                    coefficients = torch.from_numpy(clebsch_gordan(degree_in, degree, degree_out)) * scale
                    column = coefficients.new_zeros((2 * n_degrees - 1) ** 2, 2 * degree_in + 1, 2 * degree_out + 1)
                    column[degree**2 : (degree + 1) ** 2] = coefficients.permute(2, 1, 0)
                    columns.append(column)
            self._exact[f"table_{degree_in}"] = torch.cat(columns, 2).flatten(1)
        for name, table in self._exact.items():
            self.register_buffer(name, table.to(torch.get_default_dtype()), persistent=False)

    def forward(self, unit: Tensor) -> list[Tensor]:
        """Of directions [n_pairs, 3], for each degree in: [n_pairs, 2 degree_in + 1, n], where n counts degrees out,
        harmonics between and entries of the degree out, in this order."""
        harmonics = torch.cat(real_harmonics(unit, 2 * self.n_degrees - 1), 1)
        tables = [getattr(self, f"table_{degree}") for degree in range(self.n_degrees)]
        return [(harmonics @ table).unflatten(1, (2 * degree + 1, -1)) for degree, table in enumerate(tables)]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Kernels":
        """Tables are made anew in the precision asked for, so that single precision in between loses nothing."""
        super()._apply(fn, recurse)
        for name, value in self._exact.items():
            setattr(self, name, value.to(getattr(self, name)))
        return self


class RadialFunctions(nn.Module):
    """A network of the distance for each path, side by side: [n, n_seen], what is seen of the distances, to
    [n, n_channels_out, n_channels_in, n_J] of each."""

    def __init__(self, shapes: Sequence[tuple[int, int, int]], n_seen: int, smooth: bool) -> None:
        super().__init__()
        self.shapes = shapes
        n = len(shapes)
        self.activation = nn.functional.silu if smooth else nn.functional.relu
        self.weights = nn.ParameterList([torch.randn(n, n_seen, N_HIDDEN), torch.randn(n, N_HIDDEN, N_HIDDEN)])
        self.biases = nn.ParameterList(torch.randn(n, 1, N_HIDDEN) for _ in range(2))
        self.norm_weights = nn.ParameterList(torch.ones(n, 1, N_HIDDEN) for _ in range(2))
        self.norm_biases = nn.ParameterList(torch.zeros(n, 1, N_HIDDEN) for _ in range(2))
        with torch.no_grad():
            self.weights[1].mul_(N_HIDDEN**-0.5)
        self.last = nn.ModuleList(nn.Linear(N_HIDDEN, shape[0] * shape[1] * shape[2]) for shape in shapes)

    def scale_last(self, n_terms: Sequence[int]) -> None:
        """Start each so that a sum of so many terms of unit variance has unit variance, about."""
        for layer, n in zip(self.last, n_terms, strict=True):
            nn.init.normal_(layer.weight, std=(3 / (N_HIDDEN * n)) ** 0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, seen: Tensor) -> list[Tensor]:
        dtype = seen.dtype
        hidden = seen.expand(len(self.shapes), -1, -1)
        layers = zip(self.weights, self.biases, self.norm_weights, self.norm_biases, strict=True)
        for weight, bias, norm_weight, norm_bias in layers:
            hidden = torch.baddbmm(bias.to(dtype), hidden, weight.to(dtype))
            hidden = nn.functional.layer_norm(hidden, (N_HIDDEN,))
            hidden = self.activation(hidden * norm_weight.to(dtype) + norm_bias.to(dtype))
        return [
            nn.functional.linear(each, layer.weight.to(dtype), layer.bias.to(dtype)).unflatten(1, shape)
            for each, layer, shape in zip(hidden.unbind(0), self.last, self.shapes, strict=True)
        ]


class Surroundings(NamedTuple):
    """What all layers see of the pairs."""

    distance: Tensor
    """[n_pairs], angstrom."""
    bins: SplineBins | None
    """None where radial functions are evaluated for every pair."""
    seen: Tensor
    """[n, n_seen] of the distances at which radial functions are sampled for their splines, float64; without `bins`
    of those of the pairs."""
    kernels: list[Tensor]
    envelope: Tensor | None
    """[n_pairs, 1]; None for one."""
    sides: Sides


def both_ways(values: Tensor, sides: Sides) -> tuple[Tensor, Tensor]:
    """[n_atoms, ...] to what neighbours hold for the centres and centres for the neighbours, [n_pairs, ...] each."""
    flat = values.flatten(1)
    ends = gather(flat, sides.neighbour), gather(flat, sides.centre)
    return ends[0].unflatten(1, values.shape[1:]), ends[1].unflatten(1, values.shape[1:])


def sum_over_neighbours(messages: Tensor, sides: Sides) -> Tensor:
    """Messages [n_pairs, n, 2, m], to centres and to neighbours, to sums [n_atoms, n, m]."""
    flat = [messages[:, :, way].flatten(1) for way in range(2)]
    summed = total(flat[0], sides.centre) + total(flat[1], sides.neighbour)
    return summed.unflatten(1, (messages.shape[1], messages.shape[3]))


class Convolution(nn.Module):
    """Messages W_ij f_j of neighbours (Eq. 7 and 8), of one or more kinds with radial functions of their own.

    Args:
        n_in: Channels of the features, by degree.
        n_out: Channels of the messages, by kind and degree.
        kernels: What lies between the degrees.
        n_seen: Numbers that radial functions have of a distance.
        smooth: Radial functions are smooth.
    """

    def __init__(
        self,
        n_in: Sequence[int],
        n_out: Sequence[Sequence[int]],
        kernels: Kernels,
        n_seen: int,
        smooth: bool,
    ) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.degrees = kernels.degrees
        self.n_degrees_out = max(len(channels) for channels in n_out)
        self.cases = [
            (degree_out, kind, degree_in)
            for degree_out in range(self.n_degrees_out)
            for kind, channels in enumerate(n_out)
            if degree_out < len(channels)
            for degree_in in range(len(n_in))
        ]
        shapes = [(n_out[kind][o], n_in[i], len(self.degrees[i][o])) for o, kind, i in self.cases]
        self.radial = RadialFunctions(shapes, n_seen, smooth)
        terms = [sum(n_in[i] * len(self.degrees[i][o]) for i in range(len(n_in))) for o, _, _ in self.cases]
        self.radial.scale_last(terms)

    def forward(self, features: Sequence[Tensor], neighbour_pairs: Surroundings) -> list[list[Tensor]]:
        """By kind and degree, [n_pairs, n_out, 2, 2 degree + 1]: to the centre, and from it to the neighbour."""
        sent = self._sent(features, neighbour_pairs)
        messages = [torch.bmm(radial, each) for radial, each in zip(self._radial(neighbour_pairs), sent, strict=True)]
        by_kind: list[list[Tensor]] = [[] for _ in self.n_out]
        for degree, message in enumerate(messages):
            kinds = [kind for kind, channels in enumerate(self.n_out) if degree < len(channels)]
            parts = message.unflatten(2, (2, -1)).split([self.n_out[kind][degree] for kind in kinds], 1)
            for kind, part in zip(kinds, parts, strict=True):
                by_kind[kind].append(part)
        return by_kind

    def _radial(self, neighbour_pairs: Surroundings) -> list[Tensor]:
        """By degree out, [n_pairs, n_out of all kinds, n_in times harmonics between]."""
        functions = self.radial(neighbour_pairs.seen)
        by_degree: list[list[list[Tensor]]] = [[[] for _ in self.n_out] for _ in range(self.n_degrees_out)]
        for (degree_out, kind, _), values in zip(self.cases, functions, strict=True):
            by_degree[degree_out][kind].append(values.flatten(2))
        joined = [torch.cat([torch.cat(each, 2) for each in kinds if each], 1) for kinds in by_degree]
        if neighbour_pairs.bins is None:
            return joined
        flat = interpolate(spline_through(torch.cat([each.flatten(1) for each in joined], 1)), neighbour_pairs.bins)
        parts = flat.split([each[0].numel() for each in joined], 1)
        return [part.unflatten(1, each.shape[1:]) for part, each in zip(parts, joined, strict=True)]

    def _sent(self, features: Sequence[Tensor], neighbour_pairs: Surroundings) -> list[Tensor]:
        """By degree out, [n_pairs, n_in times harmonics between, 2 times (2 degree + 1)]."""
        sent: list[list[Tensor]] = [[] for _ in range(self.n_degrees_out)]
        for degree_in, values in enumerate(features):
            between = self.degrees[degree_in][: self.n_degrees_out]
            widths = [len(degrees) * (2 * degree_out + 1) for degree_out, degrees in enumerate(between)]
            kernel = neighbour_pairs.kernels[degree_in][:, :, : sum(widths)]
            pair = torch.cat(both_ways(values, neighbour_pairs.sides), 1)
            products = torch.bmm(pair, kernel).unflatten(1, (2, -1)).split(widths, 3)
            for degree_out, (degrees, product) in enumerate(zip(between, products, strict=True)):
                # Seen from the neighbour, the direction is the opposite one.
                signs = product.new_tensor([[1] * len(degrees), [(-1) ** degree for degree in degrees]])
                product = product.unflatten(3, (len(degrees), -1)) * signs[:, None, :, None]
                sent[degree_out].append(product.permute(0, 2, 3, 1, 4).flatten(3).flatten(1, 2))
        return [torch.cat(each, 1) for each in sent]


class Attention(nn.Module):
    """Attention over neighbours, joined with the features themselves (Eq. 10 to 12 and 15)."""

    def __init__(
        self,
        n_in: Sequence[int],
        n_out: Sequence[int],
        division: int,
        n_heads: int,
        kernels: Kernels,
        n_seen: int,
        smooth: bool,
    ) -> None:
        super().__init__()
        self.n_heads, self.smooth = n_heads, smooth
        n_value = [n // division for n in n_out]
        n_key = n_value[: len(n_in)]
        self.messages = Convolution(n_in, [n_value, n_key], kernels, n_seen, smooth)
        self.query = nn.ParameterList(torch.randn(n, m) / m**0.5 for n, m in zip(n_key, n_in, strict=True))
        n_joined = [n + (n_in[degree] if degree < len(n_in) else 0) for degree, n in enumerate(n_value)]
        self.project = nn.ParameterList(torch.randn(n, m) / m**0.5 for n, m in zip(n_out, n_joined, strict=True))
        self.scale = sum(n * (2 * degree + 1) for degree, n in enumerate(n_key)) ** -0.5

    def forward(self, features: Sequence[Tensor], neighbour_pairs: Surroundings) -> list[Tensor]:
        sides = neighbour_pairs.sides
        values, keys = self.messages(features, neighbour_pairs)
        scores = sum(
            self._by_head(key * torch.stack(both_ways(weight @ each, sides)[::-1], 2))
            for key, each, weight in zip(keys, features, self.query, strict=True)
        )
        weights, norm = self._weights(scores * self.scale, neighbour_pairs)
        attended = []
        for value in values:
            heads = value.unflatten(1, (self.n_heads, -1)) * weights[:, :, None, :, None]
            summed = sum_over_neighbours(heads.flatten(1, 2), sides).unflatten(1, (self.n_heads, -1))
            attended.append((summed / norm[:, :, None, None]).flatten(1, 2))
        joined = [torch.cat([z, f], 1) for z, f in zip(attended, features, strict=False)] + attended[len(features) :]
        return [weight @ each for weight, each in zip(self.project, joined, strict=True)]

    def _by_head(self, products: Tensor) -> Tensor:
        """[n_pairs, n, 2, m] to sums [n_pairs, n_heads, 2]."""
        return products.unflatten(1, (self.n_heads, -1)).sum((2, 4))

    def _weights(self, scores: Tensor, neighbour_pairs: Surroundings) -> tuple[Tensor, Tensor]:
        """Exponentials [n_pairs, n_heads, 2] and what their sums at each atom are to be divided by, [n_atoms, n_heads].

        Beside its neighbours an atom sees nothing, with a score of zero: where the last neighbour leaves, its
        weight goes to zero with the envelope.
        """
        centre, neighbour = neighbour_pairs.sides
        with torch.no_grad():
            n_atoms = len(centre.first)
            # Any number gives the same attention; the largest keeps exponentials in range.
            largest = scores.new_zeros(n_atoms, self.n_heads)
            for way, end in enumerate((centre, neighbour)):
                rows = end.atom[:, None].expand(-1, self.n_heads)
                largest = largest.scatter_reduce(0, rows, scores[:, :, way], "amax")
            shift = torch.stack([largest[centre.atom], largest[neighbour.atom]], 2)
        weights = torch.exp(scores - shift)
        if neighbour_pairs.envelope is not None:
            weights = weights * neighbour_pairs.envelope[:, :, None]
        norm = sum_over_neighbours(weights[..., None], neighbour_pairs.sides).squeeze(2)
        return weights, norm + (torch.exp(-largest) if self.smooth else (norm == 0).to(norm.dtype))


class NormNonlinearity(nn.Module):
    """Norms go through a layer norm and an activation, directions stay (`GNormSE3` of the authors' code)."""

    def __init__(self, n_channels: Sequence[int], smooth: bool) -> None:
        super().__init__()
        self.smooth = smooth
        self.norms = nn.ModuleList(nn.LayerNorm(n, eps=SOFTENING**2 if smooth else 1e-5) for n in n_channels)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [self._changed(norm, each) for norm, each in zip(self.norms, features, strict=True)]

    def _changed(self, layer: nn.LayerNorm, values: Tensor) -> Tensor:
        if self.smooth:
            norm = (values.square().sum(2) + SOFTENING**2).sqrt()
            return (nn.functional.silu(layer(norm)) / norm)[:, :, None] * values
        norm = values.norm(dim=2).clamp_min(1e-12)
        return nn.functional.relu(layer(norm))[:, :, None] * (values / norm[:, :, None])


class SE3Transformer(Backbone):
    """Features of degrees 0, 1, ... that attend to their neighbours; their invariants after a last convolution."""

    noise_readout: ClassVar[NoiseReadout] = "gradient"

    def __init__(
        self,
        n_layers: int,
        n_features: int,
        n_channels: int,
        n_degrees: int,
        n_radial: int,
        n_heads: int,
        division: int,
        smooth: bool,
        pseudotensors: bool,
        cutoff_angstrom: float,
    ) -> None:
        super().__init__(n_features, cutoff_angstrom)
        self.smooth = smooth
        self.embedding = SpeciesEmbedding(n_features)
        self.kernels = Kernels(n_degrees, pseudotensors)
        self.basis = GaussianBasis(n_radial, cutoff_angstrom) if n_radial else None
        self.n_bins = max(BINS_PER_RADIAL * n_radial, LEAST_BINS)
        n_seen = n_radial or 1
        channels = [n_channels] * n_degrees
        self.attentions = nn.ModuleList(
            Attention(
                [n_features] if layer == 0 else channels, channels, division, n_heads, self.kernels, n_seen, smooth
            )
            for layer in range(n_layers)
        )
        self.nonlinearities = nn.ModuleList(NormNonlinearity(channels, smooth) for _ in range(n_layers))
        self.last = Convolution(channels, [[n_features]], self.kernels, n_seen, smooth)
        self.last_own = nn.Linear(n_channels, n_features, bias=False)

    def forward(self, graph: Graph) -> Features:
        neighbour_pairs = self._surroundings(graph)
        features = [self.embedding(graph.species)[:, :, None]]
        for attention, nonlinearity in zip(self.attentions, self.nonlinearities, strict=True):
            features = nonlinearity(attention(features, neighbour_pairs))
        messages, counts = (
            self.last(features, neighbour_pairs)[0][0],
            features[0].new_ones(len(neighbour_pairs.distance), 1),
        )
        if neighbour_pairs.envelope is not None:
            messages, counts = messages * neighbour_pairs.envelope[:, :, None, None], neighbour_pairs.envelope
        n_neighbours = sum_over_neighbours(counts[:, :, None, None].expand(-1, -1, 2, -1), neighbour_pairs.sides)
        share = (1.0 + n_neighbours.square()).rsqrt() if self.smooth else 1.0 / n_neighbours.clamp_min(1.0)
        mean = sum_over_neighbours(messages, neighbour_pairs.sides) * share
        return Features(self.last_own(features[0].squeeze(2)) + mean.squeeze(2))

    def _surroundings(self, graph: Graph) -> Surroundings:
        difference = graph.pair_vectors()
        distance = difference.square().sum(-1).sqrt()
        # Kinks of the authors' radial functions would be rounded off by splines.
        sampled = node_distances(self.n_bins, self.cutoff_angstrom, distance.device) if self.smooth else distance
        return Surroundings(
            distance=distance,
            bins=SplineBins(distance, self.cutoff_angstrom, self.n_bins) if self.smooth else None,
            seen=sampled[:, None] if self.basis is None else self.basis(sampled),
            kernels=self.kernels(difference / distance[:, None]),
            envelope=cosine_cutoff(distance, self.cutoff_angstrom)[:, None] if self.smooth else None,
            sides=sides_of(graph),
        )
