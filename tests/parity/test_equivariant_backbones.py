"""EGNN, PaiNN and the equivariant transformer against other programs, with their weights copied over.

Numbers and their generators lie in references/; energies are made of the features by a fixed linear read-out.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gpip.config.backbones import EGNNSettings, ETSettings, PaiNNSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import forces_from_energy
from gpip.models.backbones import painn
from gpip.models.blocks.norms import SOFTENING
from gpip.models.registry import make_backbone

REFERENCES = Path(__file__).parent / "references"


def reference(name):
    with np.load(REFERENCES / name / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def weights_in(record, prefix):
    return {key.removeprefix(prefix): torch.from_numpy(value) for key, value in record.items() if prefix in key}


def evaluate(backbone, species, positions, cell, energy_of):
    """Energy, forces and features of one configuration, in double precision."""
    frame = Frame(species, positions, cell, np.full(3, cell.any()))
    graph = graph_from_frames([frame], backbone.cutoff_angstrom, torch.float64)
    leaf = graph.positions.requires_grad_(True)
    features = backbone(graph)
    energy = energy_of(features)
    return energy.item(), forces_from_energy(energy, leaf, create_graph=False), features


def assert_same(given, expected, tolerance=1e-6):
    """To so much of the largest number."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(np.asarray(given), expected, rtol=0, atol=tolerance * np.abs(expected).max())


FINER = {"as it is": (1, 1e-5), "finer": (8, 1e-8)}
"""Intervals of splines, times those of the network, and the agreement then: what is left is the splines' own."""


def scalars_and_squares(readout):
    return lambda features: ((features.scalars + features.vectors.square().sum(1)) @ readout).sum()


@torch.no_grad()
def copy_into(module, weight, bias=None):
    assert module.weight.shape == weight.shape
    module.weight.copy_(weight)
    if bias is not None:
        module.bias.copy_(bias)


@pytest.mark.parametrize("options", ["paper", "wang"])
def test_egnn_of_its_authors(options):
    record = reference("egnn")
    theirs = weights_in(record, f"{options}/weights/")
    flags = dict.fromkeys(("attention", "normalized", "bounded"), options == "wang")
    # All atoms see each other, as in the original.
    paper = {"n_radial": 0, "softening_angstrom": 1e-4, "aggregation": "sum", "envelope": "none"}
    settings = EGNNSettings(model="egnn", n_layers=3, n_features=12, cutoff_angstrom=20.0, **paper, **flags)
    backbone = make_backbone(settings).double()
    copy_into(backbone.embedding, torch.from_numpy(record["embedding"]))
    for index, layer in enumerate(backbone.layers):
        modules = {
            "edge_mlp.0": layer.ends,
            "edge_mlp.2": layer.message[1],
            "coord_mlp.0": layer.move[0],
            "coord_mlp.2": layer.move[2],
            "node_mlp.0": layer.update[0],
            "node_mlp.2": layer.update[2],
            "att_mlp.0": layer.attention,
        }
        for name, module in modules.items():
            if module is not None:
                copy_into(module, theirs[f"{index}.{name}.weight"], theirs.get(f"{index}.{name}.bias"))
    readout = torch.from_numpy(record["readout"])
    energy, forces, features = evaluate(
        backbone, record["species"], record["positions"], np.zeros((3, 3)), lambda made: (made.scalars @ readout).sum()
    )
    assert_same(energy, record[f"{options}/energy"])
    assert_same(forces, record[f"{options}/forces"])
    assert_same(features.displacement.detach(), record[f"{options}/displacement"])


