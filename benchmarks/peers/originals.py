"""Networks from their authors' code: GemNet-T, SphereNet, EGNN, SE(3)-Transformer.

Where these need torch_scatter, torch_sparse, dgl or lie_learn, for which there are no wheels, they run on the stand-ins
of the parity tests. Folders of sources that are no packages come from environment variables: EGNN_SOURCE (a checkout of
vgsatorras/egnn), SE3_SOURCE (FabianFuchsML/se3-transformer-public), FAIRCHEM_SOURCE (the unpacked wheel of
fairchem-core 1.10.0).
"""

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from case import CUTOFF_ANGSTROM, Case
from packages import slope
from torch import Tensor, nn
from water import Box

REFERENCES = Path(__file__).parents[2] / "tests/parity/references"


def _source(variable: str) -> str:
    if variable not in os.environ:
        raise SystemExit(f"{variable} is not set: it names the folder of the authors' code (see {__file__})")
    return os.environ[variable]


class EnergyHead(nn.Module):
    """As ours, where the original has none of its own."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, n_features), nn.SiLU(), nn.Linear(n_features, 1))

    def forward(self, scalars: Tensor, batch: Tensor, n_boxes: int) -> Tensor:
        return scalars.new_zeros(n_boxes).index_add(0, batch, self.layers(scalars).squeeze(1))


class EGNN(Case):
    """The authors' layers. They know no periodic images: the same work as ours, other distances."""

    packages = ()

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        sys.path.insert(0, _source("EGNN_SOURCE"))
        from models.egnn_clean.egnn_clean import E_GCL

        layers = [E_GCL(256, 256, 256, attention=True, normalize=True, tanh=True) for _ in range(5)]
        self.module = nn.ModuleDict(
            {"embedding": nn.Embedding(95, 256), "layers": nn.ModuleList(layers), "head": EnergyHead(256)}
        )

    def predict(self) -> tuple[Tensor, Tensor]:
        given = self.given
        positions = given["positions"].detach().requires_grad_(True)
        scalars, coordinates = self.module["embedding"](given["species"]), positions
        for layer in self.module["layers"]:
            scalars, coordinates, _ = layer(scalars, [given["centre"], given["neighbour"]], coordinates)
        energy = self.module["head"](scalars, given["batch"], len(self.boxes))
        return energy, slope(energy, positions, self.module.training)


SIZES_OF_GEMNET = {"GemNet-T 4 x 128": (4, 128), "GemNet-T 3 x 64": (3, 64)}
"""Blocks, features of atoms and edges."""


