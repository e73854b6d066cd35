"""An engine in a process of its own: stopped when a frame takes too long, and a crash costs one frame.

The process is this module run as a program. It receives the settings, then frames, and answers each.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

import gpip
from gpip.config.label_sources import label_settings
from gpip.config.labels import ComputedLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.labelling.engines.base import LabellingFailed
from gpip.labelling.registry import engine_class, make_engine

SOURCE = str(Path(gpip.__file__).parents[1])
"""The child imports the same package as this process."""
READY, DONE, FAILED, WRONG_INPUT = "ready", "done", "failed", "wrong input"


class EngineProcess:
    """The engine of the settings in a child process, started with the first frame and again after it was stopped."""

    def __init__(self, settings: ComputedLabels, command: Sequence[str] | None = None) -> None:
        """`command` starts the child; the numbers of three file descriptors are appended to it."""
        self._settings = settings
        self._command = command or [sys.executable, "-m", "gpip.labelling.process"]
        self.fallback = engine_class(settings.source).fallback
        self._child: subprocess.Popen | None = None
        self._link: Connection
        self._life: int

    def label(
        self, frame: Frame, charge: int = 0, n_unpaired: int = 0, careful: bool = False
    ) -> tuple[float, np.ndarray]:
        """As Engine.label; LabellingFailed also when the time limit is passed or the process ends."""
        if self._child is None:
            self._start()
        self._link.send((frame, charge, n_unpaired, careful))
        return self._answer(self._settings.time_limit_seconds)

    def _start(self) -> None:
        self._link, far = Pipe()
        watched, self._life = os.pipe()
        self._child = subprocess.Popen(
            [*self._command, str(far.fileno()), str(watched)],
            pass_fds=(far.fileno(), watched),
            env=os.environ | {"PYTHONPATH": os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])])},
            start_new_session=True,  # so that programs which the engine has started can be stopped with it
        )
        far.close()
        os.close(watched)
        self._link.send(self._settings.model_dump(mode="json"))
        self._answer(None)

    def _answer(self, limit_seconds: float | None) -> Any:
        try:
            if not self._link.poll(limit_seconds):
                self.close()
                raise LabellingFailed(f"stopped after the time limit of {limit_seconds:g} s")
            kind, content = self._link.recv()
        except (EOFError, OSError):
            raise LabellingFailed(f"the engine's process {self._end()}") from None
        if kind == WRONG_INPUT:
            raise InputError(content)
        if kind == FAILED:
            raise LabellingFailed(content)
        return content

    def _end(self) -> str:
        code = self._child.wait()
        self.close()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

    def close(self) -> None:
        """Stop the process and all that it has started."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._link.close()
        os.close(self._life)
        self._child = None

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(link: Connection) -> None:
    """Answer frames until the other side closes the connection."""
    try:
        engine = make_engine(label_settings(link.recv()))
    except InputError as error:
        link.send((WRONG_INPUT, str(error)))
        return
    link.send((READY, None))
    while True:
        try:
            frame, charge, n_unpaired, careful = link.recv()
        except EOFError:
            return
        try:
            link.send((DONE, engine.label(frame, charge, n_unpaired, careful)))
        except LabellingFailed as reason:
            link.send((FAILED, str(reason)))
        except InputError as error:
            link.send((WRONG_INPUT, str(error)))
        except Exception as error:
            # Programs raise whatever they like. The frame is lost; the log holds the whole story.
            traceback.print_exc()
            link.send((FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}"))


def _end_with_parent(life: int) -> None:
    """The pipe is closed when the parent ends, however it ends: then stop, with all that was started from here."""
    os.read(life, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, args=(int(sys.argv[-1]),), daemon=True).start()
    serve(Connection(int(sys.argv[-2])))
