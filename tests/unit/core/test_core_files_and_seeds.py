"""Files are complete or absent; seeds differ by purpose; imports run one way."""

import ast
from pathlib import Path

import pytest

from gpip.core.errors import nearest
from gpip.core.files import replacing
from gpip.core.seeds import seed_for

SOURCE = Path(__file__).parents[3] / "src/gpip"

ORDER = [
    *("core", "config", "forcefields", "systems", "simulation", "datasets", "graphs", "models", "training"),
    *("pretraining", "labelling", "finetuning", "ml_md"),
]
MAY_IMPORT = {name: set(ORDER[: index + 1]) for index, name in enumerate(ORDER)}
MAY_IMPORT |= {"metrics": {"core", "metrics"}, "report": {"core", "metrics", "report"}}
MAY_IMPORT["baselines"] = {"core", "config", "datasets", "baselines"}
for name in ("finetuning", "baselines", "ml_md"):
    MAY_IMPORT[name] |= {"metrics"}


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in names if name)


@pytest.mark.parametrize("package", sorted(p.name for p in SOURCE.iterdir() if p.is_dir() and p.name[0] != "_"))
def test_imports_run_one_way(package):
    for path in (SOURCE / package).rglob("*.py"):
        for name in imported_packages(path):
            root, _, rest = name.partition(".")
            if root == "gpip" and rest:
                assert rest.split(".")[0] in MAY_IMPORT[package], f"{path} imports {name}"


def test_settings_and_metrics_stay_light():
    heavy = {"torch", "openmm", "mdtraj", "tblite"}
    for package in ("core", "config", "metrics", "report"):
        for path in (SOURCE / package).rglob("*.py"):
            roots = {name.split(".")[0] for name in imported_packages(path)}
            assert not roots & heavy, path


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    with pytest.raises(OSError, match="Is a directory"), replacing(path) as partial:
        partial.write_text(tmp_path.read_text())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_seeds_are_fixed_and_differ_by_purpose():
    assert seed_for(2026, "classical_md", "water", 300) == seed_for(2026, "classical_md", "water", "300")
    seeds = {seed_for(root, stage, n) for root in range(5) for stage in ("a", "b") for n in range(50)}
    assert len(seeds) == 500
    assert all(0 < seed < 2**31 for seed in seeds)


def test_nearest_name():
    assert nearest("Watre", ["water", "methanol"]) == "water"
    assert nearest("xyz", ["water"]) is None
