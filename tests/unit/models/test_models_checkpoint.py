"""Files of potentials, transfer of weights, and what is refused."""

import numpy as np
import pytest
import torch

from gpip.config.backbones import EGNNSettings, GemNetSettings, PaiNNSettings, SchNetSettings, SE3TransformerSettings
from gpip.core.errors import InputError
from gpip.core.reference_energies import Anchors, Compositions, Reference
from gpip.graphs import graph_from_frames
from gpip.models import checkpoint, load_potential, make_backbone, make_potential, save_potential, transfer_weights
from gpip.models.checkpoint import read_checkpoint
from gpip.models.describe import describe

SETTINGS = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6)


@pytest.fixture
def saved(tmp_path):
    potential = make_potential(SETTINGS, seed=3)
    potential.set_reference_energies({1: -13.587, 8: -2041.123456789})
    save_potential(tmp_path / "model.ckpt", potential, SETTINGS, {"stage": "pretraining", "seed": 3})
    return potential, tmp_path / "model.ckpt"


def test_round_trip(saved):
    potential, path = saved
    loaded = load_potential(path, SETTINGS)
    for name, tensor in potential.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
        assert loaded.state_dict()[name].dtype == tensor.dtype
    assert read_checkpoint(path)["provenance"] == {"stage": "pretraining", "seed": 3}


def test_precision_is_kept(tmp_path):
    potential = make_potential(SETTINGS).double()
    save_potential(tmp_path / "model.ckpt", potential, SETTINGS, {})
    assert next(load_potential(tmp_path / "model.ckpt").parameters()).dtype == torch.float64


def test_conversion_leaves_reference_energies_exact():
    potential = make_potential(SETTINGS)
    potential.set_reference_energies({8: -2041.123456789})
    assert potential.double().float().reference_energies[8].item() == -2041.123456789
    assert potential.energy_scale.dtype == torch.float64


def test_preset_is_the_same_as_its_numbers(tmp_path):
    preset = SchNetSettings(model="schnet", preset="gpip-md17", n_layers=1, n_features=8)
    save_potential(tmp_path / "model.ckpt", make_potential(preset), preset, {})
    spelled = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=50, cutoff_angstrom=5.0)
    load_potential(tmp_path / "model.ckpt", spelled)


def test_other_settings_are_named(saved):
    wanted = SETTINGS.model_copy(update={"n_features": 16, "cutoff_angstrom": 6.0})
    with pytest.raises(InputError) as error:
        load_potential(saved[1], wanted)
    assert "cutoff_angstrom is 5.0 in the file, 6.0 expected" in str(error.value)
    assert "n_features is 8 in the file, 16 expected" in str(error.value)
    assert "n_layers" not in str(error.value)
    with pytest.raises(InputError, match="model is 'schnet' in the file, 'painn' expected"):
        load_potential(saved[1], PaiNNSettings(model="painn", n_layers=1, n_features=8, n_radial=6))


def test_unusable_files(saved, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_potential(tmp_path / "absent.ckpt")
    whole = saved[1].read_bytes()
    for content in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
        (tmp_path / "broken.ckpt").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            load_potential(tmp_path / "broken.ckpt")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "foreign.ckpt")
    with pytest.raises(InputError, match="not a potential written by gpip"):
        load_potential(tmp_path / "foreign.ckpt")
    newer = torch.load(saved[1], weights_only=True) | {"schema_version": 99}
    torch.save(newer, tmp_path / "newer.ckpt")
    with pytest.raises(InputError, match="schema version 99"):
        load_potential(tmp_path / "newer.ckpt")
    unknown = torch.load(saved[1], weights_only=True)
    unknown["backbone"]["model"] = "tomorrow"
    torch.save(unknown, tmp_path / "unknown.ckpt")
    with pytest.raises(InputError, match="unknown to this gpip"):
        load_potential(tmp_path / "unknown.ckpt")


