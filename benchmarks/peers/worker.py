"""One implementation in a process of its own: python worker.py IMPLEMENTATION NETWORK N_SIDE N_BOXES

Times what it is told on standard input, a line each, and answers with a line of JSON. Threads and allocator settings
come from the environment.
"""

import json
import os
import resource
import sys
import time
import warnings

IMPLEMENTATIONS = {
    "gpip": "ours:Ours",
    "schnetpack": "packages:SchNetPack",
    "pyg": "packages:PyG",
    "torchmd-net": "packages:TorchMDNet",
    "mace": "equivariant:MACE",
    "nequip": "equivariant:NequIP",
    "egnn": "originals:EGNN",
    "fairchem": "originals:FairchemGemNet",
    "dig": "originals:DIGSphereNet",
    "fuchs": "originals:FuchsSE3",
}


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    name, network, n_side, n_boxes = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    import importlib

    import torch
    from water import water_box

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(0)
    module, _, implementation = IMPLEMENTATIONS[name].partition(":")
    boxes = [water_box(seed, n_side) for seed in range(n_boxes)]
    case = getattr(importlib.import_module(module), implementation)(network, boxes)
    n_parameters = sum(parameter.numel() for parameter in case.module.parameters())
    found = {package: importlib.metadata.version(package) for package in ("torch", *case.packages)}
    print(json.dumps({"n_parameters": n_parameters, "n_atoms": case.n_atoms, "versions": found}), file=answers)
    calls = {}
    for line in sys.stdin:
        what = line.strip()
        if what not in calls:
            before = peak_megabytes()
            calls[what] = make() if (make := getattr(case, what, None)) else None
            if calls[what]:
                calls[what]()
                calls[what]()
            added = peak_megabytes() - before
        if calls[what] is None:
            print(json.dumps(None), file=answers)
            continue
        case.module.train(what == "training_step")
        wall, processor = time.perf_counter(), time.process_time()
        calls[what]()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(json.dumps({"wall_s": wall, "processor_s": processor, "added_mb": added}), file=answers)


if __name__ == "__main__":
    main()
