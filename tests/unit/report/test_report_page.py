"""The whole report of a made-up project: complete, self-contained, and plain about what is missing."""

import re
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from results_tree import PROJECT, baseline, benchmarks, fine_tuning, write_results

from gpip.report.figures import parity_rows
from gpip.report.md_figures import rebinned
from gpip.report.page import build_report
from gpip.report.style import looks

VOID = {"meta", "img", "br"}


class Structure(HTMLParser):
    """Checks that tags close in order, and collects links and the text of table cells."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.ids, self.cells = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[key] for key in ("src", "href") if key in attrs]
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    page = build_report(PROJECT, write_results(root), root / "report")
    return page.parent


def test_the_page_needs_no_other_file(report):
    structure = Structure()
    structure.feed((report / "index.html").read_text(encoding="utf-8"))
    assert not structure.open
    assert {link[1:] for link in structure.links if link.startswith("#")} <= set(structure.ids)
    others = [link for link in structure.links if not link.startswith(("data:image/png;base64,", "#"))]
    assert others == ["systems/water.html"]
    assert "http" not in re.sub(r"base64,[^\"]*", "", (report / "index.html").read_text(encoding="utf-8"))


def test_no_table_has_a_blank_or_nan(report):
    tables = sorted(path.stem for path in report.glob("*.csv"))
    assert tables == [
        "compute",
        "cost",
        "datasets",
        "errors",
        "gain",
        "labels",
        "ml_md",
        "pretraining",
        "systems",
        "transfers",
    ]
    for path in report.glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert len(table)
        assert not table.isin(["", "nan", "NaN", "None"]).to_numpy().any(), path.name
    page = (report / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\bnan\b|\bNone\b|Undefined", re.sub(r"base64,[^\"]*", "", page))


def test_every_figure_is_there_and_not_empty(report):
    names = sorted(path.stem for path in (report / "figures").glob("*.png"))
    assert names == [
        "classical_water",
        "data_efficiency_water",
        "learning_curves_water",
        "ml_md_traces_water",
        "msd_water",
        "parity_water",
        "pretraining_losses",
        "rdf_water",
    ]
    for path in (report / "figures").glob("*.png"):
        assert matplotlib.image.imread(path)[..., :3].std() > 0.03, path.name


def test_the_page_says_what_happened_in_words(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    for words in (
        "water, painn, 20 training frames: the test force error of gpip is",
        "water, painn, 40 training frames: the test force error of gpip is",
        "two seeds show no more than a direction",
        "only two seeds. Fewer than three give no confidence interval",
        "scratch-long trains from scratch for longer",
        "This is the liquid of the force field, not that of the labels",
        "The ML-driven run of painn, scratch, 40 frames, seed 0 became unstable: replica 1 at 1.205 ps",
        "A network that predicts no noise has a denoise loss of 1.",
        "Training one network of each arm",
        "2 frames were left out: largest force 41.2 eV/Å is above 30 (1)",
        "weights loaded",
        "water, energies of other compositions and of single atoms: the training compositions (H2O) determine 1 of 2",
        "isolated atoms (computed by tblite GFN1-xTB); 1 of 2 determined",
        "64 water, tip3p, 10 temperatures from 100 to 1000 K",
        "≥ 1.99",
        "root seed 2026",
        "force_field: tip3p",
    ):
        assert words in page, words


def test_a_project_of_errors_alone_has_a_page(tmp_path):
    inputs = {
        "fine_tuning": [fine_tuning(tmp_path, "schnet", "scratch", 40, 0)],
        "benchmarks": benchmarks(tmp_path),
    }
    experiment = {**PROJECT["experiments"]["water"], "seeds": [0], "initialisations": ["scratch"]}
    del experiment["ml_md"]
    page = build_report({"experiments": {"water": experiment}}, inputs, tmp_path / "report").read_text("utf-8")
    for words in ("no ML-driven dynamics", "no pre-training.", "no classical dynamics", "Nothing to compare"):
        assert words in page
    assert "only one seed" in page


def test_networks_of_other_packages_stand_beside_ours(tmp_path):
    inputs = {
        "fine_tuning": [fine_tuning(tmp_path, "schnet", arm, 40, 0) for arm in ("scratch", "gpip")],
        "baselines": [
            baseline(tmp_path, "mace-small", "mace-torch 0.3.16", 40, 0),
            baseline(tmp_path, "nequip-small", "nequip 0.19.1", 40, 0),
        ],
    }
    experiment = {**PROJECT["experiments"]["water"], "baselines": ["mace-small", "nequip-small"]}
    page = build_report({"experiments": {"water": experiment}}, inputs, tmp_path / "report").read_text("utf-8")
    table = pd.read_csv(tmp_path / "report/errors.csv", dtype=str, keep_default_na=False)
    assert list(table["backbone"]) == ["schnet", "schnet", "mace-small", "nequip-small"]
    assert list(table["package"]) == ["gpip", "gpip", "mace-torch 0.3.16", "nequip 0.19.1"]
    assert not table.isin(["", "nan"]).to_numpy().any()
    for name in ("gain", "transfers"):
        assert set(pd.read_csv(tmp_path / f"report/{name}.csv")["backbone"]) == {"schnet"}
    for words in ("compared with mace-small and nequip-small of other packages", "mace-torch 0.3.16", "nequip 0.19.1"):
        assert words in page


def test_single_networks_share_a_row_of_the_parity_figure():
    ours = [("schnet", "scratch"), ("schnet", "gpip")]
    assert parity_rows([*ours, ("mace", "scratch"), ("nequip", "scratch")]) == [
        ours,
        [("mace", "scratch"), ("nequip", "scratch")],
    ]
    assert parity_rows([("schnet", "scratch")]) == [[("schnet", "scratch")]]


def test_an_empty_project_has_a_page(tmp_path):
    page = build_report({}, {}, tmp_path).read_text(encoding="utf-8")
    assert "has no experiments" in page


def test_joined_bins_keep_the_number_of_pairs():
    radii = (np.arange(500) + 0.5) * 0.012
    g = np.random.default_rng(0).random(500)
    table = pd.DataFrame({"r_angstrom": radii, "g": g, "g_ref": g})
    wide, joined, _ = rebinned(table)
    assert len(wide) == 100
    assert (joined * wide**2).sum() * 5 == pytest.approx((g * radii**2).sum(), rel=1e-3)


def test_many_lines_look_different():
    names = [f"network {index}" for index in range(20)]
    assert len(set(looks(names).values())) == len(names)
