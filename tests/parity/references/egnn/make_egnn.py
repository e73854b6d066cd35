"""Energies, forces and displacements of the authors' EGNN with random weights: python make_egnn.py CLONE

CLONE is a checkout of https://github.com/vgsatorras/egnn, commit e9ca6c0c.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

COMMIT = "e9ca6c0c3e1d30a7598efbd66034121b4af8dccc"
N_FEATURES, N_LAYERS = 12, 3
SPECIES = np.array([8, 1, 1, 6, 7, 11])
OPTIONS = {
    "paper": {"attention": False, "normalize": False, "tanh": False},
    "wang": {"attention": True, "normalize": True, "tanh": True},
}
STEP_ANGSTROM = 2e-3


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from models.egnn_clean.egnn_clean import E_GCL, get_edges

    sites = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]])
    positions = 1.4 * sites + np.random.default_rng(1).uniform(-0.3, 0.3, sites.shape)
    edges = [torch.tensor(part) for part in get_edges(len(SPECIES))]
    torch.manual_seed(1)
    embedding = torch.randn(95, N_FEATURES, dtype=torch.float64)
    readout = torch.randn(N_FEATURES, dtype=torch.float64)
    arrays = {
        "species": SPECIES,
        "positions": positions,
        "embedding": embedding.numpy(),
        "readout": readout.numpy(),
        "versions": json.dumps({"egnn": COMMIT, "torch": torch.__version__}),
    }
    for name, options in OPTIONS.items():
        layers = [E_GCL(N_FEATURES, N_FEATURES, N_FEATURES, **options).double() for _ in range(N_LAYERS)]
        for index, layer in enumerate(layers):
            torch.nn.init.normal_(layer.coord_mlp[2].weight, std=0.03)
            arrays |= {f"{name}/weights/{index}.{key}": value.numpy() for key, value in layer.state_dict().items()}

        def evaluate(moved: np.ndarray, layers: list = layers) -> tuple[float, np.ndarray]:
            scalars, coordinates = embedding[torch.tensor(SPECIES)], torch.tensor(moved)
            for layer in layers:
                scalars, coordinates, _ = layer(scalars, edges, coordinates)
            return (scalars @ readout).sum().item(), coordinates.detach().numpy() - moved

        energy, displacement = evaluate(positions)
        # Differences of fourth order: its autograd holds the norms fixed, so that is not the slope of its energy.
        forces = np.zeros_like(positions)
        for atom, axis in np.ndindex(*positions.shape):
            for n_steps, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
                moved = positions.copy()
                moved[atom, axis] += n_steps * STEP_ANGSTROM
                forces[atom, axis] -= weight * evaluate(moved)[0] / STEP_ANGSTROM
        arrays |= {f"{name}/energy": energy, f"{name}/forces": forces, f"{name}/displacement": displacement}
        print(name, energy, np.abs(forces).max(), np.abs(displacement).max())
    np.savez_compressed(Path(__file__).with_name("egnn.npz"), **arrays)


if __name__ == "__main__":
    main()
