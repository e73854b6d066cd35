"""MACE and NequIP, for context: other networks, at the sizes that their users begin with."""

import ase
import numpy as np
import torch
from case import CUTOFF_ANGSTROM, Case
from torch import Tensor
from water import Box


class MACE(Case):
    """Two layers, 64 invariant channels, correlation 3."""

    packages = ("mace-torch", "e3nn")

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        from mace import modules

        # After mace, which sets how its files are loaded.
        from e3nn import o3  # isort: skip

        interaction = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
        self.module = modules.ScaleShiftMACE(
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
            r_max=CUTOFF_ANGSTROM,
            num_bessel=8,
            num_polynomial_cutoff=5,
            max_ell=3,
            interaction_cls=interaction,
            interaction_cls_first=interaction,
            num_interactions=2,
            num_elements=2,
            hidden_irreps=o3.Irreps("64x0e"),
            MLP_irreps=o3.Irreps("16x0e"),
            gate=torch.nn.functional.silu,
            atomic_energies=np.zeros(2),
            avg_num_neighbors=52.0,
            atomic_numbers=[1, 8],
            correlation=3,
        ).float()
        torch.set_default_dtype(torch.float32)

    def place(self, boxes: list[Box]) -> None:
        super().place(boxes)
        from mace import data, tools
        from mace.tools.torch_geometric.batch import Batch

        table = tools.AtomicNumberTable([1, 8])
        atoms = [ase.Atoms(box.species, box.positions, cell=box.cell, pbc=True) for box in boxes]
        configurations = [data.config_from_atoms(each) for each in atoms]
        graphs = [data.AtomicData.from_config(each, z_table=table, cutoff=CUTOFF_ANGSTROM) for each in configurations]
        self.inputs = Batch.from_data_list(graphs).to_dict()

    def predict(self) -> tuple[Tensor, Tensor]:
        result = self.module(dict(self.inputs), training=self.module.training)
        return result["energy"], result["forces"]

    def calculator(self):
        from mace.calculators import MACECalculator

        return MACECalculator(models=[self.module], device="cpu", default_dtype="float32")


class NequIP(Case):
    """Three layers, 32 features of degrees 0 and 1, without compilation."""

    packages = ("nequip", "e3nn")

    def __init__(self, network: str, boxes: list[Box]) -> None:
        super().__init__(network, boxes)
        from nequip.model import NequIPGNNModel
        from nequip.utils.global_state import set_global_state

        set_global_state()
        self.module = NequIPGNNModel(
            seed=0,
            model_dtype="float32",
            r_max=CUTOFF_ANGSTROM,
            type_names=["H", "O"],
            num_layers=3,
            l_max=1,
            parity=False,
            num_features=32,
            avg_num_neighbors=52.0,
            compile_mode="eager",
        )

    def place(self, boxes: list[Box]) -> None:
        super().place(boxes)
        given = self.given
        self.inputs = {
            "pos": given["positions"].double(),
            "atom_types": (given["species"] == 8).long(),
            "edge_index": torch.stack([given["centre"], given["neighbour"]]),
            "edge_cell_shift": torch.round(given["offset"] / given["cells"][0, 0, 0]).double(),
            "cell": given["cells"].double(),
            "pbc": torch.ones(len(boxes), 3, dtype=torch.bool),
            "batch": given["batch"],
            "num_atoms": torch.bincount(given["batch"]),
        }

    def predict(self) -> tuple[Tensor, Tensor]:
        result = self.module(dict(self.inputs))
        return result["total_energy"].squeeze(1), result["forces"]

    def calculator(self):
        from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
        from nequip.integrations.ase import NequIPCalculator

        names = ["H", "O"]
        to_types = ChemicalSpeciesToAtomTypeMapper(
            model_type_names=names, chemical_species_to_atom_type_map={name: name for name in names}
        )
        neighbours = NeighborListTransform(r_max=CUTOFF_ANGSTROM)
        return NequIPCalculator(self.module.eval(), "cpu", transforms=[to_types, neighbours])
