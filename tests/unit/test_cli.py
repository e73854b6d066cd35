"""The command line: output of each command, and one message instead of a traceback for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml

from gpip.cli import main
from gpip.datasets.writer import write_dataset

CONFIG = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    fields = {
        "species": [8, 1, 1],
        "positions": [[[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]]],
        "cell": [6 * np.eye(3)],
        "pbc": [True] * 3,
        "temperature": [300],
    }
    write_dataset(tmp_path / "d.h5", {"water": fields}, {"stage": "dataset"})
    return tmp_path / "d.h5"


def test_dataset_info_and_export(dataset: Path, tmp_path: Path, capsys) -> None:
    assert main(["dataset", "info", str(dataset)]) == 0
    assert "1 frames of 3 atoms, H2O" in capsys.readouterr().out
    assert main(["dataset", "export", str(dataset), str(tmp_path / "out.extxyz")]) == 0
    assert ase.io.read(tmp_path / "out.extxyz").get_chemical_formula() == "H2O"


def test_schema_is_json(capsys) -> None:
    assert main(["schema"]) == 0
    assert "experiments" in json.loads(capsys.readouterr().out)["properties"]


def test_check_says_what_would_run(capsys) -> None:
    assert main(["check", str(CONFIG)]) == 0
    text = capsys.readouterr().out
    assert "system water: 64 water" in text
    assert "fine-tuning runs" in text


def test_check_prints_what_is_asked_and_reached_and_warnings_last(tmp_path: Path, capsys) -> None:
    system = {
        "salt": {"NaFSI": "0.8 mol/kg"},
        "solvent": {"EC": 2, "DMC": 3},
        "n_atoms": 1500,
        "force_field": "opls-aa",
        "density": "npt",
        "temperatures_kelvin": [30],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"systems": {"a": system}}, sort_keys=False))
    assert main(["check", str(tmp_path / "config.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("system a: NaFSI: 0.8 mol/kg asked, 0.8") for line in lines)
    assert any(line.startswith("system a: EC:DMC by mole: 2:3 asked, ") for line in lines)
    assert lines[-1].startswith("warning: systems.a: temperatures_kelvin: 30 K is -243 °C")
    system["n_atoms"] = 130
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"systems": {"a": system}}, sort_keys=False))
    assert main(["check", str(tmp_path / "config.yaml")]) == 2
    assert "The nearest n_atoms that serve" in capsys.readouterr().err


def test_check_counts_the_frames_of_existing_labels(tmp_path: Path, capsys) -> None:
    part = tmp_path / "data" / "aimd" / "set.000"
    part.mkdir(parents=True)
    np.save(part / "coord.npy", np.zeros((12, 9)))
    optimization = {"n_steps": 10}
    config = {
        "data_dir": str(tmp_path / "data"),
        "backbones": {"schnet": {"model": "schnet"}},
        "labels": {"aimd": {"source": "deepmd", "path": "aimd"}},
        "experiments": {
            "e": {
                "labels": "aimd",
                "backbones": ["schnet"],
                "initialisations": ["scratch"],
                "n_train": [6],
                "split": {"n_validation": 3, "n_test": 3},
                "seeds": [0, 1],
                "fine_tuning": {"optimization": optimization},
            }
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", str(tmp_path / "config.yaml")]) == 0
    assert "labels aimd: read from aimd, 12 frames" in capsys.readouterr().out
    config["experiments"]["e"]["n_train"] = [7]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["check", str(tmp_path / "config.yaml")]) == 2
    assert "13 frames, but labels 'aimd' have 12" in capsys.readouterr().err


def test_check_warns_of_a_thermostat_that_does_not_suit_a_molecule(tmp_path: Path, capsys) -> None:
    ml_md = {"duration_ps": 1}
    config = {
        "systems": {
            "ethanol": {
                "species": {"molecule": {"count": 1, "smiles": "CCO"}},
                "force_field": "opls-aa",
                "periodic": False,
                "temperatures_kelvin": [300],
            }
        },
        "backbones": {"schnet": {"model": "schnet"}},
        "labels": {"xtb": {"source": "tblite", "system": "ethanol", "temperature_kelvin": 300, "n_frames": 20}},
        "experiments": {
            "e": {
                "labels": "xtb",
                "backbones": ["schnet"],
                "initialisations": ["scratch"],
                "n_train": [6],
                "split": {"n_validation": 3, "n_test": 6},
                "seeds": [0],
                "fine_tuning": {"optimization": {"n_steps": 10}},
                "ml_md": ml_md,
                "metrics": {"reference": {"system": "ethanol", "temperature_kelvin": 300}},
            }
        },
    }
    for thermostat, warned in ((None, False), ("langevin", False), ("nose-hoover", True)):
        ml_md["thermostat"] = thermostat
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        assert main(["check", str(tmp_path / "config.yaml")]) == 0
        out = capsys.readouterr().out
        assert ("warning: experiments.e.ml_md: thermostat nose-hoover is not ergodic" in out) == warned


def test_bad_input_is_one_message_without_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; from gpip.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*command, "dataset", "info", str(tmp_path / "none.h5")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"gpip: {tmp_path / 'none.h5'}: no such dataset file\n"


def test_the_command_itself_loads_no_heavy_library() -> None:
    heavy = {"torch", "openmm", "h5py", "tblite", "mdtraj"}
    code = f"import sys, gpip.cli; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
