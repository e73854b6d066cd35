"""Time and memory per atom of a force call of our networks, from 192 to 12,288 atoms of water.

    python benchmarks/peers/scaling.py

Each size in a process of its own, one thread, with the allocator settings of the workflow's jobs.
"""

import argparse
import sys
from datetime import date

import numpy as np
from compare import Worker
from ours import NETWORKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--sides", type=int, nargs="+", default=[4, 8, 16], help="molecules along an edge of the box")
    parser.add_argument("--calls", type=int, default=3)
    parser.add_argument("--what", nargs="+", default=["force_call", "neighbour_build"])
    arguments = parser.parse_args()
    print(f"{date.today()}, one thread, float32, median of {arguments.calls} calls\n")
    print("| network | call | atoms | ms | µs an atom | memory, kB an atom |")
    print("|---|---|---|---|---|---|")
    for network in arguments.networks:
        for n_side in arguments.sides:
            worker = Worker(sys.executable, "gpip", network, n_side, 1)
            n_atoms = worker.described["n_atoms"]
            for what in arguments.what:
                answers = [worker.time(what) for _ in range(arguments.calls)]
                seconds = float(np.median([answer["processor_s"] for answer in answers]))
                memory = 1000 * answers[0]["added_mb"] / n_atoms
                name = what.replace("_", " ")
                print(
                    f"| {network} | {name} | {n_atoms} | {1e3 * seconds:.0f} | {1e6 * seconds / n_atoms:.0f} "
                    f"| {memory:.0f} |",
                    flush=True,
                )
            worker.close()


if __name__ == "__main__":
    main()
