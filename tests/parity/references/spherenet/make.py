"""Reference energies and forces of SphereNet from dive-into-graphs (DIG) 1.1.0, its authors' code.

Needs dive-into-graphs 1.1.0 (its files are enough), torch_geometric, scipy and sympy; writes spherenet.json.
The weights are those of seeded_weights, with the same last linear map in each output block, since ours share one.
DIG has no periodic boxes, and its neighbour list keeps 32 neighbours at most: the molecules here are smaller.
"""

import importlib
import json
import math
import sys
import types
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import seeded_weights  # noqa: E402
import stand_ins  # noqa: E402

SEED = 21
SIZE = {
    "num_layers": 4,
    "hidden_channels": 128,
    "int_emb_size": 64,
    "basis_emb_size_dist": 8,
    "basis_emb_size_angle": 8,
    "basis_emb_size_torsion": 8,
    "out_emb_channels": 256,
    "num_spherical": 3,
    "num_radial": 6,
    "envelope_exponent": 5,
}
CUTOFF = 5.0


def original_module() -> types.ModuleType:
    """The module of SphereNet, without the packages above it, which import much that it does not need."""
    stand_ins.install()
    np.math = math
    place = Path(util.find_spec("dig").submodule_search_locations[0])
    for name in ("dig.threedgraph", "dig.threedgraph.method", "dig.threedgraph.method.spherenet"):
        package = types.ModuleType(name)
        package.__path__ = [str(place.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    return importlib.import_module("dig.threedgraph.method.spherenet.spherenet")


class ExactTorch:
    """torch, with a cross product of a vector with itself that is zero.

    DIG takes the least of the angles from k to the neighbours of j, where that from k to itself is to count as a full
    turn. Fused multiplication leaves 1e-17 of it instead, in every other triplet, which is then the least.
    """

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def cross(a, b):
        first, second = a.roll(-1, 1) * b.roll(-2, 1), a.roll(-2, 1) * b.roll(-1, 1)
        return first - second


def radius_graph(positions, r, batch):
    apart = torch.cdist(positions, positions)
    centre, neighbour = torch.nonzero((apart < r) & ~torch.eye(len(apart), dtype=torch.bool), as_tuple=True)
    return torch.stack([neighbour, centre])


def frames() -> dict[str, dict]:
    generator = np.random.default_rng(SEED)
    grid = np.indices((4, 4, 4)).reshape(3, -1).T
    results = {}
    for name, n_atoms, spacing in (("compact", 9, 1.4), ("wide", 12, 2.3)):
        positions = spacing * generator.permutation(grid)[:n_atoms] + generator.normal(0, 0.15, (n_atoms, 3))
        species = generator.choice([1, 6, 7, 8, 16], n_atoms)
        results[name] = {"species": species.tolist(), "positions": positions.tolist()}
    return results


def main() -> None:
    module = original_module()
    module.radius_graph = radius_graph
    sys.modules["dig.threedgraph.utils.geometric_computing"].torch = ExactTorch()
    model = module.SphereNet(**SIZE, cutoff=CUTOFF, energy_and_force=True).double()
    for name, parameter in model.named_parameters():
        key = "last" if name.startswith(("init_v.lin.", "update_vs.")) and name.endswith(".lin.weight") else name
        value = seeded_weights.weight(key, tuple(parameter.shape), SEED)
        if name.endswith("freq"):
            value = np.pi * (np.arange(1, 7) + value)
        parameter.data = torch.as_tensor(value)
    given, results = frames(), {}
    for name, frame in given.items():
        data = SimpleNamespace(
            z=torch.tensor(frame["species"]),
            pos=torch.tensor(frame["positions"], dtype=torch.float64),
            batch=torch.zeros(len(frame["species"]), dtype=torch.int64),
        )
        energy = model(data).sum()
        forces = -torch.autograd.grad(energy, data.pos)[0]
        results[name] = {"energy": energy.item(), "forces": forces.tolist()}
        print(name, energy.item(), forces.abs().max().item())
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    versions = {name: metadata.version(name) for name in ("torch", "torch_geometric", "numpy", "scipy", "sympy")}
    versions["dive-into-graphs"] = "1.1.0"
    record = {"versions": versions, "seed": SEED, "shapes": shapes, "frames": given, "results": results}
    (HERE / "spherenet.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
