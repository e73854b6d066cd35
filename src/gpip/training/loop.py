"""The training loop: seeded batches, schedule, clipping, moving average, best weights, checkpoint and exact resume."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gpip.config.optimization import Optimization
from gpip.core.errors import InputError
from gpip.core.files import replacing
from gpip.core.progress import progress
from gpip.training.batches import BatchOrder
from gpip.training.clock import Clock
from gpip.training.device import device_of
from gpip.training.history import History
from gpip.training.schedule import learning_rate_at


class Objective(Protocol):
    """What is trained, and by which losses."""

    module: nn.Module
    """Holds every trained weight."""
    weights: dict[str, float]
    """Weight of each loss in the total."""

    def losses(self, frames: np.ndarray, step: int) -> dict[str, Tensor]:
        """Unweighted losses of the frames with these indices. All randomness comes from `step`."""


@dataclass(frozen=True)
class Plan:
    """One training run: for how long, on how many frames, with which seed, writing where."""

    settings: Optimization
    """With one learning rate."""
    n_steps: int
    n_frames: int
    seed: int
    history: Path
    fingerprint: dict[str, Any]
    """A run resumes from a checkpoint only when this is the same."""

    @property
    def checkpoint(self) -> Path:
        return self.history.with_suffix(".resume.pt")


@dataclass(frozen=True)
class Validation:
    """How good the weights are, lower is better, asked for every so many steps."""

    score: Callable[[], tuple[float, dict[str, float]]]
    """Of the weights in the objective's module: the score, and columns of the history."""
    columns: list[str]
    every_steps: int