def changed(path, tmp_path, **changes):
    torch.save(torch.load(path, weights_only=True) | changes, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def test_versions_that_are_refused_say_who_wrote_them_and_what_to_do(saved, tmp_path):
    newer = changed(saved[1], tmp_path, schema_version=99, provenance={"gpip": "9.8"})
    with pytest.raises(InputError, match=r"schema version 99 \(written by gpip 9.8\), but this gpip .* newer one"):
        load_potential(newer)
    with pytest.raises(InputError, match=r"schema version 0 is too old: this gpip .* reads from 1 on; make it again"):
        load_potential(changed(saved[1], tmp_path, schema_version=0))
    with pytest.raises(InputError, match="schema version None is not a number"):
        load_potential(changed(saved[1], tmp_path, schema_version=None))


def test_older_version_with_an_upgrade_is_read(saved, tmp_path, monkeypatch):
    plain = torch.load(saved[1], weights_only=True)
    old = changed(saved[1], tmp_path, schema_version=-1, weights=plain["state"], state={})
    monkeypatch.setitem(checkpoint.UPGRADES, -1, lambda record: record | {"state": record["weights"]})
    with pytest.raises(InputError, match=r"schema version 0 is too old: this gpip .* reads from -1 on"):
        load_potential(old)
    monkeypatch.setitem(checkpoint.UPGRADES, 0, lambda record: record)
    for name, tensor in load_potential(old).state_dict().items():
        assert torch.equal(saved[0].state_dict()[name], tensor)


@pytest.mark.parametrize(("model", "settings"), [("egnn", EGNNSettings), ("se3_transformer", SE3TransformerSettings)])
def test_networks_of_version_1_are_those_of_their_papers(model, settings, tmp_path):
    paper = settings(model=model, preset="wang-ani", n_layers=1, n_features=8)
    save_potential(tmp_path / "model.ckpt", make_potential(paper), paper, {})
    backbone = torch.load(tmp_path / "model.ckpt", weights_only=True)["backbone"]
    for name in checkpoint.ONLY_IN_1[model]:
        del backbone[name]
    load_potential(changed(tmp_path / "model.ckpt", tmp_path, schema_version=1, backbone=backbone), paper)


@pytest.mark.parametrize("given", [{}, {"scale_radial": 5.1, "scale_triplets": 1.65, "scale_atoms": 0.4}])
def test_gemnet_of_version_2_keeps_the_scales_it_was_trained_with(given, tmp_path, water_frames):
    scales = {"scale_radial": 1.0, "scale_triplets": 1.0, "scale_atoms": 1.0} | given
    settings = GemNetSettings(model="gemnet", n_layers=2, n_features=8, n_edge_features=8, **scales)
    potential = make_potential(settings)
    save_potential(tmp_path / "model.ckpt", potential, settings, {})
    record = torch.load(tmp_path / "model.ckpt", weights_only=True)
    state = {name: tensor for name, tensor in record["state"].items() if not name.endswith(".factor")}
    assert len(record["state"]) - len(state) == 2 * 3 + 3
    backbone = {name: value for name, value in record["backbone"].items() if given or not name.startswith("scale_")}
    old = changed(tmp_path / "model.ckpt", tmp_path, schema_version=2, backbone=backbone, state=state)
    graph = graph_from_frames(water_frames[:1], 5.0)
    assert torch.equal(load_potential(old, settings)(graph)["forces"], potential.eval()(graph)["forces"])


def test_what_reference_energies_rest_on_is_kept(tmp_path):
    potential = make_potential(SETTINGS)
    compositions = Compositions.of([np.array([8, 1, 1]), np.array([6, 1, 1, 1, 1])])
    potential.reference = Reference(compositions, Anchors({"H": -13.6, "C": -1029.0, "O": -2041.8}, "by hand"))
    save_potential(tmp_path / "model.ckpt", potential, SETTINGS, {})
    loaded = load_potential(tmp_path / "model.ckpt").double()
    assert loaded.reference.to_record() == potential.reference.to_record()
    damaged = {"elements": ["H"], "compositions": [[2]]}
    with pytest.raises(InputError, match="its 'reference' is damaged"):
        load_potential(changed(tmp_path / "model.ckpt", tmp_path, reference=damaged))


def test_version_3_had_no_record_of_compositions(saved, tmp_path):
    """The layout that version 3 wrote: the same record without `reference`."""
    record = torch.load(saved[1], weights_only=True)
    old = {key: record[key] for key in ("schema", "backbone", "state", "provenance")} | {"schema_version": 3}
    torch.save(old, tmp_path / "old.ckpt")
    loaded = load_potential(tmp_path / "old.ckpt", SETTINGS)
    assert loaded.reference is None
    assert loaded.reference_energies[8] == saved[0].reference_energies[8]
    assert "training compositions: not recorded" in describe(tmp_path / "old.ckpt")
    torch.save(old | {"schema_version": 4}, tmp_path / "new.ckpt")
    with pytest.raises(InputError, match="incomplete: no 'reference'"):
        load_potential(tmp_path / "new.ckpt")


def test_setting_that_an_older_file_lacks_has_its_default(saved, tmp_path):
    backbone = torch.load(saved[1], weights_only=True)["backbone"]
    assert backbone.pop("cutoff_angstrom") == SETTINGS.cutoff_angstrom == 5.0
    load_potential(changed(saved[1], tmp_path, backbone=backbone), SETTINGS)


def test_what_does_not_fit_is_named(saved, tmp_path):
    record = torch.load(saved[1], weights_only=True)
    with pytest.raises(InputError, match="'n_heads' is a setting of et, se3_transformer"):
        load_potential(changed(saved[1], tmp_path, backbone=record["backbone"] | {"n_heads": 8}))
    with pytest.raises(InputError, match="incomplete: no 'state'"):
        load_potential(changed(saved[1], tmp_path, state=None))
    state = dict(record["state"])
    state["backbone.extra"] = state.pop("backbone.embedding.weight")
    state["energy_head.layers.2.bias"] = torch.zeros(2)
    with pytest.raises(InputError) as error:
        load_potential(changed(saved[1], tmp_path, state=state))
    for part in (
        "backbone.embedding.weight is missing",
        "backbone.extra is unknown",
        "energy_head.layers.2.bias has shape (2,), expected (1,)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("energy_head", ["fresh", "carried"])
def test_transfer_copies_what_it_says(saved, energy_head):
    source, _ = saved
    target, before = make_potential(SETTINGS, seed=9), make_potential(SETTINGS, seed=9).state_dict()
    record = transfer_weights(target, source.state_dict(), energy_head)
    assert any(name.startswith("energy_head.") for name in record["loaded"]) == (energy_head == "carried")
    assert {"energy_scale", "reference_energies"} <= set(record["fresh"]) & set(record["unused"])
    assert sorted(record["loaded"] + record["fresh"]) == sorted(before)
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, (source.state_dict() if name in record["loaded"] else before)[name])
    assert record["n_loaded"] + record["n_fresh"] == sum(tensor.numel() for tensor in before.values())
    assert record["n_loaded"] > record["n_fresh"] > 0


def test_transfer_from_another_size_is_refused(saved):
    larger = make_potential(SETTINGS.model_copy(update={"n_features": 16}))
    with pytest.raises(InputError, match="backbones of other sizes"):
        transfer_weights(larger, saved[0].state_dict(), "fresh")
    with pytest.raises(InputError, match="is not in the source"):
        transfer_weights(larger, {}, "fresh")


def test_unknown_backbone():
    unknown = SETTINGS.model_copy(update={"model": "schnett"})
    with pytest.raises(InputError, match="did you mean 'schnet'"):
        make_backbone(unknown)


def test_seeding_leaves_the_global_generator_alone():
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    make_potential(SETTINGS, seed=5)
    assert torch.equal(torch.rand(1), expected)
