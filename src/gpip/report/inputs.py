"""Which files of which run the report is made from."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from gpip.core.errors import InputError, unknown_name
from gpip.core.files import read_json

Run = dict[str, Any]

RUN_KEYS = {
    "fine_tuning": ("experiment", "backbone", "arm", "n_train", "seed", "folder"),
    "baselines": ("experiment", "backbone", "arm", "n_train", "seed", "folder"),
    "ml_md": ("experiment", "backbone", "arm", "n_train", "seed", "trajectory", "metrics"),
    "pretraining": ("set", "backbone", "recipe", "seed", "folder"),
    "classical": ("system", "temperature_kelvin", "log"),
    "labels": ("name", "file", "rejected"),
    "systems": ("name", "manifest", "summary"),
    "datasets": ("name", "file"),
}


@dataclass(frozen=True)
class RunFiles:
    """All runs of a project, stage by stage; each run is a mapping with the keys of RUN_KEYS."""

    fine_tuning: list[Run] = field(default_factory=list)
    """`folder` holds errors.json, history.csv, predictions.h5 and cost.json; `pretraining` is the folder of the run
    that the weights come from, None from scratch."""
    baselines: list[Run] = field(default_factory=list)
    """Networks of other packages, with the same keys and files: `backbone` is the name of the baseline."""
    ml_md: list[Run] = field(default_factory=list)
    """`metrics` is the folder of metrics.json, rdf.csv, msd.csv and traces.csv."""
    pretraining: list[Run] = field(default_factory=list)
    """`folder` holds losses.csv and cost.json."""
    classical: list[Run] = field(default_factory=list)
    """`log` is the log.csv of one classical run."""
    labels: list[Run] = field(default_factory=list)
    """`file` in the data set layout, `rejected` the table of frames left out."""
    systems: list[Run] = field(default_factory=list)
    """`manifest` is the manifest.json of the packed box, `summary` what was measured of the system."""
    datasets: list[Run] = field(default_factory=list)
    """`file` in the data set layout."""
    benchmarks: list[str] = field(default_factory=list)
    """Snakemake's benchmark files, benchmarks/<rule>.tsv or benchmarks/<rule>/.../<job>.tsv."""

    @property
    def tested(self) -> list[Run]:
        """Every network with test errors: ours, then those of other packages."""
        return self.fine_tuning + self.baselines

    @classmethod
    def from_json(cls, given: "dict[str, Any] | RunFiles") -> "RunFiles":
        """Check plain lists and mappings. Raises InputError for unknown stages and missing keys or files."""
        if isinstance(given, cls):
            return given
        known = [one.name for one in fields(cls)]
        for stage in given:
            if stage not in known:
                raise unknown_name("inputs of the report", stage, known)
        for stage, keys in RUN_KEYS.items():
            for run in given.get(stage, []):
                missing = [key for key in keys if key not in run]
                if missing:
                    raise InputError(f"inputs of the report: {stage} run {run} lacks {', '.join(missing)}")
        return cls(**{stage: list(runs) for stage, runs in given.items()})


def read_csv(path: str | Path) -> pd.DataFrame:
    """A table of a run. Raises InputError when it is missing or empty."""
    try:
        return pd.read_csv(path)
    except (FileNotFoundError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: {error}; run the stage that makes it") from None


def run_errors(run: Run) -> dict[str, Any]:
    """What errors.json of a fine-tuning run or a baseline holds."""
    path = Path(run["folder"]) / "errors.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: run the training that makes it")
    return read_json(path)


def run_cost(folder: str | Path) -> dict[str, Any]:
    """What cost.json of a pre-training or fine-tuning run holds: seconds of its steps, and the clock they are of."""
    path = Path(folder) / "cost.json"
    if not path.is_file():
        raise InputError(f"{path} is missing: run the training that makes it")
    return read_json(path)


def name_of(run: Run) -> str:
    """A fine-tuning or ML-driven run in a few words."""
    return f"{run['backbone']}, {run['arm']}, {run['n_train']} frames, seed {run['seed']}"


def group_by(runs: list[Run], *keys: str) -> dict[tuple, list[Run]]:
    """Runs by the values of some keys, in the order given."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in keys), []).append(run)
    return groups
