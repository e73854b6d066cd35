"""Which frames are in the batch of a step: a function of seed and step alone, so that a resumed run needs no state."""

import numpy as np

from gpip.core.seeds import generator_for


class BatchOrder:
    """Batches without replacement, each epoch in a new order. An epoch's last batch may be smaller."""

    def __init__(self, n_frames: int, batch_size: int, seed: int):
        self.n_frames, self.batch_size, self.seed = n_frames, batch_size, seed
        self.steps_per_epoch = -(-n_frames // batch_size)
        self._epoch, self._order = -1, np.empty(0, dtype=int)

    def __call__(self, step: int) -> np.ndarray:
        epoch, batch = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = generator_for(self.seed, "batch order", epoch).permutation(self.n_frames)
        return self._order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def frames_seen(self, n_steps: int) -> int:
        """Frames in the first `n_steps` batches."""
        epochs, batches = divmod(n_steps, self.steps_per_epoch)
        return epochs * self.n_frames + min(batches * self.batch_size, self.n_frames)
