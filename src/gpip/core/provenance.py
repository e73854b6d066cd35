"""Where a file comes from: written into every file that a stage makes."""

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gpip import __version__
from gpip.core.files import digest
from gpip.core.versions import STAGE_VERSIONS

PACKAGES = ("openmm", "torch", "numpy", "mdtraj", "h5py", "vesin", "tblite")
OPENFF_PACKAGES = ("openff-toolkit", "openff-interchange", "openff-nagl", "openff-nagl-models")
"""In an environment of their own, which in turn lacks some of the others."""


def provenance(stage: str, settings: Any, seed: int | None = None, inputs: Iterable[str | Path] = ()) -> dict[str, Any]:
    """A JSON-ready record of one stage's run: settings, seed, versions and digests of the input files.

    Of typed settings it lists those that had an effect (`used`).
    """
    if hasattr(settings, "used"):
        settings = settings.used()
    return {
        "stage": stage,
        "stage_version": STAGE_VERSIONS[stage],
        "gpip": __version__,
        "python": sys.version.split()[0],
        "packages": _versions(),
        "settings": json.loads(json.dumps(settings, default=str)),
        "seed": seed,
        "inputs": {str(path): digest(path) for path in inputs},
    }


def _versions() -> dict[str, str]:
    """Of the packages that are installed."""
    found = {}
    for name in PACKAGES + OPENFF_PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
