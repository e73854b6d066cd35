"""What the originals call of torch_scatter and torch_sparse, in plain torch, for where those are not installed."""

import sys
import types

import torch


def scatter(src, index, dim=0, dim_size=None, reduce="sum"):
    assert dim == 0
    size = int(index.max()) + 1 if dim_size is None else int(dim_size)
    empty = src.new_zeros(size, *src.shape[1:])
    if reduce in ("sum", "add"):
        return empty.index_add(0, index, src)
    assert reduce == "min"
    return empty.index_reduce(0, index, src, "amin", include_self=False)


class SparseTensor:
    """Entries sorted by row and column; several may share both."""

    def __init__(self, row, col, value=None, sparse_sizes=None):
        order = torch.argsort(row * sparse_sizes[1] + col, stable=True)
        self.rows, self.cols = row[order], col[order]
        self.values = None if value is None else value[order]
        self.sizes = sparse_sizes
        self.storage = types.SimpleNamespace(row=lambda: self.rows, col=lambda: self.cols, value=lambda: self.values)

    def __getitem__(self, chosen):
        n_entries = torch.bincount(self.rows, minlength=self.sizes[0])
        first, n = (torch.cumsum(n_entries, 0) - n_entries)[chosen], n_entries[chosen]
        rows = torch.repeat_interleave(n)
        entries = torch.arange(int(n.sum())) - (torch.cumsum(n, 0) - n - first)[rows]
        result = SparseTensor.__new__(SparseTensor)
        result.rows, result.cols, result.sizes = rows, self.cols[entries], (len(chosen), self.sizes[1])
        result.values = None if self.values is None else self.values[entries]
        result.storage = types.SimpleNamespace(
            row=lambda: result.rows, col=lambda: result.cols, value=lambda: result.values
        )
        return result

    def set_value(self, value):
        assert value is None
        return self

    def sum(self, dim):
        assert dim == 1
        return torch.bincount(self.rows, minlength=self.sizes[0])


def install():
    """Make `import torch_scatter` and `import torch_sparse` find these."""
    torch_scatter, torch_sparse = types.ModuleType("torch_scatter"), types.ModuleType("torch_sparse")
    torch_scatter.scatter = scatter
    torch_scatter.segment_csr = lambda src, indptr, reduce="sum": torch.stack(
        [src[a:b].sum(0) for a, b in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)]
    )
    torch_scatter.segment_coo = None
    torch_sparse.SparseTensor = SparseTensor
    sys.modules |= {"torch_scatter": torch_scatter, "torch_sparse": torch_sparse}
