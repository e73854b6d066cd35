"""Finding and running the commands of another package."""

import json
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpip.core.errors import InputError

SHOWN_LINES = 20


@dataclass(frozen=True)
class Commands:
    """Where the commands of one package are, and how they are run."""

    baseline: str
    """Its name in config.yaml."""
    distribution: str
    """What pip installs, for example mace-torch."""
    folder: str | None
    """None: the folders of PATH."""
    n_threads: int
    log: Path
    """Where the output of this job goes; errors name it."""

    def find(self, command: str) -> Path:
        """The program. Raises InputError that says where it was sought and how to install it."""
        folder = str(Path(self.folder).expanduser()) if self.folder else None
        found = shutil.which(command, path=folder)
        if found:
            return Path(found).absolute()
        package = self.distribution.partition("-")[0]
        sought = f"in command_folder {folder!r}" if folder else f"on PATH ({os.environ.get('PATH', '')})"
        raise InputError(
            f"baseline {self.baseline!r}: the command {command} was not found {sought}. Install {self.distribution} "
            f"into an environment of its own (mace-torch and nequip need different versions of e3nn), for example\n"
            f"    python3 -m venv {package} && {package}/bin/pip install {self.distribution}\n"
            f"and set baselines.{self.baseline}.command_folder to its folder {package}/bin; or run Snakemake with "
            f"--software-deployment-method conda, which makes envs/{package}.yaml"
        )

    def run(self, folder: Path, command: str, *arguments: object) -> None:
        """Run a command in a folder, to its end; its output becomes that of this job.

        Raises:
            InputError: the command is missing, or it failed; the message ends with the last lines that it printed.
        """
        given = [str(self.find(command)), *map(str, arguments)]
        print(f"$ {' '.join(given)}", flush=True)
        last: deque[str] = deque(maxlen=SHOWN_LINES)
        with subprocess.Popen(
            given,
            cwd=folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                last.append(line)
        if process.returncode:
            raise InputError(
                f"baseline {self.baseline!r}: {command} failed with exit status {process.returncode}. All that it "
                f"printed is in {self.log}; it ended with\n{''.join(last).rstrip()}"
            )

    def ask(self, command: str, code: str, *arguments: object) -> dict[str, Any]:
        """The JSON that lines of Python print, run by the interpreter beside a command; {} where there is none."""
        python = self.find(command).resolve().parent / "python"
        if not python.exists():
            return {}
        given: Sequence[str] = [str(python), "-W", "ignore", "-c", code, *map(str, arguments)]
        done = subprocess.run(given, capture_output=True, text=True, check=False, env=self._environment())
        if done.returncode:
            print(f"{python} could not read the model: {done.stderr.strip()[-500:]}", flush=True)
            return {}
        return json.loads(done.stdout.splitlines()[-1])

    def _environment(self) -> dict[str, str]:
        """Threads as the rule says. PYTHONPATH is ours, and may hold packages of another environment."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(self.n_threads))
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | threads
