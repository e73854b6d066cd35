"""Energies and forces of torchmd-net's equivariant transformer with random weights: python make_et.py

Needs torchmd-net 3.1.0 with warp-lang (`pip install --no-deps torchmd-net warp-lang`, lightning, ase) beside torch.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import torch
from torchmdnet.models.torchmd_et import TorchMD_ET

CUTOFF_ANGSTROM = 3.0
SPECIES = np.array([8, 1, 1, 6, 7, 11])
# Reduced, and no shorter than twice the cutoff, as torchmd-net asks for.
CELLS = {"molecule": np.zeros((3, 3)), "crystal": np.array([[6.2, 0, 0], [1.0, 6.4, 0], [-0.8, 0.6, 6.1]])}


def positions_of(cell: np.ndarray) -> np.ndarray:
    """Six atoms, some of which see each other across the faces of the cell."""
    generator = np.random.default_rng(1)
    sites = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
    if cell.any():
        return np.where(sites, 0.8, 0.1) @ cell + generator.uniform(-0.3, 0.3, sites.shape)
    return 1.6 * sites + generator.uniform(-0.3, 0.3, sites.shape)


def main() -> None:
    arrays = {"species": SPECIES}
    for vector_cutoff in (True, False):
        torch.manual_seed(1)
        model = TorchMD_ET(
            hidden_channels=12,
            num_layers=3,
            num_rbf=8,
            num_heads=3,
            cutoff_upper=CUTOFF_ANGSTROM,
            max_num_neighbors=64,
            max_z=95,
            vector_cutoff=vector_cutoff,
            dtype=torch.float64,
        ).double()
        for name, parameter in model.named_parameters():
            if not name.startswith("distance_expansion"):
                torch.nn.init.normal_(parameter, std=0.4)
        readout = torch.randn(12, dtype=torch.float64)
        if vector_cutoff:
            arrays |= {f"weights/{name}": value.numpy() for name, value in model.state_dict().items()}
            arrays["readout"] = readout.numpy()
        for name, cell in CELLS.items():
            positions = torch.tensor(positions_of(cell), requires_grad=True)
            box = torch.tensor(cell) if cell.any() else None
            scalars, vectors, *_ = model(
                torch.tensor(SPECIES), positions, torch.zeros(len(SPECIES), dtype=torch.long), box
            )
            energy = ((scalars + vectors.square().sum(1)) @ readout).sum()
            (slope,) = torch.autograd.grad(energy, positions)
            case = f"{name}/{'cut' if vector_cutoff else 'paper'}"
            arrays |= {f"{name}/positions": positions.detach().numpy(), f"{name}/cell": cell}
            arrays |= {f"{case}/energy": energy.item(), f"{case}/forces": -slope.numpy()}
            print(case, energy.item(), slope.abs().max().item())
    settings = {"n_layers": 3, "n_features": 12, "n_radial": 8, "n_heads": 3, "cutoff_angstrom": CUTOFF_ANGSTROM}
    versions = {"torchmd-net": importlib.metadata.version("torchmd-net"), "torch": torch.__version__}
    arrays |= {"settings": json.dumps(settings), "versions": json.dumps(versions)}
    np.savez_compressed(Path(__file__).with_name("et.npz"), **arrays)


if __name__ == "__main__":
    main()
