"""Results of single frames, stored as soon as they are there, so that a killed job continues with the next frame."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpip.core.files import read_json, replacing, write_json
from gpip.core.frame import Frame


class Result(NamedTuple):
    """What the engine gave for one frame: energy and forces, or the reason why there are none."""

    energy: float | None = None
    """eV."""
    forces: np.ndarray | None = None
    """[n_atoms, 3], eV/angstrom."""
    reason: str = ""
    """Why the frame could not be labelled; empty for one that was."""

    @property
    def failed(self) -> bool:
        return bool(self.reason)


class ResultStore:
    """The folder `<output>.work` beside a job's output: one file for each frame that is done."""

    def __init__(
        self, output: str | Path, fingerprint: dict[str, Any], time_limit_seconds: float | None = None
    ) -> None:
        """Open the folder, or start again where it holds the results of other settings.

        Args:
            output: of the job.
            fingerprint: all that the result of a frame depends on beside the frame; JSON-ready.
            time_limit_seconds: for one frame; frames that failed under another limit are tried again.
        """
        output = Path(output)
        self._limit = np.inf if time_limit_seconds is None else time_limit_seconds
        self.path = output.with_name(output.name + ".work")
        label, fingerprint = self.path / "job.json", json.loads(json.dumps(fingerprint))
        if self.path.exists() and _stored(label) != fingerprint:
            print(f"{self.path}: results of other settings; labelling starts again from the first frame", flush=True)
            self.remove()
        if not label.exists():
            write_json(label, fingerprint)

    def load(self, frame: Frame) -> Result | None:
        """The stored result of this very frame; None when there is none, or its file is damaged."""
        path = self._file(frame)
        if not path.exists():
            return None
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["reason"]):
                    return Result(reason=str(stored["reason"])) if stored["limit"] == self._limit else None
                result = Result(float(stored["energy"]), stored["forces"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            print(f"{path} is damaged ({error}); its frame is labelled again", flush=True)
            return None
        return result

    def save(self, frame: Frame, result: Result) -> None:
        arrays = {"reason": np.array(result.reason), "limit": np.array(self._limit)}
        if not result.failed:
            arrays |= {"energy": np.array(result.energy), "forces": result.forces}
        with replacing(self._file(frame)) as partial:
            np.savez(partial, **arrays)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, frame: Frame) -> Path:
        return self.path / f"{digest_of(frame)}.npz"


def digest_of(frame: Frame) -> str:
    """Of the atoms, the cell and the name of the system."""
    content = hashlib.sha256(frame.system.encode())
    for array in (frame.species, frame.positions, frame.cell, frame.pbc):
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()[:24]


def _stored(label: Path) -> Any:
    try:
        return read_json(label)
    except (OSError, ValueError):
        return None