class FairchemGemNet(Case):
    """GemNet-T of fairchem-core 1.10.0. Its triplets are found once, before the timing."""

    packages = ()

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        sys.path[:0] = [_source("FAIRCHEM_SOURCE"), str(REFERENCES)]
        import stand_ins

        stand_ins.install()
        from fairchem.core.models.base import GraphData
        from fairchem.core.models.gemnet.gemnet import GemNetT

        case = self

        class Original(GemNetT):
            def generate_graph(self, data: SimpleNamespace) -> GraphData:
                given = case.given
                vectors = data.pos[given["neighbour"]] - data.pos[given["centre"]] + given["offset"]
                edges = torch.stack([given["neighbour"], given["centre"]])
                shift = torch.round(given["offset"] / given["cells"][0, 0, 0])
                n_edges = torch.bincount(given["batch"][given["centre"]])
                return GraphData(edges, vectors.norm(dim=1), vectors, shift, None, n_edges, None, None)

            def get_triplets(self, edge_index: Tensor, num_atoms: int) -> tuple[Tensor, ...]:
                if case.triplets is None:
                    case.triplets = super().get_triplets(edge_index, num_atoms)
                return case.triplets

        n_blocks, n_features = SIZES_OF_GEMNET[network]
        size = {"num_spherical": 7, "num_radial": 6, "num_blocks": n_blocks}
        size |= {"emb_size_atom": n_features, "emb_size_edge": n_features}
        size |= {"emb_size_trip": n_features // 2, "emb_size_bil_trip": n_features // 2}
        size |= {"emb_size_rbf": 16, "emb_size_cbf": 16}
        size |= {"num_before_skip": 1, "num_after_skip": 1, "num_concat": 1, "num_atom": 2, "cutoff": CUTOFF_ANGSTROM}
        self.module = Original(**size, rbf={"name": "gaussian"}, otf_graph=True, activation="silu")

    def place(self, boxes: list[Box]) -> None:
        super().place(boxes)
        self.triplets = None

    def predict(self) -> tuple[Tensor, Tensor]:
        given = self.given
        data = SimpleNamespace(pos=given["positions"].detach(), atomic_numbers=given["species"], batch=given["batch"])
        result = self.module(data)
        return result["energy"].squeeze(1), result["forces"]


class DIGSphereNet(Case):
    """SphereNet of dive-into-graphs. It knows no periodic images: the same edges as ours, other distances."""

    packages = ("dive-into-graphs",)

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        sys.path[:0] = [str(REFERENCES), str(REFERENCES / "spherenet")]
        from make import SIZE, original_module

        module = original_module()
        module.radius_graph = lambda *_, **__: torch.stack([self.given["neighbour"], self.given["centre"]])
        self.module = module.SphereNet(**SIZE, cutoff=CUTOFF_ANGSTROM, energy_and_force=True)

    def predict(self) -> tuple[Tensor, Tensor]:
        given = self.given
        data = SimpleNamespace(z=given["species"], pos=given["positions"].detach(), batch=given["batch"])
        energy = self.module(data).squeeze(1)
        return energy, slope(energy, data.pos, self.module.training)


class FuchsSE3(Case):
    """The authors' SE(3)-Transformer, on stand-ins for dgl and lie_learn."""

    packages = ()

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        source = _source("SE3_SOURCE")
        sys.path[:0] = [source, str(Path(source) / "experiments/qm9"), str(REFERENCES / "se3_transformer")]
        os.chdir(source)
        import make_se3_transformer as originals

        to_float = torch.Tensor.float
        originals.install_stand_ins()
        # Their harmonics are fitted in double precision; the network computes in single precision.
        torch.set_default_dtype(torch.float64)
        from equivariant_attention.modules import get_basis_and_r
        from models import SE3Transformer

        with contextlib.redirect_stdout(sys.stderr):
            size = {"num_layers": 3, "atom_feature_size": 32, "num_channels": 8, "num_degrees": 4, "edge_dim": 0}
            model = SE3Transformer(**size, div=4, n_heads=2)
            bare = originals.Graph(None, None, 0)
            bare.edata["d"] = torch.from_numpy(np.random.default_rng(2).normal(size=(20, 3)))
            get_basis_and_r(bare, 3)
        torch.Tensor.float = to_float
        torch.set_default_dtype(torch.float32)
        self.graph_of, self.basis_of = originals.Graph, get_basis_and_r
        self.module = nn.ModuleDict(
            {"embedding": nn.Embedding(95, 32), "blocks": model.Gblock[:-1].float(), "head": EnergyHead(32)}
        ).float()

    def predict(self) -> tuple[Tensor, Tensor]:
        given = self.given
        positions = given["positions"].detach().requires_grad_(True)
        graph = self.graph_of(given["neighbour"], given["centre"], self.n_atoms)
        graph.edata["d"] = positions[given["centre"]] - positions[given["neighbour"]] - given["offset"]
        basis, distance = self.basis_of(graph, 3, compute_gradients=True)
        basis = {name: value.float() for name, value in basis.items()}
        features = {"0": self.module["embedding"](given["species"])[:, :, None]}
        for block in self.module["blocks"]:
            features = block(features, G=graph, r=distance.float(), basis=basis)
        energy = self.module["head"](features["0"].squeeze(2), given["batch"], len(self.boxes))
        return energy, slope(energy, positions, self.module.training)
