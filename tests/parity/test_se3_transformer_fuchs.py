"""SE(3)-Transformer against its authors' code; numbers and their generator lie in references/se3_transformer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from references.seeded_weights import weight

from gpip.config.backbones import SE3TransformerSettings
from gpip.core.frame import Frame
from gpip.graphs import graph_from_frames
from gpip.models import forces_from_energy, make_backbone
from gpip.models.backbones.se3_transformer import Kernels
from gpip.models.blocks.spherical import real_harmonics

with np.load(Path(__file__).parent / "references" / "se3_transformer" / "se3_transformer.npz") as file:
    RECORD = {key: file[key] for key in file.files}
SHAPES, SEED = json.loads(str(RECORD["shapes"])), int(RECORD["seed"])
NETWORK = {"weights": ("net.0.weight", "net.3.weight"), "biases": ("net.0.bias", "net.3.bias")}
NETWORK |= {
    f"norm_{part}": ("net.1.bn." + one, "net.4.bn." + one) for part, one in (("weights", "weight"), ("biases", "bias"))
}


def theirs(name):
    shape = tuple(SHAPES[name])
    is_norm = name.endswith("weight") and len(shape) == 1
    return torch.from_numpy(weight(name, shape, SEED) + is_norm)


@pytest.fixture(scope="module")
def bases():
    """What takes our features of each degree to theirs: orthogonal, as both sets of harmonics are orthonormal."""
    directions = torch.from_numpy(RECORD["directions"])
    ours = real_harmonics(directions / directions.norm(dim=1, keepdim=True), 4)
    pairs = [(mine, torch.from_numpy(RECORD[f"harmonics/{degree}"])) for degree, mine in enumerate(ours)]
    return [torch.linalg.lstsq(mine, other).solution.T for mine, other in pairs]


@pytest.fixture(scope="module")
def kernels(bases):
    """By degree in, degree out: ours [3, degrees between, 2 out + 1, 2 in + 1] in their basis, and theirs.

    Their vectors of edges point at the centre.
    """
    directions = -torch.from_numpy(RECORD["directions"])[:3]
    made = Kernels(4, pseudotensors=True).double()
    result = {}
    for degree_in, flat in enumerate(made(directions / directions.norm(dim=1, keepdim=True))):
        sizes = [len(each) * (2 * degree_out + 1) for degree_out, each in enumerate(made.degrees[degree_in])]
        for degree_out, part in enumerate(flat.split(sizes, 2)):
            ours = part.unflatten(2, (-1, 2 * degree_out + 1))
            turned = torch.einsum("po,nijo,qi->njpq", bases[degree_out], ours, bases[degree_in])
            other = torch.from_numpy(RECORD[f"kernels/{degree_in},{degree_out}"])
            result[degree_in, degree_out] = turned, other.permute(0, 3, 1, 2)
    return result


@pytest.fixture(scope="module")
def factors(kernels):
    """Their kernels as multiples of ours, by degree in, degree out: one number for each degree between."""
    return {key: (other * ours).sum((0, 2, 3)) / ours.square().sum((0, 2, 3)) for key, (ours, other) in kernels.items()}


def test_harmonics_and_kernels_are_the_same_but_for_conventions(bases, kernels, factors):
    for degree, basis in enumerate(bases):
        torch.testing.assert_close(basis @ basis.T, torch.eye(2 * degree + 1, dtype=torch.float64), rtol=0, atol=1e-10)
    for (degree_in, degree_out), (ours, other) in kernels.items():
        factor = factors[degree_in, degree_out]
        torch.testing.assert_close(ours * factor[:, None, None], other, rtol=0, atol=1e-12)
        # Up to their sign they differ by the scale that ours have.
        expected = torch.full_like(factor, (4 * torch.pi * (2 * degree_out + 1)) ** -0.5)
        torch.testing.assert_close(factor.abs(), expected, rtol=1e-10, atol=0)


@torch.no_grad()
def copy_convolution(convolution, prefixes, factors):
    for case, (degree_out, kind, degree_in) in enumerate(convolution.cases):
        prefix = f"{prefixes[kind]}.kernel_unary.({degree_in},{degree_out}).rp."
        for name, parts in NETWORK.items():
            for mine, part in zip(getattr(convolution.radial, name), parts, strict=True):
                value = theirs(prefix + part)
                mine[case] = value.T if value.ndim == 2 else value
        last = convolution.radial.last[case]
        factor = factors[degree_in, degree_out].repeat(last.out_features // len(factors[degree_in, degree_out]))
        last.weight.copy_(theirs(prefix + "net.6.weight") * factor[:, None])
        last.bias.copy_(theirs(prefix + "net.6.bias") * factor)


@pytest.fixture(scope="module")
def backbone(factors):
    settings = json.loads(str(RECORD["settings"])) | {"n_radial": 0, "smooth": False, "pseudotensors": True}
    backbone = make_backbone(SE3TransformerSettings(model="se3_transformer", **settings)).double()
    with torch.no_grad():
        n_features = backbone.n_features
        backbone.embedding.weight.copy_(torch.from_numpy(weight("embedding", (95, n_features), SEED)) * n_features**0.5)
        for layer, (attention, norms) in enumerate(zip(backbone.attentions, backbone.nonlinearities, strict=True)):
            block = f"{2 * layer}."
            copy_convolution(attention.messages, [block + "GMAB.v", block + "GMAB.k"], factors)
            for degree, query in enumerate(attention.query):
                query.copy_(theirs(f"{block}GMAB.q.transform.{degree}"))
            for degree, project in enumerate(attention.project):
                project.copy_(theirs(f"{block}project.transform.{degree}"))
            for degree, norm in enumerate(norms.norms):
                norm.weight.copy_(theirs(f"{2 * layer + 1}.transform.{degree}.0.bn.weight"))
                norm.bias.copy_(theirs(f"{2 * layer + 1}.transform.{degree}.0.bn.bias"))
        block = str(2 * len(backbone.attentions))
        copy_convolution(backbone.last, [block], factors)
        backbone.last_own.weight.copy_(theirs(f"{block}.kernel_self.0")[0])
    return backbone


def graph_of(name, backbone):
    cell = RECORD[f"{name}/cell"]
    frame = Frame(RECORD["species"], RECORD[f"{name}/positions"], cell, np.full(3, cell.any()))
    return graph_from_frames([frame], backbone.cutoff_angstrom, torch.float64)


def assert_same(given, expected):
    """To 1e-10 of the largest number."""
    np.testing.assert_allclose(given.detach().numpy(), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["molecule", "crystal"])
def test_attention_between_all_degrees(backbone, bases, name):
    graph = graph_of(name, backbone)
    around = backbone._surroundings(graph)
    features = [backbone.embedding(graph.species)[:, :, None]]
    features = backbone.nonlinearities[0](backbone.attentions[0](features, around))
    for degree, values in enumerate(backbone.attentions[1](features, around)):
        assert_same(values @ bases[degree].T, RECORD[f"{name}/attention/{degree}"])


@pytest.mark.parametrize("name", ["molecule", "crystal"])
def test_energy_and_forces(backbone, name):
    graph = graph_of(name, backbone)
    positions = graph.positions.requires_grad_(True)
    readout = torch.from_numpy(weight("readout", (backbone.n_features,), SEED) * 10)
    energy = (backbone(graph).scalars @ readout).sum()
    assert_same(energy, RECORD[f"{name}/energy"])
    assert_same(forces_from_energy(energy, positions, create_graph=False), RECORD[f"{name}/forces"])
