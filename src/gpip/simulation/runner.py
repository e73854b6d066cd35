"""Molecular dynamics in chunks, each a function of the one before it alone, whatever computes the forces."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openmm

from gpip.core.progress import progress
from gpip.core.seeds import seed_for
from gpip.simulation.chunks import Chunk, WorkFolder
from gpip.simulation.platforms import Hardware


class Dynamics(ABC):
    """What is moved and how: the force source of the runner.

    Whatever it holds besides the OpenMM state and `memory` must not change the numbers: both are all that a
    chunk knows of those before it.
    """

    system: openmm.System
    finished: bool = False
    """True once no further step can matter; the run then ends."""

    @abstractmethod
    def integrator(self, seed: int) -> openmm.Integrator:
        """A new integrator whose random numbers follow from `seed`."""

    @abstractmethod
    def start(self, context: openmm.Context) -> None:
        """Put a new context at the start of the run: positions and velocities."""

    def advance(self, context: openmm.Context, integrator: openmm.Integrator, n_steps: int) -> None:
        """The steps from one record to the next."""
        integrator.step(n_steps)

    @abstractmethod
    def observe(self, context: openmm.Context) -> dict[str, np.ndarray]:
        """What is kept of the present frame. May raise, and may set velocities."""

    def attach(self, integrator: openmm.Integrator, memory: dict[str, Any]) -> None:  # noqa: B027
        """Called at the beginning of each chunk, with what `memory` gave at the end of the one before."""

    def memory(self) -> dict[str, Any]:
        """JSON-ready."""
        return {}

    def explain(self, error: openmm.OpenMMException, context: openmm.Context) -> Exception:
        """The error to raise when a step failed."""
        return error


@dataclass(frozen=True)
class Stretch:
    """A chunk to be run: `n_records` times `steps_per_record` steps."""

    n_records: int
    steps_per_record: int
    kept: bool = True


def stretches(n_records: int, steps_per_record: int, records_per_chunk: int) -> list[Stretch]:
    """A run of kept records, cut into chunks."""
    counts = [min(records_per_chunk, n_records - i) for i in range(0, n_records, records_per_chunk)]
    return [Stretch(count, steps_per_record) for count in counts]


def unrecorded(n_steps: int, steps_per_record: int, records_per_chunk: int) -> list[Stretch]:
    """A run of which nothing is kept, such as equilibration, cut into chunks."""
    whole, rest = divmod(n_steps, steps_per_record)
    cut = [Stretch(s.n_records, steps_per_record, kept=False) for s in stretches(whole, 1, records_per_chunk)]
    return cut + ([Stretch(1, rest, kept=False)] if rest else [])


def run_dynamics(
    dynamics: Dynamics, plan: Sequence[Stretch], folder: WorkFolder, hardware: Hardware, seed: int, label: str
) -> None:
    """Run those chunks of a plan that the folder does not hold yet.

    Each chunk begins with a new context, the state that the last one left, and its own random seed, so a run
    that was killed and resumed gives the same numbers as one that was not (bit by bit on the Reference
    platform and on the CPU platform with one thread).

    Args:
        folder: chunk 0 is the start, chunk k + 1 the k-th stretch of the plan.
        seed: of this run alone.
        label: what the run is called in its progress lines.
    """
    if folder.n_chunks == 0:
        integrator = dynamics.integrator(seed_for(seed, "start"))
        context = openmm.Context(dynamics.system, integrator, *hardware)
        dynamics.attach(integrator, {})
        dynamics.start(context)
        folder.save(0, Chunk({}, _state_text(context), dynamics.memory()))
    done = folder.n_chunks - 1
    total, behind = (sum(stretch.n_records for stretch in part) for part in (plan, plan[:done]))
    records = _run_from(dynamics, plan, done, folder, hardware, seed)
    for _ in progress(records, total=total, label=label, unit="frame", initial=behind):
        pass


def _run_from(
    dynamics: Dynamics, plan: Sequence[Stretch], first: int, folder: WorkFolder, hardware: Hardware, seed: int
) -> Iterator[None]:
    """Run the stretches from `first` on, one chunk file each; yields after every record."""
    for index, stretch in enumerate(plan[first:], start=first):
        before = folder.load(index)
        integrator = dynamics.integrator(seed_for(seed, "chunk", index))
        context = openmm.Context(dynamics.system, integrator, *hardware)
        context.setState(openmm.XmlSerializer.deserialize(before.state))
        dynamics.attach(integrator, before.memory)
        if dynamics.finished:
            return
        records = []
        for _ in range(stretch.n_records):
            try:
                dynamics.advance(context, integrator, stretch.steps_per_record)
            except openmm.OpenMMException as error:
                raise dynamics.explain(error, context) from error
            records.append(dynamics.observe(context))
            yield
        names = records[0] if stretch.kept else ()
        kept = {name: np.stack([record[name] for record in records]) for name in names}
        folder.save(index + 1, Chunk(kept, _state_text(context), dynamics.memory()))


def _state_text(context: openmm.Context) -> str:
    state = context.getState(positions=True, velocities=True, parameters=True, integratorParameters=True)
    return openmm.XmlSerializer.serialize(state)
