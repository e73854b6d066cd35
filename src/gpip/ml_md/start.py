"""Where the replicas of a run start."""

from collections.abc import Sequence

from gpip.core.errors import InputError
from gpip.core.seeds import generator_for
from gpip.datasets.reader import Dataset


def start_frames(test_frames: Sequence[int], n_replicas: int, seed: int) -> list[int]:
    """Indices of `n_replicas` different test frames, drawn by the seed: the same for every network of that seed."""
    chosen = generator_for(seed, "start frames").choice(len(test_frames), size=n_replicas, replace=False)
    return [int(test_frames[index]) for index in chosen]


def possible_starts(labels: Dataset, test_frames: Sequence[int], system: str | None, n_replicas: int) -> list[int]:
    """The test frames that dynamics of one system may start from.

    Args:
        labels: the labelled frames.
        test_frames: indices of the test frames.
        system: of ml_md; None where the labels hold just one.
        n_replicas: how many are needed.

    Raises:
        InputError: the labels hold several systems and none is named, or too few test frames are of that system.
    """
    system = the_system(labels, system, "ml_md.system")
    found = [index for index in test_frames if labels.system_of(index) == system]
    if len(found) < n_replicas:
        raise InputError(
            f"{labels.path}: {n_replicas} replicas are to start from test configurations of {system}, but the split "
            f"has {len(found)} of them (of {len(test_frames)}): lower ml_md.n_replicas or raise split.n_test"
        )
    return found


def the_system(labels: Dataset, system: str | None, setting: str) -> str:
    """The named system of a labels file, or its only one. Raises InputError where that is not clear."""
    if system is None and len(labels.systems) > 1:
        raise InputError(f"{labels.path} holds {', '.join(labels.systems)}: say under {setting} which one is meant")
    name = system or next(iter(labels.systems))
    labels.first_frame(name)
    return name