@pytest.mark.parametrize("splines", FINER)
@pytest.mark.parametrize("case", ["molecule", "crystal"])
def test_painn_of_schnetpack(case, splines, monkeypatch):
    times, tolerance = FINER[splines]
    monkeypatch.setattr(painn, "BINS_PER_WAVE", painn.BINS_PER_WAVE * times)
    record = reference("painn")
    theirs, settings = weights_in(record, "weights/"), json.loads(str(record["settings"]))
    backbone = make_backbone(PaiNNSettings(model="painn", **settings)).double()
    n = backbone.n_features
    copy_into(backbone.embedding, theirs["embedding.weight"][:95])
    filters = [theirs[f"filter_net.{part}"].chunk(settings["n_layers"]) for part in ("weight", "bias")]
    for index, (message, update) in enumerate(zip(backbone.messages, backbone.updates, strict=True)):
        copy_into(message.filter, filters[0][index], filters[1][index])
        for net, name in ((message.phi, f"interactions.{index}.interatomic_context_net"), (update.gate, "")):
            name = name or f"mixing.{index}.intraatomic_context_net"
            for layer in (0, 2):
                weight, bias = theirs[f"{name}.{layer // 2}.weight"], theirs[f"{name}.{layer // 2}.bias"]
                if net is update.gate and layer == 0:
                    # Their softened norms end at SOFTENING, ours at zero.
                    bias = bias + SOFTENING * weight[:, n:].sum(1)
                if net is update.gate and layer == 2:
                    weight, bias = (torch.cat([part[:n], part[2 * n :], part[n : 2 * n]]) for part in (weight, bias))
                copy_into(net[layer], weight, bias)
        copy_into(update.mix, theirs[f"mixing.{index}.mu_channel_mix.weight"].roll(n, 0))
    energy, forces, _ = evaluate(
        backbone,
        record["species"],
        record[f"{case}/positions"],
        record[f"{case}/cell"],
        scalars_and_squares(torch.from_numpy(record["readout"])),
    )
    assert_same(energy, record[f"{case}/energy"], tolerance)
    assert_same(forces, record[f"{case}/forces"], tolerance)


@pytest.mark.parametrize("case", ["molecule", "crystal"])
@pytest.mark.parametrize("cutoff", ["cut", "paper"])
def test_equivariant_transformer_of_torchmd_net(case, cutoff):
    record = reference("et")
    theirs, settings = weights_in(record, "weights/"), json.loads(str(record["settings"]))
    backbone = make_backbone(ETSettings(model="et", vector_cutoff=cutoff == "cut", **settings)).double()
    heads = settings["n_heads"]

    def by_part(rows):
        """Their values stand by head, then part; ours by part, then head."""
        return rows.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2)

    def copy(module, name, order=lambda rows: rows):
        bias = theirs.get(f"{name}.bias")
        copy_into(module, order(theirs[f"{name}.weight"]), None if bias is None else order(bias))

    with torch.no_grad():
        backbone.basis.means.copy_(theirs["distance_expansion.means"])
        backbone.basis.betas.copy_(theirs["distance_expansion.betas"])
    copy(backbone.embedding, "embedding")
    copy(backbone.neighbours.embedding, "neighbor_embedding.embedding")
    copy(backbone.neighbours.filter, "neighbor_embedding.distance_proj")
    copy(backbone.neighbours.combine, "neighbor_embedding.combine")
    copy(backbone.norm, "out_norm")
    for index, layer in enumerate(backbone.layers):
        name = f"attention_layers.{index}"
        copy(layer.norm, f"{name}.layernorm")
        copy(layer.query, f"{name}.q_proj")
        copy(layer.key, f"{name}.k_proj")
        copy(layer.value, f"{name}.v_proj", by_part)
        copy(layer.out, f"{name}.o_proj")
        copy(layer.key_filter, f"{name}.dk_proj")
        copy(layer.value_filter, f"{name}.dv_proj", by_part)
        if layer.mix is not None:
            copy(layer.mix, f"{name}.vec_proj")
    energy, forces, _ = evaluate(
        backbone,
        record["species"],
        record[f"{case}/positions"],
        record[f"{case}/cell"],
        scalars_and_squares(torch.from_numpy(record["readout"])),
    )
    assert_same(energy, record[f"{case}/{cutoff}/energy"])
    assert_same(forces, record[f"{case}/{cutoff}/forces"])
