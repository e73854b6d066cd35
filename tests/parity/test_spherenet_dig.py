"""SphereNet against DIG's; numbers and their generator lie in references/spherenet."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from references.seeded_weights import weight

from gpip.config.backbones import SphereNetSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import make_backbone

RECORD = json.loads((Path(__file__).parent / "references" / "spherenet" / "spherenet.json").read_text())
NAMES = [
    (r"update_es\.", "interactions."),
    (r"update_vs\.(\d+)\.", lambda m: f"outputs.{int(m[1]) + 1}."),
    (r"init_v\.", "outputs.0."),
    (r"init_e\.emb", "embedding"),
    (r"init_e\.lin_rbf_0", "edge_embedding.radial"),
    (r"init_e\.lin_rbf_1", "edge_embedding.to_atom"),
    (r"init_e\.lin", "edge_embedding.mix"),
    (r"(outputs\.\d+)\.lin_up", r"\1.layers.0"),
    (r"(outputs\.\d+)\.lins\.(\d+)", lambda m: f"{m[1]}.layers.{2 * int(m[2]) + 1}"),
    (r"lin_rbf1", "radial.0"),
    (r"lin_rbf2", "radial.1"),
    (r"lin_rbf", "to_atom"),
    (r"lin_sbf1", "angle.down"),
    (r"lin_sbf2", "angle.up"),
    (r"lin_t1", "torsion.down"),
    (r"lin_t2", "torsion.up"),
    (r"lin_kj", "of_source"),
    (r"lin_ji", "of_itself"),
    (r"lin_down", "down"),
    (r"lin_up", "up"),
    (r"layers_before_skip", "before"),
    (r"layers_after_skip", "after"),
    (r"\.lin1\.", ".layers.0."),
    (r"\.lin2\.", ".layers.2."),
    (r"\.lin\.", ".mix."),
]


def ours(name):
    """Our name of one of the original's parameters."""
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


@pytest.fixture(scope="module")
def backbone():
    backbone = make_backbone(SphereNetSettings(model="spherenet", preset="gpip-md17", torsion="dig")).double()
    state = {}
    for name, shape in RECORD["shapes"].items():
        value = weight(name, tuple(shape), RECORD["seed"])
        if name == "emb.dist_emb.freq":
            state["basis.frequencies"] = torch.from_numpy(np.pi * (np.arange(1, 7) + value))
        elif not re.search(r"(init_v|update_vs\.\d+)\.lin\.weight", name):
            state[ours(name)] = torch.from_numpy(value)
    backbone.load_state_dict(state)
    return backbone


@pytest.mark.parametrize("frame_name", RECORD["frames"])
def test_energy_and_forces_equal_dig(backbone, frame_name):
    last = torch.from_numpy(weight("last", (1, 256), RECORD["seed"]))
    frame = Frame(**RECORD["frames"][frame_name], cell=np.zeros((3, 3)), pbc=np.zeros(3, bool))
    graph = graph_from_frames([frame], backbone.cutoff_angstrom, torch.float64)
    positions = graph.positions.requires_grad_(True)
    energy = (backbone(graph).scalars @ last.T).sum()
    forces = -torch.autograd.grad(energy, positions)[0]
    expected = RECORD["results"][frame_name]
    # DIG keeps the zeros of its Bessel functions in single precision.
    assert energy.item() == pytest.approx(expected["energy"], rel=1e-6)
    forces_expected = torch.tensor(expected["forces"], dtype=torch.float64)
    torch.testing.assert_close(forces, forces_expected, rtol=0, atol=1e-6 * forces_expected.abs().max().item())
