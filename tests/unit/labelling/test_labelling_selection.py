"""Selecting configurations: evenly, at random, farthest apart; near-duplicates replaced and listed; same for a seed."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gpip.config.backbones import SchNetSettings
from gpip.config.labels import Selection
from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun
from gpip.labelling import selection as module
from gpip.labelling.candidates import Candidates
from gpip.labelling.descriptors import describe_frames
from gpip.labelling.duplicates import rmsd_angstrom
from gpip.labelling.selection import evenly, farthest_points, select, select_configurations, shares

WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])


def fields(n_frames: int, seed: int, periodic: bool = True, spread: float = 0.1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "species": np.array([8, 1, 1]),
        "positions": (WATER + rng.normal(size=(n_frames, 3, 3)) * spread).astype(np.float32),
        "cell": np.tile(6.0 * np.eye(3) * periodic, (n_frames, 1, 1)),
        "pbc": np.full(3, periodic),
        "temperature": np.full(n_frames, 300.0),
        "molecule": np.zeros(3),
    }


def runs(*keys: tuple[str, float]) -> list[ClassicalRun]:
    return [ClassicalRun(system, kelvin, Path(f"{system}-{kelvin:g}.h5")) for system, kelvin in keys]


def settings(n_frames: int, **changes) -> Selection:
    return Selection.model_validate({"n_frames": n_frames, "from": [{"system": "water"}]} | changes)


def test_evenly_takes_the_middles_of_equal_stretches() -> None:
    assert evenly(7, 20) == [1, 4, 7, 10, 12, 15, 18]
    assert evenly(20, 20) == list(range(20))
    assert shares(8, 3) == [3, 3, 2]


def test_even_selection_shares_between_runs() -> None:
    candidates = Candidates(runs(("a", 300), ("a", 400), ("b", 300)), [fields(20, 1), fields(10, 2), fields(20, 3)])
    found = select(candidates, settings(7), seed=1)
    assert candidates.frame_of[found.chosen].tolist() == [3, 10, 16, 2, 7, 5, 15]
    assert candidates.run_of[found.chosen].tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.skipped == []
    with pytest.raises(InputError, match=r"14 frames of a at 400 K are wanted, but it has 10"):
        select(candidates, settings(42), seed=1)


def test_random_selection_is_fixed_by_the_seed() -> None:
    candidates = Candidates(runs(("a", 300), ("b", 300)), [fields(30, 1), fields(30, 2)])
    wanted = settings(20, method="random")
    one, again, other = (select(candidates, wanted, seed).chosen for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert len(set(one)) == 20
    assert len(set(candidates.run_of[one])) == 2
    assert select(candidates, settings(25, method="random"), 1).chosen[:20] == one


def test_farthest_points_are_found_as_by_the_definition() -> None:
    points = np.random.default_rng(0).normal(size=(60, 4))
    chosen = [17]
    for _ in range(59):
        rest = [index for index in range(60) if index not in chosen]
        nearest = [min(np.linalg.norm(points[index] - points[one]) for one in chosen) for index in rest]
        chosen.append(rest[int(np.argmax(nearest))])
    assert list(farthest_points(points, 17)) == chosen


def test_farthest_selection_covers_clusters_that_random_misses() -> None:
    """Three rare shapes among 200 of one kind: ten farthest points hold all three."""
    given = fields(203, 5, spread=0.02)
    for number, stretch in enumerate((1.3, 1.6, 0.8)):
        given["positions"][200 + number] *= stretch
    candidates = Candidates(runs(("water", 300)), [given])
    descriptor = given["positions"].reshape(203, -1).astype(float)
    wanted = settings(10, method="farthest", descriptor={"kind": "soap"})
    for seed in range(3):
        assert {200, 201, 202} <= set(select(candidates, wanted, seed, descriptor).chosen)


def test_near_duplicates_are_replaced_and_listed() -> None:
    given = fields(20, 7)
    given["positions"][10] = given["positions"][3] + np.array([0.3, 6.0, 0.1])  # the same, moved by a cell and a bit
    candidates = Candidates(runs(("water", 300)), [given])
    found = select(candidates, settings(3), seed=0)
    assert found.chosen == [3, 9, 16]
    (skipped,) = found.skipped
    assert (skipped.candidate, skipped.nearest, skipped.measure) == (10, 3, "rmsd_angstrom")
    assert skipped.distance < 1e-6
    found = select(candidates, settings(19, method="random"), seed=0)
    assert len({3, 10} & set(found.chosen)) == 1
    with pytest.raises(InputError, match="20 configurations of these runs are wanted, but only 19 differ"):
        select(candidates, settings(20, method="random"), seed=0)


def test_a_threshold_in_the_descriptor_is_kept() -> None:
    candidates = Candidates(runs(("water", 300)), [fields(50, 8)])
    line = np.linspace(0, 1, 50)[:, None]
    wanted = {"method": "farthest", "descriptor": {"kind": "soap"}, "min_descriptor_distance": 0.2}
    chosen = select(candidates, settings(4, **wanted), 0, line).chosen
    assert np.diff(np.sort(line[chosen, 0])).min() >= 0.2
    with pytest.raises(InputError, match="differ by more than"):
        select(candidates, settings(7, **wanted), 0, line)


def test_rmsd_against_scipy_and_in_a_box() -> None:
    rng = np.random.default_rng(3)
    one, others = rng.normal(size=(7, 3)), rng.normal(size=(5, 7, 3))
    found = rmsd_angstrom(one, others)
    for value, other in zip(found, others, strict=True):
        _, expected = Rotation.align_vectors(one - one.mean(axis=0), other - other.mean(axis=0))
        assert value == pytest.approx(expected / np.sqrt(7), rel=1e-9)
    turned = one @ Rotation.random(random_state=0).as_matrix().T + [4.0, 5.0, 6.0]
    assert rmsd_angstrom(one, turned[None])[0] == pytest.approx(0, abs=1e-7)
    assert rmsd_angstrom(one, (turned * [1, 1, -1])[None])[0] > 0.1, "a mirror image is another configuration"
    cell, pbc = np.array([[5.0, 0, 0], [1.0, 6.0, 0], [0.5, 0.2, 7.0]]), np.ones(3, dtype=bool)
    small = rng.normal(size=(7, 3)) * 0.1
    moved = one + small + rng.integers(-3, 4, size=(7, 3)) @ cell + [0.7, 0.1, 0.2]
    expected = np.sqrt(((small - small.mean(axis=0)) ** 2).sum() / 7)
    assert rmsd_angstrom(one, moved[None], cell, pbc)[0] == pytest.approx(expected, rel=1e-9)


def test_backbone_features_do_not_depend_on_orientation_or_batch(tmp_path: Path) -> None:
    from gpip.models.checkpoint import save_potential
    from gpip.models.registry import make_potential

    backbone = SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=8, cutoff_angstrom=3.0)
    save_potential(tmp_path / "model.ckpt", make_potential(backbone, 1), backbone, {})
    given = fields(11, 9, periodic=False)
    given["positions"][10] = given["positions"][0] @ Rotation.random(random_state=1).as_matrix().T
    candidates = Candidates(runs(("water", 300)), [given])
    kind = settings(
        2,
        method="farthest",
        descriptor={"kind": "backbone", "pretraining_set": "s", "backbone": "b", "recipe": "r"},
    ).descriptor
    found = describe_frames(kind, candidates, tmp_path / "model.ckpt")
    np.testing.assert_allclose(found.std(axis=0), 1.0)
    np.testing.assert_allclose(found[10], found[0], atol=1e-3)
    assert np.abs(found[1] - found[0]).max() > 0.1


def test_soap_separates_what_differs_and_is_named_when_missing(monkeypatch) -> None:
    pytest.importorskip("dscribe", reason="needs the optional package dscribe")
    given = fields(6, 10, periodic=False)
    given["positions"][5] = given["positions"][0] @ Rotation.random(random_state=1).as_matrix().T
    candidates = Candidates(runs(("water", 300)), [given])
    kind = settings(2, method="farthest", descriptor={"kind": "soap"}).descriptor
    found = describe_frames(kind, candidates)
    np.testing.assert_allclose(found[5], found[0], atol=1e-4)
    assert np.linalg.norm(found[1] - found[0]) > 1


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dscribe.descriptors", None)
    candidates = Candidates(runs(("water", 300)), [fields(2, 1)])
    kind = settings(2, method="farthest", descriptor={"kind": "soap"}).descriptor
    with pytest.raises(InputError, match=r"pip install 'gpip\[soap\]'"):
        describe_frames(kind, candidates)


def test_files_say_where_each_configuration_comes_from(tmp_path: Path, monkeypatch) -> None:
    given = {"b-300": fields(20, 1), "a-400": fields(8, 2), "a-300": fields(8, 3)}
    given["a-300"]["positions"][6] = given["a-300"]["positions"][2]
    given["a-400"]["temperature"] = np.full(8, 400.0)
    wanted_runs = [ClassicalRun(name[0], float(name[2:]), tmp_path / f"{name}.h5") for name in given]
    for run in wanted_runs:
        run.trajectory.write_bytes(run.trajectory.name.encode())
    monkeypatch.setattr(module, "read_run", lambda run: given[run.trajectory.stem])
    outputs = tmp_path / "configurations.h5", tmp_path / "indices.json"
    select_configurations(wanted_runs, settings(6), 3, *outputs)
    table = json.loads(outputs[1].read_text())
    origins = [(one["system"], one["temperature_kelvin"], one["frame"]) for one in table["frames"]]
    assert origins == [("a", 300, 2), ("a", 300, 5), ("a", 400, 2), ("a", 400, 6), ("b", 300, 5), ("b", 300, 15)]
    (skipped,) = table["skipped"]
    assert (skipped["frame"], skipped["close_to"]["frame"]) == (6, 2)
    assert table["provenance"]["seed"] == 3
    assert set(table["provenance"]["inputs"]) == {str(run.trajectory) for run in wanted_runs}
    written = Dataset(outputs[0])
    assert len(written) == 6
    for frame, (system, kelvin, number) in zip(written, origins, strict=True):
        assert (frame.system, frame.temperature_kelvin) == (system, kelvin)
        np.testing.assert_array_equal(frame.positions, given[f"{system}-{kelvin:g}"]["positions"][number])
    before = [path.read_bytes() for path in outputs]
    select_configurations(list(reversed(wanted_runs)), settings(6), 3, *outputs)
    assert outputs[1].read_bytes() == before[1]
