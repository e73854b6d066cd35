"""Where the replicas of a run start."""

from collections.abc import Sequence

from gpip.core.seeds import generator_for


def start_frames(test_frames: Sequence[int], n_replicas: int, seed: int) -> list[int]:
    """Indices of `n_replicas` different test frames, drawn by the seed: the same for every network of that seed."""
    chosen = generator_for(seed, "start frames").choice(len(test_frames), size=n_replicas, replace=False)
    return [int(test_frames[index]) for index in chosen]
