"""Frames a second that a dataset file gives, in random order, beside what a training step takes.

    python benchmarks/dataset_reading.py [--frames 2000] [--atoms 192] [--step-ms 20]

Three ways: kept in memory, read from the file each time, and read by the workers of a data loader.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from gpip.core.frame import Frame
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset


def write_example(path: Path, n_frames: int, n_atoms: int) -> None:
    """A file of random numbers with the fields that a labelled classical run has."""
    rng = np.random.default_rng(0)
    fields = {
        "species": np.resize([8, 1, 1], n_atoms),
        "positions": rng.uniform(0, 12, (n_frames, n_atoms, 3)),
        "cell": np.broadcast_to(12 * np.eye(3), (n_frames, 3, 3)),
        "pbc": np.ones(3, dtype=bool),
        "temperature": np.full(n_frames, 300.0),
        "energy": rng.normal(size=n_frames),
        "forces": rng.normal(size=(n_frames, n_atoms, 3)),
    }
    write_dataset(path, {"example": fields}, {})


def frames_per_second(dataset: Dataset, order: list[int]) -> float:
    start = time.perf_counter()
    for index in order:
        # Touch the values: an array that nobody reads would cost nothing.
        assert np.isfinite(dataset[index].positions[0, 0])
    return len(order) / (time.perf_counter() - start)


def frames_per_second_with_workers(dataset: Dataset, order: list[int]) -> float:
    loader = DataLoader(dataset, sampler=order, batch_size=10, collate_fn=first_and_count, num_workers=1)
    start = time.perf_counter()
    n_frames = sum(count for _, count in loader)
    return n_frames / (time.perf_counter() - start)


def first_and_count(frames: list[Frame]) -> tuple[np.ndarray, int]:
    return frames[0].positions, len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--atoms", type=int, default=192)
    parser.add_argument("--step-ms", type=float, default=20.0, help="one training step on one frame")
    given = parser.parse_args()
    order = np.random.default_rng(1).permutation(given.frames).tolist()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dataset.h5"
        write_example(path, given.frames, given.atoms)
        print(f"{given.frames} frames of {given.atoms} atoms, {path.stat().st_size / 2**20:.1f} MiB")
        start = time.perf_counter()
        in_memory = Dataset(path)
        in_memory[0]
        print(f"open, check and read into memory: {1e3 * (time.perf_counter() - start):.1f} ms")
        from_file = Dataset(path, memory_limit_bytes=0)
        rates = {
            "from memory": frames_per_second(in_memory, order),
            "from the file": frames_per_second(from_file, order),
            "by one worker": frames_per_second_with_workers(from_file, order),
        }
    for way, rate in rates.items():
        share = 100 * (1e3 / rate) / given.step_ms
        print(f"{way}: {rate:,.0f} frames/s, {1e6 / rate:.1f} µs a frame, {share:.2f} % of a training step")


if __name__ == "__main__":
    main()
