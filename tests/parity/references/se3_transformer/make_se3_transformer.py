"""What the authors' SE(3)-Transformer computes: python make_se3_transformer.py CODE

Kernels, one attention block, energies and forces. CODE is a checkout of FabianFuchsML/se3-transformer-public, commit
a9010df. It computes in double precision here, on stand-ins for what it calls of DGL and lie_learn; its own assertions
check the latter. Writes se3_transformer.npz. Weights are those of seeded_weights by the authors' names; those of layer
norms have one added.
"""

import contextlib
import itertools
import json
import os
import sys
import types
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import seeded_weights  # noqa: E402

SEED, CUTOFF_ANGSTROM, N_FEATURES = 31, 3.0, 16
SETTINGS = {"n_layers": 2, "n_features": N_FEATURES, "n_channels": 4, "n_degrees": 4, "n_heads": 2, "division": 2}
SPECIES = np.array([8, 1, 1, 6, 7, 11])
CELLS = {"molecule": np.zeros((3, 3)), "crystal": np.array([[4.2, 0, 0], [1.0, 4.4, 0], [-0.8, 0.6, 4.1]])}


class Graph:
    """What the authors call of a DGL graph with edges source -> destination."""

    def __init__(self, source, destination, n_nodes):
        self.source, self.destination, self.n_nodes = source, destination, n_nodes
        self.ndata, self.edata = {}, {}

    @contextlib.contextmanager
    def local_scope(self):
        kept = dict(self.ndata), dict(self.edata)
        yield
        self.ndata, self.edata = kept

    def view(self):
        return types.SimpleNamespace(
            src={name: value[self.source] for name, value in self.ndata.items()},
            dst={name: value[self.destination] for name, value in self.ndata.items()},
            data=self.edata,
        )

    def apply_edges(self, function):
        self.edata |= function(self.view())

    def summed(self, values):
        return values.new_zeros(self.n_nodes, *values.shape[1:]).index_add(0, self.destination, values)

    def update_all(self, message, reduction):
        kind, taken, given = reduction
        result = self.summed(message(self.view())[taken])
        if kind == "mean":
            counts = torch.bincount(self.destination, minlength=self.n_nodes)
            result = result / counts.reshape(-1, *[1] * (result.ndim - 1))
        self.ndata[given] = result


def edge_softmax(graph, scores):
    weights = torch.exp(scores - scores.max())
    return weights / graph.summed(weights)[graph.destination]


def module(name, **contents):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(contents)


def wigner_d_matrix(degree, alpha, beta, gamma):
    """The matrix under which the authors' harmonics turn, fitted to them."""
    from equivariant_attention.from_se3cnn.representations import SphericalHarmonics
    from equivariant_attention.from_se3cnn.SO3 import rot

    points = torch.from_numpy(np.random.default_rng(0).normal(size=(100, 3)))
    points = points / points.norm(dim=1, keepdim=True)
    before, after = (
        SphericalHarmonics().get(degree, theta=torch.pi - torch.acos(at[:, 2]), phi=torch.atan2(at[:, 1], at[:, 0]))
        for at in (points, points @ rot(float(alpha), float(beta), float(gamma)).T)
    )
    return torch.linalg.lstsq(before, after).solution.T.numpy()


def install_stand_ins():
    def e_dot_v(edge, node, result):
        return lambda edges: {result: (edges.data[edge] * edges.dst[node]).sum(-1, keepdim=True)}

    function = {kind: lambda taken, given, kind=kind: (kind, taken, given) for kind in ("mean", "sum")}
    module("dgl", __version__="0.5")
    module("dgl.function", e_dot_v=e_dot_v, **function)
    sys.modules["dgl"].function = sys.modules["dgl.function"]
    module("dgl.nn")
    pooling = {name: lambda: None for name in ("AvgPooling", "MaxPooling")}
    module("dgl.nn.pytorch", GraphConv=None, NNConv=None)
    module("dgl.nn.pytorch.softmax", edge_softmax=edge_softmax)
    module("dgl.nn.pytorch.glob", **pooling)
    for name in ("lie_learn", "lie_learn.representations", "lie_learn.representations.SO3"):
        module(name)
    module("lie_learn.representations.SO3.wigner_d", wigner_D_matrix=wigner_d_matrix)
    module("utils.utils_logging", log_gradient_norm=lambda *_: None)
    torch.Tensor.float = torch.Tensor.double