def train(
    objective: Objective, plan: Plan, validation: Validation | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train `objective.module` and leave its best weights in it: by validation where there is one, else the last.

    Moving-average weights are validated and kept when `ema_decay` is set. The resume checkpoint stays: the caller
    removes it once the result is written.

    Returns:
        best_step, n_steps and frames_seen, which equal runs have in common; and what the steps cost, validation not
        counted: `seconds`, and the `clock` that they are of (see `gpip.training.clock`).

    Raises:
        InputError: a loss is not finite.
    """
    run = _Run(objective, plan, validation)
    run.resume()
    remaining = range(run.step, plan.n_steps)
    for step in progress(remaining, plan.n_steps, plan.history.parent.name, initial=run.step):
        started = run.clock.seconds()
        run.train_step(step)
        run.seconds += run.clock.seconds() - started
        if validation and (run.step % validation.every_steps == 0 or run.step == plan.n_steps):
            run.validate()
        if run.step % plan.settings.checkpoint_every_steps == 0 and run.step < plan.n_steps:
            run.save()
    return run.finish(), {"seconds": run.seconds, "clock": run.clock.name}


class _Run:
    def __init__(self, objective: Objective, plan: Plan, validation: Validation | None):
        settings = plan.settings
        self.objective, self.plan, self.validation = objective, plan, validation
        self.parameters = [p for p in objective.module.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(self.parameters, settings)
        self.clock, self.seconds = Clock(device_of(objective.module)), 0.0
        self.average = None
        if settings.ema_decay:
            self.average = AveragedModel(objective.module, multi_avg_fn=_moving_average(settings.ema_decay))
        self.batches = BatchOrder(plan.n_frames, settings.batch_size, plan.seed)
        self.step, self.best = 0, {"score": float("inf"), "step": 0, "weights": None}
        self.history: History

    def resume(self) -> None:
        rows: list[dict[str, Any]] = []
        if self.plan.checkpoint.exists():
            state = torch.load(self.plan.checkpoint, map_location="cpu", weights_only=True)
            if state["fingerprint"] == repr(self.plan.fingerprint):
                self.objective.module.load_state_dict(state["module"])
                self.optimizer.load_state_dict(state["optimizer"])
                if self.average:
                    self.average.load_state_dict(state["average"])
                self.step, self.best, rows = state["step"], state["best"], state["rows"]
                self.seconds = state["seconds"]
                print(f"resuming from step {self.step}", flush=True)
            else:
                print(f"{self.plan.checkpoint}: made with other settings or inputs, starting afresh", flush=True)
        columns = ["step", "frames_seen", "learning_rate", "total", *self.objective.weights, "gradient_norm"]
        columns += [f"gradient_norm_{name}" for name in self.objective.weights]
        columns += self.validation.columns if self.validation else []
        events = self.plan.history.parent / "tensorboard"
        self.history = History(self.plan.history, events, columns, rows)
        if self.validation and self.step == 0:
            self.validate()

    def train_step(self, step: int) -> None:
        plan = self.plan
        rate = learning_rate_at(step, plan.n_steps, plan.settings, plan.n_frames)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self.objective.losses(self.batches(step), step)
        logged = step % self.plan.settings.log_every_steps == 0 or step == self.plan.n_steps - 1
        if logged:
            norms = self._gradients_by_task(losses)
        else:
            norms = {}
            gradients(self.objective, self.optimizer, self.parameters, losses)
        total_norm = clip(self.parameters, plan.settings)
        if not torch.isfinite(total_norm):
            shown = ", ".join(f"{name} {float(value.detach()):g}" for name, value in losses.items())
            raise InputError(
                f"training {self.plan.history.parent}: the gradient is not finite at step {step} (losses: {shown}, "
                f"learning rate {rate:g}, seed {self.plan.seed}): lower learning_rate, or look for bad frames"
            )
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.objective.module)
        self.step = step + 1
        if logged:
            values = {name: float(value.detach()) for name, value in losses.items()}
            total = sum(self.objective.weights[name] * value for name, value in values.items())
            self.history.add(
                {"step": step, "frames_seen": self.batches.frames_seen(self.step), "learning_rate": rate}
                | {"total": total, **values, "gradient_norm": float(total_norm)}
                | {f"gradient_norm_{name}": norm for name, norm in norms.items()}
            )

    def _gradients_by_task(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """The same gradients, one task at a time, so that the norm of each task's share is known."""
        self.optimizer.zero_grad(set_to_none=True)
        norms = {}
        for name, loss in losses.items():
            shares = torch.autograd.grad(
                self.objective.weights[name] * loss, self.parameters, retain_graph=True, allow_unused=True
            )
            norms[name] = float(torch.nn.utils.get_total_norm([g for g in shares if g is not None]))
            for parameter, share in zip(self.parameters, shares, strict=True):
                if share is not None:
                    parameter.grad = share if parameter.grad is None else parameter.grad + share
        return norms

    def validate(self) -> None:
        kept = None
        if self.average and self.step:
            kept = _copied(self.objective.module)
            self.objective.module.load_state_dict(self.average.module.state_dict())
        score, columns = self.validation.score()
        if score < self.best["score"]:
            self.best = {"score": score, "step": self.step, "weights": _copied(self.objective.module)}
        if kept:
            self.objective.module.load_state_dict(kept)
        self.history.add({"step": self.step, "frames_seen": self.batches.frames_seen(self.step), **columns})
        shown = ", ".join(f"{name} {value:.4g}" for name, value in columns.items())
        print(f"step {self.step}: {shown}", flush=True)

    def save(self) -> None:
        self.history.write()
        state = {
            "fingerprint": repr(self.plan.fingerprint),
            "step": self.step,
            "module": self.objective.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "best": self.best,
            "rows": self.history.rows,
            "seconds": self.seconds,
        }
        with replacing(self.plan.checkpoint) as partial:
            torch.save(state, partial)

    def finish(self) -> dict[str, Any]:
        if self.validation:
            self.objective.module.load_state_dict(self.best["weights"])
        elif self.average:
            self.objective.module.load_state_dict(self.average.module.state_dict())
            self.best["step"] = self.step
        else:
            self.best["step"] = self.step
        self.history.close()
        return {
            "best_step": self.best["step"],
            "n_steps": self.step,
            "frames_seen": self.batches.frames_seen(self.step),
        }


def gradients(
    objective: Objective, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], losses: dict[str, Tensor]
) -> None:
    """Of the weighted sum of the losses, left in the parameters."""
    optimizer.zero_grad(set_to_none=True)
    # Without `inputs` the slopes with the positions would be computed as well, and thrown away.
    sum(objective.weights[name] * loss for name, loss in losses.items()).backward(inputs=parameters)


def clip(parameters: list[nn.Parameter], settings: Optimization) -> Tensor:
    """Shorten the gradient to its largest norm; returns the norm before."""
    return torch.nn.utils.clip_grad_norm_(parameters, settings.gradient_clip or float("inf"))


def make_optimizer(parameters: list[nn.Parameter], settings: Optimization) -> torch.optim.Optimizer:
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer]
    return make(parameters, lr=settings.peak_learning_rate, weight_decay=settings.weight_decay, fused=True)


def _moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Exponential, over few steps as long as few are done, so that it forgets the weights it begins with."""

    def update(averages: list[Tensor], weights: list[Tensor], n_averaged: Tensor) -> None:
        n_steps = int(n_averaged)
        get_ema_multi_avg_fn(min(decay, (1 + n_steps) / (10 + n_steps)))(averages, weights, n_averaged)

    return update


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
