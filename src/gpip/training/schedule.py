"""Learning rate at each step."""

import math

from gpip.config.optimization import Optimization


def learning_rate_at(step: int, n_steps: int, settings: Optimization, n_frames: int) -> float:
    """Linear rise, then constant or a cosine down to the final fraction at `n_steps`, in a training on `n_frames`."""
    peak = settings.peak_learning_rate
    warmup = settings.warmup(n_frames, n_steps)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return peak
    done = (step - warmup) / max(1, n_steps - warmup)
    floor = settings.final_learning_rate_fraction
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
