"""SchNet, PaiNN and the equivariant transformer of public packages: schnetpack, PyTorch Geometric, torchmd-net."""

import importlib.metadata
import typing

import torch
import torch.utils.data.dataloader
from case import CUTOFF_ANGSTROM, Case
from torch import Tensor
from water import Box


def slope(energy: Tensor, positions: Tensor, training: bool) -> Tensor:
    return -torch.autograd.grad(energy.sum(), positions, create_graph=training)[0]


class SchNetPack(Case):
    """schnetpack 2 with its own model, forces and calculator."""

    packages = ("schnetpack",)

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        # schnetpack 2.1.1 imports a name that newer versions of torch no longer have.
        torch.utils.data.dataloader.T_co = typing.TypeVar("T_co")
        import schnetpack as spk

        cutoff = spk.nn.CosineCutoff(CUTOFF_ANGSTROM)
        if network == "SchNet 6 x 128":
            basis = spk.nn.GaussianRBF(n_rbf=50, cutoff=CUTOFF_ANGSTROM)
            representation = spk.representation.SchNet(128, 6, basis, cutoff)
        else:
            basis = spk.nn.BesselRBF(n_rbf=20, cutoff=CUTOFF_ANGSTROM)
            representation = spk.representation.PaiNN(128, 3, basis, cutoff)
        self.module = spk.model.NeuralNetworkPotential(
            representation,
            input_modules=[spk.atomistic.PairwiseDistances()],
            output_modules=[spk.atomistic.Atomwise(128, n_hidden=128, output_key="energy"), spk.atomistic.Forces()],
        )

    def place(self, boxes: list[Box]) -> None:
        super().place(boxes)
        given = self.given
        self.inputs = {
            "_atomic_numbers": given["species"],
            "_positions": given["positions"],
            "_idx_i": given["centre"],
            "_idx_j": given["neighbour"],
            "_offsets": given["offset"],
            "_idx_m": given["batch"],
            "_n_atoms": torch.bincount(given["batch"]),
            "_cell": given["cells"],
            "_pbc": torch.ones(len(boxes), 3, dtype=torch.bool),
        }

    def predict(self) -> tuple[Tensor, Tensor]:
        result = self.module(dict(self.inputs))
        return result["energy"], result["forces"]

    def calculator(self):
        from schnetpack.interfaces.ase_interface import SpkCalculator
        from schnetpack.transform import MatScipyNeighborList, SkinNeighborList

        module = self.module

        class OfModel(SpkCalculator):
            """It reads models with a call that torch 2.6 and later refuse."""

            def _load_model(self, _: str) -> torch.nn.Module:
                return module

        neighbours = SkinNeighborList(MatScipyNeighborList(cutoff=CUTOFF_ANGSTROM), cutoff_skin=0.5)
        return OfModel("", neighbours, energy_unit="eV", device="cpu")


class PyG(Case):
    """SchNet of PyTorch Geometric, which has no calculator."""

    packages = ("torch_geometric",)

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        from torch_geometric.nn.models import SchNet

        self.module = SchNet(128, 128, 6, 50, CUTOFF_ANGSTROM, interaction_graph=self._graph)

    def _graph(self, positions: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
        centre, neighbour = self.given["centre"], self.given["neighbour"]
        vectors = positions[neighbour] - positions[centre] + self.given["offset"]
        return torch.stack([neighbour, centre]), vectors.norm(dim=1)

    def predict(self) -> tuple[Tensor, Tensor]:
        positions = self.given["positions"].detach().requires_grad_(True)
        energy = self.module(self.given["species"], positions, self.given["batch"]).squeeze(1)
        return energy, slope(energy, positions, self.module.training)


SIZES_OF_ET = {"ET 6 x 256": (6, 256, 32), "ET 3 x 64": (3, 64, 16)}
"""Layers, features, radial functions."""


class TorchMDNet(Case):
    """torchmd-net, which finds neighbours in every call of the network."""

    packages = ("torchmd-net", "warp-lang")

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        from torchmdnet.models.model import create_model

        n_layers, n_features, n_radial = SIZES_OF_ET[network]
        self.module = create_model(
            {
                "model": "equivariant-transformer",
                "embedding_dimension": n_features,
                "num_layers": n_layers,
                "num_rbf": n_radial,
                "rbf_type": "expnorm",
                "trainable_rbf": True,
                "activation": "silu",
                "attn_activation": "silu",
                "num_heads": 8,
                "distance_influence": "both",
                "neighbor_embedding": True,
                "vector_cutoff": True,
                "cutoff_lower": 0.0,
                "cutoff_upper": CUTOFF_ANGSTROM,
                "max_z": 95,
                "max_num_neighbors": 80,
                "derivative": True,
                "atom_filter": -1,
                "prior_model": None,
                "output_model": "Scalar",
                "reduce_op": "add",
                "precision": 32,
            }
        )

    def predict(self) -> tuple[Tensor, Tensor]:
        given = self.given
        positions = given["positions"].detach().requires_grad_(True)
        energy, forces = self.module(given["species"], positions, given["batch"], given["cells"][0])
        return energy.squeeze(1), forces

    def calculator(self):
        from ase.calculators.calculator import Calculator, all_changes

        module, species, batch = self.module.eval(), self.given["species"], self.given["batch"]

        class OfModel(Calculator):
            """That of torchmd-net reads models from checkpoints only; this one makes the same call."""

            implemented_properties = ["energy", "forces"]

            def calculate(self, atoms=None, properties=None, system_changes=all_changes):
                super().calculate(atoms, properties, system_changes)
                positions = torch.from_numpy(self.atoms.positions).float().requires_grad_(True)
                energy, forces = module(species, positions, batch, torch.from_numpy(self.atoms.cell.array).float())
                self.results = {"energy": energy.item(), "forces": forces.detach().double().numpy()}

        return OfModel()


def versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
