"""One job of the workflow: its output goes to its log, a user's error is shown without a traceback."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpip.core.errors import InputError


@contextmanager
def logged_job(log: str | Path) -> Iterator[None]:
    """Send standard output and error, those of libraries and child processes too, to the file `log`.

    An InputError ends the process with its message, in the log and on the terminal; any other error with its traceback.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with open(log, "w", encoding="utf-8") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    except Exception as error:
        message = f"error: {error}" if isinstance(error, InputError) else traceback.format_exc()
        print(message, flush=True)
        os.write(terminal, f"{message}\n".encode())
        os._exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
