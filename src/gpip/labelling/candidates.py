"""The configurations that a selection chooses from: frames of classical runs, numbered over all runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpip.core.fields import FIELDS
from gpip.core.frame import Frame
from gpip.datasets.writer import ClassicalRun


class Candidates(Sequence[Frame]):
    """Frames of several runs by one number that counts over all of them."""

    def __init__(self, runs: Sequence[ClassicalRun], fields: Sequence[dict[str, np.ndarray]]) -> None:
        """Frames of `runs`, whose arrays are in `fields` by the names, axes and units of FIELDS."""
        self.runs, self._fields = list(runs), list(fields)
        lengths = [len(one["positions"]) for one in self._fields]
        self.run_of = np.repeat(np.arange(len(lengths)), lengths)
        """Number of the run of each candidate."""
        self.frame_of = np.concatenate([np.arange(length) for length in lengths])
        """Number of each candidate in its run."""

    def __len__(self) -> int:
        return len(self.run_of)

    def __getitem__(self, index: int) -> Frame:
        fields, run = self._of(index), self.runs[self.run_of[index]]
        return Frame(
            species=np.asarray(fields["species"], dtype=np.uint8),
            positions=self.positions(index),
            cell=self.cell(index),
            pbc=fields["pbc"],
            temperature_kelvin=run.temperature_kelvin,
            system=run.system,
        )

    def _of(self, index: int) -> dict[str, np.ndarray]:
        return self._fields[self.run_of[index]]

    def system_of(self, index: int) -> str:
        return self.runs[self.run_of[index]].system

    def positions(self, index: int) -> np.ndarray:
        """[n_atoms, 3], angstrom."""
        return self._of(index)["positions"][self.frame_of[index]]

    def cell(self, index: int) -> np.ndarray:
        """[3, 3], angstrom."""
        return self._of(index)["cell"][self.frame_of[index]]

    def pbc(self, index: int) -> np.ndarray:
        return self._of(index)["pbc"]

    def origin(self, index: int) -> dict[str, Any]:
        """System, temperature, file and frame of a candidate; JSON-ready."""
        run = self.runs[self.run_of[index]]
        return {
            "system": run.system,
            "temperature_kelvin": run.temperature_kelvin,
            "file": str(run.trajectory),
            "frame": int(self.frame_of[index]),
        }

    def fields(self, run: int, frames: Sequence[int]) -> dict[str, np.ndarray]:
        """Fields of some frames of one run, as a dataset file has them."""
        chosen = np.asarray(frames, dtype=np.int64)
        fields = {
            name: values[chosen] if FIELDS[name].axes[0] == "n_frames" else values
            for name, values in self._fields[run].items()
        }
        return fields | {"source_frame": chosen}
