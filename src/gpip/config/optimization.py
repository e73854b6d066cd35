"""Settings of an optimisation, shared by pre-training and fine-tuning."""

from typing import Literal

from pydantic import Field, model_validator

from gpip.config.base import Count, Fraction, Name, NotNegative, Positive, Strict

LossKind = Literal["squared", "absolute"]
"""Of errors of energies and forces."""


class Optimization(Strict):
    """How a network is trained. Exactly one of `n_steps` and `n_epochs` says for how long."""

    n_steps: Count | None = None
    n_epochs: Count | None = None
    batch_size: Count = 1
    learning_rate: Positive | dict[Name, Positive] = 1e-3
    """The largest of the schedule: one number, or one for each backbone by name."""
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: NotNegative = 0.0
    warmup_steps: int = Field(100, ge=0)
    """Steps of linear rise to the learning rate."""
    schedule: Literal["cosine", "constant"] = "cosine"
    final_learning_rate_fraction: Fraction = 0.01
    """What the cosine ends at, as a fraction of the learning rate."""
    gradient_clip: Positive | None = 10.0
    """Largest norm of the gradient; null leaves it alone."""
    ema_decay: Positive | None = Field(None, lt=1)
    """Decay per step of an exponential moving average of the weights, which is then what is kept. At step n it is at
    most (1 + n) / (10 + n), so that the first weights are soon forgotten."""
    checkpoint_every_steps: Count = 500
    log_every_steps: Count = 20

    @model_validator(mode="after")
    def _one_length(self) -> "Optimization":
        if (self.n_steps is None) == (self.n_epochs is None):
            raise ValueError("give exactly one of n_steps and n_epochs")
        return self

    def total_steps(self, n_frames: int) -> int:
        """Steps of the whole training on `n_frames`. An epoch's last batch may be smaller."""
        return self.n_steps or self.n_epochs * -(-n_frames // self.batch_size)

    def frames_seen(self, n_frames: int) -> int:
        """Frames, repeats counted, that the whole training on `n_frames` sees."""
        epochs, steps = divmod(self.total_steps(n_frames), -(-n_frames // self.batch_size))
        return epochs * n_frames + steps * self.batch_size

    def learning_rate_of(self, backbone: str) -> float:
        if isinstance(self.learning_rate, dict):
            return self.learning_rate[backbone]
        return self.learning_rate
