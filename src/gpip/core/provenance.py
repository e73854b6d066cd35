"""Where a file comes from: written into every file that a stage makes."""

import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gpip import __version__
from gpip.core.files import digest
from gpip.core.versions import STAGE_VERSIONS

PACKAGES = ("openmm", "torch", "numpy", "mdtraj", "h5py", "vesin", "tblite")


def provenance(stage: str, settings: Any, seed: int | None = None, inputs: Iterable[str | Path] = ()) -> dict[str, Any]:
    """A JSON-ready record of one stage's run: settings, seed, versions and digests of the input files."""
    if hasattr(settings, "model_dump"):
        settings = settings.model_dump(mode="json")
    return {
        "stage": stage,
        "stage_version": STAGE_VERSIONS[stage],
        "gpip": __version__,
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in PACKAGES},
        "settings": json.loads(json.dumps(settings, default=str)),
        "seed": seed,
        "inputs": {str(path): digest(path) for path in inputs},
    }
