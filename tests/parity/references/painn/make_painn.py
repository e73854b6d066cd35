"""Energies and forces of schnetpack's PaiNN with random weights: python make_painn.py

Needs schnetpack 2.1.1 (`pip install --no-deps schnetpack matscipy fasteners dirsync ...`) beside torch and vesin.
"""

import json
import typing
from pathlib import Path

import numpy as np
import torch
import torch.utils.data.dataloader
import vesin

# schnetpack 2.1.1 imports a name that newer versions of torch no longer have.
torch.utils.data.dataloader.T_co = typing.TypeVar("T_co")
import schnetpack as spk  # noqa: E402

CUTOFF_ANGSTROM = 4.0
SPECIES = np.array([8, 1, 1, 6, 7, 11])
CELLS = {"molecule": np.zeros((3, 3)), "crystal": np.array([[5.0, 0, 0], [1.0, 5.4, 0], [-0.8, 0.6, 6.1]])}


def positions_of(cell: np.ndarray) -> np.ndarray:
    """Six atoms at least 1.5 Å apart."""
    generator = np.random.default_rng(1)
    sites = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]]) / 2.0
    box = cell if cell.any() else 4.0 * np.eye(3)
    return sites @ box + generator.uniform(-0.3, 0.3, sites.shape)


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    model = spk.representation.PaiNN(
        n_atom_basis=12,
        n_interactions=3,
        radial_basis=spk.nn.BesselRBF(n_rbf=8, cutoff=CUTOFF_ANGSTROM),
        cutoff_fn=spk.nn.CosineCutoff(CUTOFF_ANGSTROM),
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    readout = torch.randn(12)
    arrays = {f"weights/{name}": value.numpy() for name, value in model.state_dict().items()}
    arrays |= {"readout": readout.numpy(), "species": SPECIES}
    for name, cell in CELLS.items():
        positions = torch.tensor(positions_of(cell), requires_grad=True)
        engine = vesin.NeighborList(cutoff=CUTOFF_ANGSTROM, full_list=True)
        i, j, shift = engine.compute(positions.detach().numpy(), cell, bool(cell.any()), "ijS")
        i, j = (torch.from_numpy(part.astype(np.int64)) for part in (i, j))
        vectors = positions[j] - positions[i] + torch.from_numpy(shift @ cell)
        inputs = {"_atomic_numbers": torch.tensor(SPECIES), "_Rij": vectors, "_idx_i": i, "_idx_j": j}
        result = model(inputs)
        vector_part = result["vector_representation"].square().sum(1)
        energy = ((result["scalar_representation"] + vector_part) @ readout).sum()
        (slope,) = torch.autograd.grad(energy, positions)
        arrays |= {f"{name}/positions": positions.detach().numpy(), f"{name}/cell": cell}
        arrays |= {f"{name}/energy": energy.item(), f"{name}/forces": -slope.numpy()}
        print(name, energy.item(), slope.abs().max().item(), len(i))
    settings = {"n_layers": 3, "n_features": 12, "n_radial": 8, "cutoff_angstrom": CUTOFF_ANGSTROM}
    versions = {"schnetpack": spk.__version__, "torch": torch.__version__}
    arrays |= {"settings": json.dumps(settings), "versions": json.dumps(versions)}
    np.savez_compressed(Path(__file__).with_name("painn.npz"), **arrays)


if __name__ == "__main__":
    main()
