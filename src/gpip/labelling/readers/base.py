"""What every reader of existing labels offers. A new one is one module here, its settings, and its registry lines."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from gpip.config.labels import FileLabels

Settings = TypeVar("Settings", bound=FileLabels)
Fields = dict[str, np.ndarray]
"""Arrays of one system by the names, axes and units of FIELDS."""


class Reader(ABC, Generic[Settings]):
    """Labels in existing files of one format."""

    def __init__(self, settings: Settings, path: Path) -> None:
        """Nothing is read yet; `path` is a file or a folder, by the format."""
        self.settings, self.path = settings, path

    @abstractmethod
    def files(self) -> list[Path]:
        """Every file that the labels come from: inputs of the rule, their digests go into the provenance."""

    @abstractmethod
    def count_frames(self) -> int:
        """Number of labelled frames, found quickly. Raises InputError when they cannot be counted."""

    @abstractmethod
    def read(self, name: str) -> Iterator[tuple[str, Fields]]:
        """Each system once, with its name and fields: species, pbc, positions, cell, energy and forces at least.

        A system has the same atoms in the same order in all its frames. `temperature`, `source_frame` (counted over
        all frames of the files) and `molecule` are added by the caller where they are missing.

        Args:
            name: of the labels; the name of the system where the files hold just one.

        Raises:
            InputError: the files are damaged, or lack what is needed.
        """
