"""Engines and readers by the name that config.yaml gives in `source:`.

A new engine is one module in `engines`, its settings in `gpip.config.engines`, and one line here; a new reader is one
module in `readers`, its settings in `gpip.config.readers`, and one line here.
"""

import importlib
from pathlib import Path
from typing import Any

from gpip.config.labels import ComputedLabels, FileLabels
from gpip.core.errors import unknown_name
from gpip.labelling.engines.base import Engine
from gpip.labelling.readers.base import Reader

ENGINES = {
    "tblite": "gpip.labelling.engines.tblite:TBLite",
}
READERS = {
    "deepmd": "gpip.labelling.readers.deepmd:DeePMDReader",
    "npz": "gpip.labelling.readers.npz:NPZReader",
}


def engine_class(source: str) -> type[Engine]:
    """The engine of a `source`. Raises InputError when there is none of that name."""
    return _load(ENGINES, source)


def make_engine(settings: ComputedLabels) -> Engine:
    """The engine that the settings name."""
    return engine_class(settings.source)(settings)


def make_reader(settings: FileLabels, path: str | Path) -> Reader:
    """The reader that the settings name, for the file or folder at `path`."""
    return _load(READERS, settings.source)(settings, Path(path))


def _load(registry: dict[str, str], source: str) -> Any:
    if source not in registry:
        raise unknown_name("labels: source", source, registry)
    module, _, name = registry[source].partition(":")
    return getattr(importlib.import_module(module), name)
