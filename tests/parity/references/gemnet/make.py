"""Reference energies and forces of GemNet-T from fairchem-core 1.10.0 (the code that MDsim took over as well).

Needs fairchem-core 1.10.0 (its files are enough), ase, torch_geometric and what they import; writes gemnet.json.
The weights are those of seeded_weights, with the same last linear map in each output block, since ours share one.
"""

import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import ase
import numpy as np
import torch
from ase.neighborlist import neighbor_list

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import seeded_weights  # noqa: E402
import stand_ins  # noqa: E402

stand_ins.install()

from fairchem.core.models.base import GraphData  # noqa: E402
from fairchem.core.models.gemnet.gemnet import GemNetT  # noqa: E402

SEED = 20
SIZE = {
    "num_spherical": 7,
    "num_radial": 6,
    "num_blocks": 4,
    "emb_size_atom": 128,
    "emb_size_edge": 128,
    "emb_size_trip": 64,
    "emb_size_rbf": 16,
    "emb_size_cbf": 16,
    "emb_size_bil_trip": 64,
    "num_before_skip": 1,
    "num_after_skip": 1,
    "num_concat": 1,
    "num_atom": 2,
}
SCALES = {"had_rbf": 5.1, "sum_cbf": 1.65, "sum": 0.4}
CUTOFF = 5.0


class Original(GemNetT):
    """With neighbours from ASE."""

    def generate_graph(self, data):
        i, j, shift = neighbor_list("ijS", data.atoms, CUTOFF)
        i, j, shift = torch.as_tensor(i), torch.as_tensor(j), torch.as_tensor(shift)
        cell = torch.as_tensor(data.atoms.cell.array)
        vectors = data.pos[j] - data.pos[i] + shift.double() @ cell
        neighbours = torch.tensor([len(i)])
        return GraphData(torch.stack([j, i]), vectors.norm(dim=1), vectors, shift, None, neighbours, None, None)


def frames() -> dict[str, dict]:
    generator = np.random.default_rng(SEED)
    grid = np.indices((3, 3, 3)).reshape(3, -1).T
    molecule = 1.4 * generator.permutation(grid)[:9] + generator.normal(0, 0.1, (9, 3))
    skewed = np.array([[6.0, 0, 0], [2.5, 5.0, 0], [-1.0, 1.5, 5.5]])
    fractions = generator.permutation(np.indices((2, 2, 2)).reshape(3, 8).T)[:6] / 2
    crystal = (fractions + generator.uniform(-0.05, 0.05, (6, 3))) @ skewed
    small = np.diag([3.0, 3.4, 3.8])
    few = (fractions[:3] + generator.uniform(-0.05, 0.05, (3, 3))) @ small
    return {
        name: {
            "species": generator.choice([1, 3, 6, 8, 16], len(positions)).tolist(),
            "positions": positions.tolist(),
            "cell": cell.tolist(),
            "pbc": [bool(cell.any())] * 3,
        }
        for name, positions, cell in (
            ("molecule", molecule, np.zeros((3, 3))),
            ("crystal", crystal, skewed),
            ("small cell", few, small),
        )
    }


def original(radial_basis: str) -> GemNetT:
    rbf = {"name": {"bessel": "spherical_bessel"}.get(radial_basis, radial_basis)}
    model = Original(**SIZE, cutoff=CUTOFF, rbf=rbf, otf_graph=True, activation="silu").double()
    for name, parameter in model.named_parameters():
        kind = name.removesuffix(".scale_factor").rpartition(".")[2]
        if name.endswith("scale_factor"):
            value = SCALES[{"scale_rbf": "had_rbf", "scale_cbf_sum": "sum_cbf", "scale_sum": "sum"}[kind]]
        elif name.endswith("frequencies"):
            value = np.pi * (np.arange(1, 7) + seeded_weights.weight("frequencies", (6,), SEED))
        else:
            key = "out_energy" if "out_energy" in name else name
            value = seeded_weights.weight(key, tuple(parameter.shape), SEED)
        parameter.data = torch.as_tensor(value, dtype=torch.float64).reshape(parameter.shape)
    # The one constant that is not in double precision.
    if radial_basis == "gaussian":
        for basis in (model.radial_basis, model.cbf_basis3.radial_basis):
            basis.rbf.offset = torch.linspace(0, 1, 6, dtype=torch.float64)
            basis.rbf.coeff = -0.5 * 5**2
    return model


def main() -> None:
    given, results = frames(), {}
    for radial_basis in ("bessel", "gaussian"):
        model = original(radial_basis)
        for name, frame in given.items():
            atoms = ase.Atoms(frame["species"], frame["positions"], cell=frame["cell"], pbc=frame["pbc"])
            data = SimpleNamespace(
                pos=torch.tensor(frame["positions"], dtype=torch.float64),
                atomic_numbers=torch.tensor(frame["species"]),
                batch=torch.zeros(len(atoms), dtype=torch.int64),
                atoms=atoms,
            )
            out = model(data)
            results[f"{radial_basis}, {name}"] = {
                "energy": out["energy"].item(),
                "forces": out["forces"].detach().tolist(),
            }
            print(radial_basis, name, out["energy"].item(), out["forces"].abs().max().item())
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    versions = {name: metadata.version(name) for name in ("torch", "ase", "torch_geometric", "numpy")}
    versions["fairchem-core"] = "1.10.0"
    record = {"versions": versions, "seed": SEED, "shapes": shapes, "frames": given, "results": results}
    (HERE / "gemnet.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
