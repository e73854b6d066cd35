"""What a step of ML-driven dynamics adds to the bare force call, and the neighbour list's share of it.

    python benchmarks/peers/md_overhead.py

The force call has fixed weights, as in dynamics. Calls alternate in one process; ratios are medians over the rounds.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from ours import NETWORKS, Ours
from water import water_box


def processor_s(call: Callable[[], object]) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS)[:3])
    parser.add_argument("--rounds", type=int, default=41)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | force call, ms | MD step / force call | neighbour list / force call | new list, ms |")
    print("|---|---|---|---|---|")
    for network in arguments.networks:
        case = Ours(network, [water_box(0)])
        case.module.eval().requires_grad_(False)
        calls = [case.force_call(), case.md_step(), case.neighbour_step(), case.neighbour_build()]
        times = np.array([[processor_s(call) for call in calls] for _ in range(arguments.rounds + 2)][2:])
        force, md, kept, new = times.T
        print(
            f"| {network} | {1e3 * np.median(force):.1f} | {np.median(md / force):.2f} "
            f"| {np.median(kept / force):.2f} | {1e3 * np.median(new):.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