def positions_of(cell):
    generator = np.random.default_rng(1)
    sites = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
    if cell.any():
        return sites / 2 @ cell + generator.uniform(-0.2, 0.2, sites.shape)
    return 1.6 * sites + generator.uniform(-0.3, 0.3, sites.shape)


def graph_of(positions, cell):
    """Every image of every atom within the cutoff."""
    images = list(itertools.product(range(-2, 3), repeat=3)) if cell.any() else [(0, 0, 0)]
    shifts = torch.tensor(np.array(images) @ cell)
    vectors = positions[None, :, None] + shifts - positions[:, None, None]
    near = (vectors.norm(dim=3) < CUTOFF_ANGSTROM) & (vectors.norm(dim=3) > 1e-9)
    centre, neighbour, image = torch.nonzero(near, as_tuple=True)
    graph = Graph(neighbour, centre, len(positions))
    graph.edata["d"] = positions[centre] - positions[neighbour] - shifts[image]
    return graph


def main():
    os.chdir(sys.argv[1])
    sys.path[:0] = [sys.argv[1], "experiments/qm9"]
    install_stand_ins()
    torch.set_default_dtype(torch.float64)
    from equivariant_attention.from_se3cnn import utils_steerable
    from equivariant_attention.modules import get_basis_and_r
    from models import SE3Transformer

    with contextlib.redirect_stdout(None):
        model = SE3Transformer(
            num_layers=SETTINGS["n_layers"],
            atom_feature_size=N_FEATURES,
            num_channels=SETTINGS["n_channels"],
            num_degrees=SETTINGS["n_degrees"],
            edge_dim=0,
            div=SETTINGS["division"],
            n_heads=SETTINGS["n_heads"],
        )
    blocks = model.Gblock[:-1]
    shapes = {}
    for name, parameter in blocks.named_parameters():
        shapes[name] = tuple(parameter.shape)
        value = seeded_weights.weight(name, shapes[name], SEED)
        is_norm = name.endswith("weight") and len(shapes[name]) == 1
        parameter.data = torch.from_numpy(value + is_norm)
    embedding = torch.from_numpy(seeded_weights.weight("embedding", (95, N_FEATURES), SEED) * N_FEATURES**0.5)
    readout = torch.from_numpy(seeded_weights.weight("readout", (N_FEATURES,), SEED) * 10)

    directions = torch.from_numpy(np.random.default_rng(2).normal(size=(20, 3)))
    spherical = utils_steerable.get_spherical_from_cartesian_torch(directions)
    arrays = {"directions": directions.numpy()}
    for degree, values in utils_steerable.precompute_sh(spherical, 3).items():
        arrays[f"harmonics/{degree}"] = values.numpy()
    bare = Graph(None, None, 0)
    bare.edata["d"] = directions
    for name, values in get_basis_and_r(bare, 3)[0].items():
        arrays[f"kernels/{name}"] = values[:3, 0, :, 0].numpy()

    for name, cell in CELLS.items():
        positions = torch.tensor(positions_of(cell), requires_grad=True)
        graph = graph_of(positions, cell)
        basis, distance = get_basis_and_r(graph, 3, compute_gradients=True)
        features = {"0": embedding[SPECIES][:, :, None]}
        for index, block in enumerate(blocks):
            features = block(features, G=graph, r=distance, basis=basis)
            if index == 2:  # the second attention: all degrees in and out
                arrays |= {f"{name}/attention/{degree}": value.detach().numpy() for degree, value in features.items()}
        energy = (features["0"].squeeze(2) @ readout).sum()
        (slope,) = torch.autograd.grad(energy, positions)
        arrays |= {f"{name}/positions": positions.detach().numpy(), f"{name}/cell": cell}
        arrays |= {f"{name}/energy": energy.item(), f"{name}/forces": -slope.numpy()}
        print(name, len(graph.source), energy.item(), slope.abs().max().item())
    settings = SETTINGS | {"cutoff_angstrom": CUTOFF_ANGSTROM}
    versions = {"se3-transformer-public": "a9010df", "torch": torch.__version__}
    arrays |= {"species": SPECIES, "seed": SEED, "shapes": json.dumps(shapes)}
    arrays |= {"settings": json.dumps(settings), "versions": json.dumps(versions)}
    np.savez_compressed(HERE / "se3_transformer.npz", **arrays)


if __name__ == "__main__":
    main()
