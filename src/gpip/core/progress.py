"""Progress of long work: a bar on a terminal, plain lines in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item],
    total: int,
    label: str,
    unit: str = "step",
    initial: int = 0,
    seconds_between_lines: float = 10.0,
) -> Iterator[Item]:
    """Yield `items`, showing how far along `total` they are; `initial` were done before (a resumed run)."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, initial=initial, desc=label, unit=unit)
        return
    start = last = time.monotonic()
    print(f"{label}: {total} {unit}s, starting at {initial}", flush=True)
    done = initial
    for done, item in enumerate(items, start=initial + 1):
        yield item
        now = time.monotonic()
        if now - last >= seconds_between_lines:
            rate = (done - initial) / (now - start)
            print(
                f"{label}: {done}/{total} {unit}s, {rate:.3g} {unit}s/s, {(total - done) / rate:.0f} s left",
                flush=True,
            )
            last = now
    print(f"{label}: {done}/{total} {unit}s in {time.monotonic() - start:.1f} s", flush=True)
