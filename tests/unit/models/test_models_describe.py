"""What `gpip potential` says of a checkpoint."""

import pytest
import torch

from gpip.cli import main
from gpip.config.backbones import MODELS, GemNetSettings, PaiNNSettings, SchNetSettings
from gpip.core.provenance import provenance
from gpip.models import make_potential, save_potential
from gpip.models.describe import describe, equal_presets

SETTINGS = SchNetSettings(model="schnet", preset="gpip-md17", n_layers=1)


@pytest.fixture
def written(tmp_path):
    def write(made, settings=SETTINGS, energies=None, dtype=torch.float32):
        potential = make_potential(settings).to(dtype)
        potential.set_reference_energies(energies or {})
        potential.energy_scale.fill_(0.75)
        save_potential(tmp_path / "model.ckpt", potential, settings, made)
        return tmp_path / "model.ckpt"

    return write


def test_what_is_inside(written, tmp_path, capsys):
    (tmp_path / "labels.h5").write_bytes(b"labels")
    made = provenance("finetuning", {"n_steps": 8, "backbone": {}}, 11, [tmp_path / "labels.h5"])
    path = written(made | {"elements": ["O", "H"]}, energies={8: -2041.123456, 1: -13.5}, dtype=torch.float64)
    assert main(["potential", str(path)]) == 0
    text = capsys.readouterr().out
    sizes = {name: parameter.numel() for name, parameter in make_potential(SETTINGS).named_parameters()}
    in_head = sum(size for name, size in sizes.items() if name.startswith("energy_head."))
    for line in (
        "backbone: schnet",
        "  n_features: 128",
        "preset: equal to none of gpip-md17, mdsim-water, wang-ani",
        "cutoff: 5 Å",
        f"parameters: {sum(sizes.values()):,} ({in_head:,} of them in the energy head)",
        "precision: float64",
        "energy scale: 0.75 eV",
        "reference energies: H -13.5000, O -2041.1235 eV",
        "elements in training: H, O",
    ):
        assert f"  {line}\n" in text
    for line in ("stage: finetuning, version", "seed: 11", f"{tmp_path / 'labels.h5'} (digest ", "n_steps: 8"):
        assert f"  {line}" in text
    assert f"torch {torch.__version__}" in text
    assert max(map(len, text.replace(str(tmp_path), "").splitlines())) <= 120


def test_fitted_scales_are_shown_block_by_block(written):
    settings = GemNetSettings(model="gemnet", n_layers=1, n_features=8, n_edge_features=8, scale_radial=4.5)
    text = describe(written({}, settings))
    assert "  scale_radial: 4.5" in text
    assert "scale_atoms" not in text
    assert "  interactions.0.triplets.scale_sum, fitted: 1" in text
    assert "  outputs.1.scale, fitted: 1" in text


def test_what_is_not_there_is_said(written):
    text = describe(written({}))
    assert "reference energies: none; not trained on energies and forces" in text
    assert "elements in training: not recorded" in text
    assert text.endswith("provenance:\n  none")


def test_elements_of_fine_tuning_without_a_list(written):
    transfer = {"reference_energies_ev": {"8": -1.0, "1": -2.0}, "n_loaded": 1200, "n_fresh": 3}
    text = describe(written({"transfer": transfer}))
    assert "elements in training: H, O" in text
    assert "weights: 1,200 values from pre-training, 3 fresh" in text


def test_presets_are_known_by_their_numbers():
    for model, settings in MODELS.items():
        for name in settings.presets:
            assert name in equal_presets(settings(model=model, preset=name))
            assert name not in equal_presets(settings(model=model, preset=name, cutoff_angstrom=4.321))
    spelled = {"n_layers": 3, "n_features": 128, "n_radial": 20, "cutoff_angstrom": 5.0}
    assert "painn-paper" in equal_presets(PaiNNSettings(model="painn", **spelled))


def test_unusable_file_is_one_message(tmp_path, capsys):
    assert main(["potential", str(tmp_path / "none.ckpt")]) == 2
    assert capsys.readouterr().err == f"gpip: checkpoint {tmp_path / 'none.ckpt'}: no such file\n"
