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
    """Steps of linear rise to the learning rate; never more than half of all steps."""
    warmup_epochs: NotNegative | None = None
    """Length of the rise in epochs, in place of warmup_steps."""
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

    def warmup(self, n_frames: int, n_steps: int) -> int:
        """Steps of linear rise in a training of `n_steps` on `n_frames`."""
        if self.warmup_epochs is None:
            return min(self.warmup_steps, n_steps // 2)
        return min(round(self.warmup_epochs * -(-n_frames // self.batch_size)), n_steps // 2)

    def lasting(self, n_steps: int) -> "Optimization":
        """The same for another number of steps."""
        return self.model_copy(update={"n_steps": n_steps, "n_epochs": None})

    def of_backbone(self, backbone: str) -> "Optimization":
        """The same with the one learning rate of this backbone."""
        if isinstance(self.learning_rate, dict):
            return self.model_copy(update={"learning_rate": self.learning_rate[backbone]})
        return self

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate of an optimisation that has only one."""
        assert not isinstance(self.learning_rate, dict), "a learning rate for each backbone: take of_backbone first"
        return self.learning_rate

    def without_effect(self) -> set[str]:
        unused = {"n_steps" if self.n_steps is None else "n_epochs"}
        unused.add("warmup_epochs" if self.warmup_epochs is None else "warmup_steps")
        if self.schedule == "constant":
            unused.add("final_learning_rate_fraction")
        return unused
