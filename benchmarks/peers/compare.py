"""Our networks beside public implementations of the same, each in a process of its own, called in turn.

    python benchmarks/peers/compare.py --python schnetpack=PEERS/bin/python --python mace=MACE/bin/python ...

Peers pin packages that exclude each other, so each runs in the interpreter named for it; those without one are left
out. In each round every implementation makes one call, the others rest, and the ratio is that of the round's calls:
what else the machine does meets all alike. All have one thread and the allocator settings of the workflow's jobs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
PEERS = {
    "SchNet 6 x 128": ["schnetpack", "pyg"],
    "PaiNN 3 x 128": ["schnetpack"],
    "ET 6 x 256": ["torchmd-net"],
    "EGNN 5 x 256": ["egnn"],
    "GemNet-T 4 x 128": ["fairchem"],
    "SphereNet 4 x 128": ["dig"],
    "SE(3)-T 3 x 8": ["fuchs"],
    "NequIP l=1, 3 x 32": ["nequip"],
    "MACE 2 x 64x0e": ["mace"],
}
NOT_OURS = ("nequip", "mace")
LARGEST_SIDE = {"SphereNet 4 x 128": 2}
"""Molecules along an edge of the box: DIG's lists for 192 atoms take more than 14 GB."""
WHAT = ("training_step", "force_call", "md_step")
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}


class Worker:
    """A process that times one implementation of one network."""

    def __init__(self, python: str, implementation: str, network: str, n_side: int, n_boxes: int) -> None:
        self.name = implementation
        environment = (
            os.environ | ALLOCATOR | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        )
        command = [python, str(HERE / "worker.py"), implementation, network, str(n_side), str(n_boxes)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE
        )
        self.described = self._answer()

    def time(self, what: str) -> dict[str, float] | None:
        """Seconds of one call, or None where the implementation has no such call."""
        assert self.process.stdin
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: its process ended without an answer; see what it printed above")
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


class Row(NamedTuple):
    """Medians of one call of one implementation."""

    network: str
    implementation: str
    what: str
    n_atoms: int
    n_boxes: int
    milliseconds: float
    ratio: float | None
    """Median over rounds of ours over this one."""
    added_mb: float
    n_parameters: int


def compare(
    network: str, pythons: dict[str, str], n_side: int, n_boxes: int, whats: Sequence[str], n_rounds: int
) -> list[Row]:
    """All implementations of a network that there is an interpreter for."""
    names = ([] if PEERS[network][0] in NOT_OURS else ["gpip"]) + [name for name in PEERS[network] if name in pythons]
    workers = [Worker(pythons[name], name, network, n_side, n_boxes) for name in names]
    for worker in workers:
        print(f"# {network}: {worker.name} {worker.described}", file=sys.stderr, flush=True)
    rows = []
    for what in whats:
        rounds = [[worker.time(what) for worker in workers] for _ in range(n_rounds)]
        for index, worker in enumerate(workers):
            if rounds[0][index] is None:
                continue
            times = np.array([each[index]["wall_s"] for each in rounds])
            ours = np.array([each[0]["wall_s"] for each in rounds]) if names[0] == "gpip" else None
            ratio = float(np.median(ours / times)) if index and ours is not None else None
            rows.append(
                Row(
                    network,
                    worker.name,
                    what,
                    worker.described["n_atoms"] // n_boxes,
                    n_boxes,
                    1000 * float(np.median(times)),
                    ratio,
                    rounds[-1][index]["added_mb"],
                    worker.described["n_parameters"],
                )
            )
            print(rows[-1], file=sys.stderr, flush=True)
    for worker in workers:
        worker.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="interpreter of a peer")
    parser.add_argument("--networks", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--side", type=int, default=4, help="molecules along an edge of the box")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--what", nargs="+", choices=WHAT, default=list(WHAT))
    arguments = parser.parse_args()
    pythons = {"gpip": sys.executable} | dict(pair.split("=", 1) for pair in arguments.python)
    print(f"{date.today()}, {platform.processor() or platform.machine()}, one thread, float32, median of", end=" ")
    print(f"{arguments.rounds} rounds; water, 5 Å\n")
    print("| network | implementation | call | boxes x atoms | ms | ours / it | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    for network in arguments.networks:
        for n_boxes in arguments.batch_sizes:
            whats = [what for what in arguments.what if n_boxes == 1 or what == "training_step"]
            n_side = min(arguments.side, LARGEST_SIDE.get(network, arguments.side))
            for row in compare(network, pythons, n_side, n_boxes, whats, arguments.rounds):
                ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
                call, atoms = row.what.replace("_", " "), f"{row.n_boxes} x {row.n_atoms}"
                print(
                    f"| {row.network} | {row.implementation} | {call} | {atoms} "
                    f"| {row.milliseconds:.1f} | {ratio} | {row.added_mb:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
