"""GemNet-T against fairchem's; numbers and their generator lie in references/gemnet."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from references.seeded_weights import weight

from gpip.config.backbones import GemNetSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import make_backbone
from gpip.models.blocks.scales import Scale

RECORD = json.loads((Path(__file__).parent / "references" / "gemnet" / "gemnet.json").read_text())
NAMES = [
    (r"int_blocks\.", "interactions."),
    (r"out_blocks\.", "outputs."),
    (r"\.linear\.weight", ".weight"),
    (r"\.dense_mlp\.", ".layers."),
    (r"atom_emb\.embeddings", "embedding"),
    (r"edge_emb\.", "edge_embedding."),
    (r"mlp_rbf3", "radial_for_triplets"),
    (r"mlp_rbf_h", "radial_for_atoms"),
    (r"mlp_rbf_out", "radial_for_output"),
    (r"mlp_cbf3\.weight", "circular"),
    (r"trip_interaction", "triplets"),
    (r"mlp_cbf\.weight", "bilinear"),
    (r"mlp_rbf|dense_rbf", "radial"),
    (r"dense_ba", "before"),
    (r"dense_ca", "skip"),
    (r"down_projection", "down"),
    (r"up_projection_ca", "up"),
    (r"up_projection_ac", "up_reverse"),
    (r"layers_before_skip", "before"),
    (r"layers_after_skip", "after"),
    (r"atom_update", "atoms"),
    (r"concat_layer", "concat"),
    (r"residual_m", "last"),
]


def ours(name):
    """Our name of one of the original's parameters."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    # Our dense layer and the residual layers after it are two parts of a sequence.
    name = re.sub(
        r"((?:outputs\.\d+|atoms)\.layers)\.(\d+)\.layers", lambda m: f"{m[1]}.1.{int(m[2]) - 1}.layers", name
    )
    return name


def backbone_with_weights(radial_basis):
    settings = GemNetSettings(model="gemnet", preset="gpip-water", radial_basis=radial_basis)
    backbone = make_backbone(settings).double()
    # Given in single precision, but for this.
    given = {"scale_radial": settings.scale_radial, "scale_sum": settings.scale_triplets, "scale": settings.scale_atoms}
    state = {
        f"{name}.factor": torch.tensor(given[name.rpartition(".")[2]], dtype=torch.float64)
        for name, module in backbone.named_modules()
        if isinstance(module, Scale)
    }
    for name, shape in RECORD["shapes"].items():
        if not name.endswith("scale_factor") and "out_energy" not in name:
            state[ours(name)] = torch.from_numpy(weight(name, tuple(shape), RECORD["seed"]))
    elements = state["embedding.weight"]
    state["embedding.weight"] = backbone.embedding.weight.detach().clone()
    state["embedding.weight"][1 : len(elements) + 1] = elements
    if radial_basis == "bessel":
        bent = np.arange(1, 7) + weight("frequencies", (6,), RECORD["seed"])
        state["basis.frequencies"] = torch.from_numpy(np.pi * bent)
    else:
        state["basis.gaussians.centres"] = torch.linspace(0, 5, 6, dtype=torch.float64)
    backbone.load_state_dict(state)
    return backbone


@pytest.mark.parametrize("frame_name", RECORD["frames"])
@pytest.mark.parametrize("radial_basis", ["bessel", "gaussian"])
def test_energy_and_forces_equal_fairchem(radial_basis, frame_name):
    backbone = backbone_with_weights(radial_basis)
    last = torch.from_numpy(weight("out_energy", (1, 128), RECORD["seed"]))
    graph = graph_from_frames([Frame(**RECORD["frames"][frame_name])], backbone.cutoff_angstrom, torch.float64)
    positions = graph.positions.requires_grad_(True)
    energy = (backbone(graph).scalars @ last.T).sum()
    forces = -torch.autograd.grad(energy, positions)[0]
    expected = RECORD["results"][f"{radial_basis}, {frame_name}"]
    assert energy.item() == pytest.approx(expected["energy"], rel=1e-9)
    forces_expected = torch.tensor(expected["forces"], dtype=torch.float64)
    torch.testing.assert_close(forces, forces_expected, rtol=0, atol=1e-9 * forces_expected.abs().max().item())
