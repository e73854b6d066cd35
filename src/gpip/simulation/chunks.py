"""The work folder of a run: one file per completed chunk, so that a killed run goes on where it was."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpip.core.files import read_json, replacing, write_json

STATE, MEMORY = "openmm_state", "memory"


@dataclass(frozen=True)
class Chunk:
    """What one file holds: the records of a stretch of the run, and where the run stands after it."""

    records: dict[str, np.ndarray]
    """Name to [n_records, ...]; empty for stretches of which nothing is kept."""
    state: str
    """Serialised OpenMM State."""
    memory: dict[str, Any]
    """What the force source must know to go on; JSON-ready."""


class WorkFolder:
    """Chunks of one run, beside its output, with the fingerprint of what made them."""

    def __init__(self, output: str | Path, fingerprint: dict[str, Any]) -> None:
        """Open the folder of `output`, or start afresh when there is none of the same fingerprint.

        Args:
            fingerprint: all that the run depends on, JSON-ready.
        """
        output = Path(output)
        self.path = output.with_name(output.name + ".work")
        fingerprint = json.loads(json.dumps(fingerprint))
        label = self.path / "run.json"
        if self.path.exists() and (not label.exists() or read_json(label) != fingerprint):
            print(f"{self.path}: of a run with other settings, seed or inputs; starting afresh", flush=True)
            self.remove()
        if not label.exists():
            write_json(label, fingerprint)
        elif self.n_chunks:
            print(f"{self.path}: going on after {self.n_chunks} completed chunks", flush=True)

    @property
    def n_chunks(self) -> int:
        """How many chunks are complete, without a gap from the first on."""
        n = 0
        while self._file(n).exists():
            n += 1
        return n

    def save(self, index: int, chunk: Chunk) -> None:
        assert not {STATE, MEMORY} & set(chunk.records)
        extra = {STATE: np.array(chunk.state), MEMORY: np.array(json.dumps(chunk.memory))}
        with replacing(self._file(index)) as partial:
            np.savez(partial, **extra, **chunk.records)

    def load(self, index: int) -> Chunk:
        with np.load(self._file(index)) as file:
            records = {name: file[name] for name in file.files if name not in (STATE, MEMORY)}
            return Chunk(records, str(file[STATE]), json.loads(str(file[MEMORY])))

    def records(self) -> Iterator[Mapping[str, np.ndarray]]:
        """The records of each chunk that kept any, in order."""
        for index in range(self.n_chunks):
            records = self.load(index).records
            if records:
                yield records

    def remove(self) -> None:
        shutil.rmtree(self.path)

    def _file(self, index: int) -> Path:
        return self.path / f"chunk-{index:06d}.npz"
