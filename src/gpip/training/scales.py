"""What a fresh network fits to its training frames before the first step."""

from collections.abc import Sequence

import numpy as np

from gpip.core.frame import Frame
from gpip.graphs.batching import graph_from_frames
from gpip.models.interface import Backbone

MOST_FRAMES, MOST_ATOMS = 16, 4000


def fit_scales(backbone: Backbone, frames: Sequence[Frame]) -> None:
    """Fit the scales of a network that has not been trained to frames from all over the sequence.

    At most 16 of them, fewer where they are large.
    """
    n_frames = min(len(frames), MOST_FRAMES, max(1, MOST_ATOMS // max(frame.n_atoms for frame in frames)))
    chosen = [frames[int(index)] for index in np.unique(np.linspace(0, len(frames) - 1, n_frames).astype(int))]
    backbone.fit_scales(graph_from_frames(chosen, backbone.cutoff_angstrom))
