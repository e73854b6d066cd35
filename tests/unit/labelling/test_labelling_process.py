"""The engine in its own process: same numbers, a time limit, crashes, and no process left when the job is killed."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from gpip.config.engines import TBLiteLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.labelling.engines.base import LabellingFailed
from gpip.labelling.engines.tblite import TBLite
from gpip.labelling.process import EngineProcess

WATER = Frame(
    np.array([8, 1, 1], dtype=np.uint8),
    np.array([[0.0, 0.0, 0.0], [0.80, 0.55, 0.0], [-0.76, 0.62, 0.05]]),
    np.zeros((3, 3)),
    np.zeros(3, dtype=bool),
    system="water",
)

# An engine of the test's own, served by the same code. The first positions say what it does.
STRANGE = """
import os, subprocess, sys, time
from gpip.labelling import process
from gpip.labelling.engines.base import Engine

class Strange(Engine):
    name = "strange"
    def compute(self, frame, charge, n_unpaired, careful):
        what = int(frame.positions[0, 0])
        if what == 1:
            subprocess.Popen(["sleep", "600"])
            time.sleep(600)
        if what == 2:
            os.abort()
        if what == 3:
            raise ValueError("no such basis")
        if what == 4:
            return 0.0, [[0.0, 0.0]]
        return float(os.getpid()), 0.0 * frame.positions

process.make_engine = Strange
import threading
threading.Thread(target=process._end_with_parent, args=(int(sys.argv[-1]),), daemon=True).start()
process.serve(process.Connection(int(sys.argv[-2])))
"""


def settings(**changes) -> TBLiteLabels:
    given = {"source": "tblite", "system": "water", "temperature_kelvin": 300, "n_frames": 1}
    return TBLiteLabels(**(given | changes))


def strange(what: int) -> Frame:
    return Frame(WATER.species, np.full((3, 3), float(what)), WATER.cell, WATER.pbc, system="water")


def test_the_numbers_are_those_of_the_engine_itself() -> None:
    with EngineProcess(settings()) as engine:
        energy, forces = engine.label(WATER)
    direct_energy, direct_forces = TBLite(settings()).label(WATER)
    assert energy == direct_energy
    np.testing.assert_array_equal(forces, direct_forces)


def test_input_that_the_engine_refuses_is_an_input_error_here() -> None:
    odd = Frame(WATER.species[:2], WATER.positions[:2], WATER.cell, WATER.pbc, system="hydroxyl")
    with EngineProcess(settings()) as engine:
        with pytest.raises(InputError, match="'hydroxyl' has an odd number of electrons"):
            engine.label(odd)
        energy, _ = engine.label(odd, -1)
    assert energy < 0


def test_a_frame_that_takes_too_long_is_stopped_and_the_next_is_labelled(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    command = [sys.executable, str(tmp_path / "strange.py")]
    with EngineProcess(settings(time_limit_seconds=2), command) as engine:
        first, _ = engine.label(strange(0))
        with pytest.raises(LabellingFailed, match="stopped after the time limit of 2 s"):
            engine.label(strange(1))
        assert not _alive(int(first))
        second, _ = engine.label(strange(0))
        assert second != first
    assert not _alive(int(second))


def test_crashes_and_errors_of_the_program_cost_one_frame(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    with EngineProcess(settings(), [sys.executable, str(tmp_path / "strange.py")]) as engine:
        with pytest.raises(LabellingFailed, match="the engine's process was ended by SIGABRT"):
            engine.label(strange(2))
        with pytest.raises(LabellingFailed, match="ValueError: no such basis"):
            engine.label(strange(3))
        with pytest.raises(LabellingFailed, match=r"forces have shape \(1, 2\)"):
            engine.label(strange(4))
        engine.label(strange(0))


def test_the_engine_and_its_programs_end_with_a_killed_job(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(STRANGE)
    job = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_labelling_process import EngineProcess, settings, strange
        engine = EngineProcess(settings(), [sys.executable, {str(tmp_path / "strange.py")!r}])
        print(int(engine.label(strange(0))[0]), flush=True)
        engine.label(strange(1))
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(job)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    while len(_group(child)) < 2:  # the engine has started a program of its own
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _group(child):
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {_group(child)}")


def _alive(process: int) -> bool:
    return process in _group(process)


def _group(leader: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found
