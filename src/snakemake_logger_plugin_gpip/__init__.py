"""Progress of a run of the workflow on a terminal: `snakemake --logger gpip` prints one line per finished job.

    [12/52] fine_tune water schnet gpip n16 seed0, 14 s

Warnings and errors are printed as well, an error with the end of the log of its job and the path of that log. Snakemake
still writes everything to `.snakemake/log`. Snakemake finds plugins by the beginning of this package's name.
"""

import sys
import threading
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

N_LOG_LINES = 30
SHOWN_MESSAGES = ("Nothing to be done", "Complete log", "Exiting because a job execution failed", "Removing output")
"""Beginnings of Snakemake's plain messages that are passed on."""


FORMS = {"n_train": "n{}", "temperature": "{} K"}
"""How a wildcard is shown whose value alone says too little."""


def name_of(record: dict[str, Any]) -> str:
    """Rule and wildcards of a job, such as `fine_tune water schnet gpip n16 seed0`."""
    shown = [record["rule_name"]]
    for name, value in (record.get("wildcards") or {}).items():
        is_number = str(value).lstrip("-").isdigit()
        shown.append(FORMS.get(name, f"{name}{{}}" if is_number else "{}").format(value))
    return " ".join(shown)


def duration(seconds: float) -> str:
    """`14 s` or `1 h 05 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def end_of(log: Path) -> list[str]:
    """The last lines of a job's log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]
    left_out = len(lines) - N_LOG_LINES
    return lines if left_out <= 0 else [f"... {left_out} lines above", *lines[-N_LOG_LINES:]]


class LogHandler(LogHandlerBase):
    """Writes to standard error, or to standard output with Snakemake's `--stdout`."""

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self.setFormatter(DefaultFormatter(self.common_settings.quiet, self.common_settings.show_failed_logs))
        self._jobs: dict[int, dict[str, Any]] = {}
        self._started: dict[int, float] = {}
        self._finished: list[str] = []
        self._lock = threading.Lock()

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's own, which knows --quiet
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        with self._lock:
            try:
                for line in self._lines(record):
                    self.stream.write(line + "\n")
                self.stream.flush()
            except BrokenPipeError:
                raise
            except Exception:
                self.handleError(record)

    def _lines(self, record: LogRecord) -> list[str]:
        event: LogEvent | None = getattr(record, "event", None)
        if self.common_settings.dryrun:
            return [text] if (text := self.format(record)) else []
        if event == LogEvent.JOB_INFO:
            self._jobs[record.jobid] = record.__dict__
            self._started[record.jobid] = record.created
        elif event == LogEvent.JOB_FINISHED:
            seconds = record.created - self._started.get(record.job_id, record.created)
            self._finished.append(f"{name_of(self._jobs[record.job_id])}, {duration(seconds)}")
        elif event == LogEvent.PROGRESS:
            finished, self._finished = self._finished, []
            first, width = record.done - len(finished) + 1, len(str(record.total))
            return [f"[{first + i:{width}}/{record.total}] {what}" for i, what in enumerate(finished)]
        elif event == LogEvent.RUN_INFO and getattr(record, "stats", None):
            return [f"{record.stats['total']} jobs to do"] if "total" in record.stats else []
        elif event == LogEvent.JOB_ERROR:
            return self._failed(record)
        elif event == LogEvent.ERROR and "CalledProcessError" in str(record.msg):
            return []  # that the process of a job failed is said by the error of that job
        elif record.levelno >= WARNING or str(record.msg or "").startswith(SHOWN_MESSAGES):
            return [self.format(record)]
        return []

    def _failed(self, record: LogRecord) -> list[str]:
        job = self._jobs.get(record.jobid, record.__dict__)
        lines = [f"Error in {name_of(job)}:"]
        for log in record.log or []:
            # An error message and a traceback are at the end of a log.
            lines += [f"  {line}" for line in end_of(Path(log))] + [f"  The whole log: {Path(log).absolute()}"]
        if not record.log:
            lines += [self.format(record)]
        return lines
