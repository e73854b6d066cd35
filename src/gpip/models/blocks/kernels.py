"""Compiled loops over pairs of neighbours, with filters that are splines of the distance; CPU only.

For each pair p of atoms i and j, W_f(r_p) = sum_t b_pt c_(k_p + t)f is worked out where it is used: nothing has the
size of pairs times features. Weights are u_p[direction, axis, head], direction 0 for what the centre i takes from j. An
axis of length one stands for all. The loops are compiled by numba at their first call and kept on disk.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from torch import Tensor

N_TAPS = 6
"""B-splines that are not zero in an interval, with zeros for those of lower degree."""
_LEAST_WORK = 200_000
"""Pairs times features for which starting threads pays."""
_threads = ThreadPoolExecutor(thread_name_prefix="gpip-kernel")
_compiled = numba.njit(nogil=True, fastmath=True, error_model="numpy", cache=True)


# Slices that begin at zero let the compiler see that no index is negative and use vector instructions.
@_compiled
def _sum(centre, neighbour, bins, taps, table, weights, values, out, first, last):
    n_axes, n_features = values.shape[1], values.shape[2]
    n_weight_axes, n_heads = weights.shape[2], weights.shape[3]
    size = n_features // n_heads
    filters = np.empty(n_features, values.dtype)
    for p in range(len(centre)):
        i, j, k = centre[p], neighbour[p], bins[p]
        t0, t1, t2, t3, t4, t5 = taps[p, 0], taps[p, 1], taps[p, 2], taps[p, 3], taps[p, 4], taps[p, 5]
        c0, c1 = table[k, first:last], table[k + 1, first:last]
        c2, c3 = table[k + 2, first:last], table[k + 3, first:last]
        c4, c5 = table[k + 4, first:last], table[k + 5, first:last]
        part = filters[first:last]
        for f in range(last - first):
            part[f] = t0 * c0[f] + t1 * c1[f] + t2 * c2[f] + t3 * c3[f] + t4 * c4[f] + t5 * c5[f]
        for a in range(n_axes):
            for h in range(n_heads):
                begin, end = max(h * size, first), min((h + 1) * size, last)
                if begin >= end:
                    continue
                to_i = weights[p, 0, min(a, n_weight_axes - 1), h]
                to_j = weights[p, 1, min(a, n_weight_axes - 1), h]
                w = filters[begin:end]
                x_i, x_j = values[i, a, begin:end], values[j, a, begin:end]
                out_i, out_j = out[i, a, begin:end], out[j, a, begin:end]
                for f in range(end - begin):
                    out_i[f] += to_i * w[f] * x_j[f]
                for f in range(end - begin):
                    out_j[f] += to_j * w[f] * x_i[f]


@_compiled
def _products(centre, neighbour, bins, taps, table, left, right, out, first, last):
    n_axes, n_features = right.shape[1], right.shape[2]
    n_out_axes, n_heads = out.shape[2], out.shape[3]
    size = n_features // n_heads
    filters = np.empty(n_features, right.dtype)
    for p in range(first, last):
        i, j, k = centre[p], neighbour[p], bins[p]
        t0, t1, t2, t3, t4, t5 = taps[p, 0], taps[p, 1], taps[p, 2], taps[p, 3], taps[p, 4], taps[p, 5]
        c0, c1, c2, c3, c4, c5 = table[k], table[k + 1], table[k + 2], table[k + 3], table[k + 4], table[k + 5]
        for f in range(n_features):
            filters[f] = t0 * c0[f] + t1 * c1[f] + t2 * c2[f] + t3 * c3[f] + t4 * c4[f] + t5 * c5[f]
        for a in range(n_axes):
            for h in range(n_heads):
                begin, end = h * size, (h + 1) * size
                w = filters[begin:end]
                g_i, g_j = left[i, a, begin:end], left[j, a, begin:end]
                x_i, x_j = right[i, a, begin:end], right[j, a, begin:end]
                of_i, of_j = right.dtype.type(0), right.dtype.type(0)
                for f in range(size):
                    of_i += w[f] * g_i[f] * x_j[f]
                for f in range(size):
                    of_j += w[f] * g_j[f] * x_i[f]
                out[p, 0, min(a, n_out_axes - 1), h] += of_i
                out[p, 1, min(a, n_out_axes - 1), h] += of_j


@_compiled
def _collected(centre, neighbour, bins, taps, weights, left, right, out, first, last):
    n_axes, n_features = right.shape[1], right.shape[2]
    n_weight_axes, n_heads = weights.shape[2], weights.shape[3]
    size = n_features // n_heads
    products = np.empty(n_features, right.dtype)
    for p in range(len(centre)):
        i, j, k = centre[p], neighbour[p], bins[p]
        products[first:last] = 0
        for a in range(n_axes):
            for h in range(n_heads):
                begin, end = max(h * size, first), min((h + 1) * size, last)
                if begin >= end:
                    continue
                to_i = weights[p, 0, min(a, n_weight_axes - 1), h]
                to_j = weights[p, 1, min(a, n_weight_axes - 1), h]
                m = products[begin:end]
                g_i, g_j = left[i, a, begin:end], left[j, a, begin:end]
                x_i, x_j = right[i, a, begin:end], right[j, a, begin:end]
                for f in range(end - begin):
                    m[f] += to_i * g_i[f] * x_j[f]
                for f in range(end - begin):
                    m[f] += to_j * g_j[f] * x_i[f]
        m = products[first:last]
        for t in range(N_TAPS):
            tap, row = taps[p, t], out[k + t, first:last]
            for f in range(last - first):
                row[f] += tap * m[f]


def usable(tensor: Tensor) -> bool:
    """Whether the loops run where the tensor is."""
    return tensor.device.type == "cpu"


def weighted_sum(
    centre: Tensor, neighbour: Tensor, bins: Tensor, taps: Tensor, table: Tensor, weights: Tensor, values: Tensor
) -> Tensor:
    """sum_j u_ij W_ij * x_j, [n_atoms, n_axes, n].

    Args:
        centre: [n_pairs] int64, as the next two.
        neighbour: Other end.
        bins: First row of the table that counts.
        taps: [n_pairs, 6] B-splines.
        table: [n_rows, n] coefficients, in the dtype of the others.
        weights: [n_pairs, 2, n_axes or 1, n_heads].
        values: [n_atoms, n_axes, n].
    """
    out = torch.zeros_like(values, memory_format=torch.contiguous_format)
    arrays = _arrays(centre, neighbour, bins, taps, table, weights, values, out)
    _share(_sum, arrays, values.shape[2], len(centre) * values.shape[2])
    return out


def weighted_products(
    centre: Tensor,
    neighbour: Tensor,
    bins: Tensor,
    taps: Tensor,
    table: Tensor,
    left: Tensor,
    right: Tensor,
    n_out_axes: int,
    n_heads: int,
) -> Tensor:
    """sum over the features of a head, and over axes if n_out_axes is 1, of W g_i x_j and W g_j x_i.

    Returns [n_pairs, 2, n_out_axes, n_heads] of left g and right x, [n_atoms, n_axes, n]; the others as above.
    """
    out = right.new_zeros(len(centre), 2, n_out_axes, n_heads)
    arrays = _arrays(centre, neighbour, bins, taps, table, left, right, out)
    _share(_products, arrays, len(centre), len(centre) * right.shape[2])
    return out


def collected(
    centre: Tensor,
    neighbour: Tensor,
    bins: Tensor,
    taps: Tensor,
    weights: Tensor,
    left: Tensor,
    right: Tensor,
    n_rows: int,
) -> Tensor:
    """sum_p b_p (u_p0 g_i * x_j + u_p1 g_j * x_i), [n_rows, n]: the slope of the others with their table."""
    out = right.new_zeros(n_rows, right.shape[2])
    arrays = _arrays(centre, neighbour, bins, taps, weights, left, right, out)
    _share(_collected, arrays, right.shape[2], len(centre) * right.shape[2])
    return out


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [(tensor if tensor.is_contiguous() else tensor.contiguous()).numpy() for tensor in tensors]


def _share(kernel: numba.core.dispatcher.Dispatcher, arrays: list[np.ndarray], n: int, work: int) -> None:
    """Run a kernel over a range of n, cut into one part a thread where that pays; the parts share no number."""
    n_threads = min(torch.get_num_threads(), n // 16) if work > _LEAST_WORK else 1
    if n_threads <= 1:
        kernel(*arrays, 0, n)
        return
    ends = [n * part // n_threads for part in range(n_threads + 1)]
    first, *others = itertools.pairwise(ends)
    running = [_threads.submit(kernel, *arrays, *part) for part in others]
    kernel(*arrays, *first)
    for part in running:
        part.result()
