"""Sums of messages over neighbours, for filters that both directions of a pair share."""

from torch import Tensor

from gpip.graphs.graph import Pairs


def pair_sum(filters: Tensor, values: Tensor, pairs: Pairs, antisymmetric: bool = False) -> Tensor:
    """sum_j W_ij * x_j over neighbours: filters [n_pairs, ...], values [n_atoms, ...] to [n_atoms, ...].

    The filter of j -> i is that of i -> j, or minus that when `antisymmetric`.
    """
    to_centre = filters * values[pairs.neighbour]
    to_neighbour = filters * values[pairs.centre]
    total = values.new_zeros(len(values), *to_centre.shape[1:])
    total = total.index_add(0, pairs.centre, to_centre)
    return total.index_add(0, pairs.neighbour, to_neighbour, alpha=-1 if antisymmetric else 1)
