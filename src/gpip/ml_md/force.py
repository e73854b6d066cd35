"""A network as the force of an OpenMM system that holds several replicas side by side."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
import torch
from ase.data import chemical_symbols, covalent_radii
from openmm.app import Element
from openmm.unit import nanometer
from torch import nn

from gpip.config.experiments import MLMD
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.units import KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM, KJ_PER_MOL_TO_EV, NM_TO_ANGSTROM
from gpip.graphs.graph import Graph
from gpip.graphs.skin import SkinNeighbours


class ReplicaForce:
    """Energies and forces of all replicas from one call of the network, for OpenMM's PythonForce.

    A replica that has become unstable feels no force any more. The network still sees its start configuration, so that
    the batch keeps its shape and the other replicas continue unchanged.
    """

    def __init__(self, potential: nn.Module, frames: Sequence[Frame], settings: MLMD, device: str) -> None:
        """A batch of `frames`, one replica each, all of the same atoms.

        Args:
            potential: called with a Graph; has `cutoff_angstrom`; gives `energy` [n_replicas] in eV and
                `forces` [n_replicas * n_atoms, 3] in eV/Å. It is copied.
        """
        check_replicas(frames)
        self.potential = copy.deepcopy(potential).eval().requires_grad_(False).to(device)
        weights = [tensor for tensor in potential.parameters() if tensor.is_floating_point()]
        self.dtype = weights[0].dtype if weights else torch.float64
        self.frames, self.settings, self.device = frames, settings, device
        self.species, self.pbc = frames[0].species, frames[0].pbc
        self.masses_amu = masses_amu(frames[0])
        self.cells = np.stack([frame.cell for frame in frames])
        self.start = np.stack([np.asarray(frame.positions, dtype=np.float64) for frame in frames])
        self.unstable_from_fs = np.full(len(frames), np.nan)
        self.unstable_reason = [""] * len(frames)
        self.error: Exception | None = None
        # Each atom of the batch, in the precision of the network.
        radii = torch.from_numpy(covalent_radii[np.tile(self.species, len(frames))])
        self._radii = radii.to(device=device, dtype=self.dtype)
        self.forget()

    def forget(self) -> None:
        """Begin again with a new neighbour list, as at the beginning of each chunk."""
        self.neighbours = SkinNeighbours(
            self.species,
            self.cells,
            self.pbc,
            self.potential.cutoff_angstrom,
            self.settings.skin_angstrom,
            dtype=self.dtype,
        )
        self._positions: np.ndarray | None = None
        self.energies = np.zeros(len(self.frames))
        self.forces = np.zeros_like(self.start)

    @property
    def stopped(self) -> np.ndarray:
        """[n_replicas] bool."""
        return ~np.isnan(self.unstable_from_fs)

    def stop(self, replica: int, time_fs: float, reason: str) -> None:
        """Record that a replica has become unstable; it feels no force from now on."""
        self.unstable_from_fs[replica], self.unstable_reason[replica] = time_fs, reason
        self.energies[replica], self.forces[replica] = 0.0, 0.0
        print(f"replica {replica} became unstable at {time_fs:g} fs: {reason}", flush=True)

    def openmm_force(self) -> openmm.PythonForce:
        # A function that cannot be pickled: PythonForce would otherwise keep a copy of the network as text.
        return openmm.PythonForce(lambda state: self._called(state))

    def _called(self, state: openmm.State) -> tuple[float, np.ndarray]:
        """Energy in kJ/mol and forces [n_replicas * n_atoms, 3] in kJ/mol/nm, as OpenMM asks for them."""
        try:
            positions = state.getPositions(asNumpy=True).value_in_unit(nanometer)
            if self._positions is None or not np.array_equal(positions, self._positions):
                self._positions = positions.copy()
                self._evaluate(positions, state.getStepCount() * self.settings.timestep_fs)
        except Exception as error:
            self.error = error  # OpenMM passes on the message alone.
            raise
        forces = self.forces.reshape(-1, 3) / KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM
        return float(self.energies.sum() / KJ_PER_MOL_TO_EV), forces

    def _evaluate(self, positions_nm: np.ndarray, time_fs: float) -> None:
        stopped = self.stopped
        if stopped.all():
            return
        positions = positions_nm.reshape(self.start.shape) * NM_TO_ANGSTROM
        positions = np.where(stopped[:, None, None], self.start, positions)
        graph = self.neighbours.graph(torch.from_numpy(positions).to(self.device))
        if self._stop_collapsed(graph, time_fs):
            # The network is not asked about collapsed atoms: it may answer with numbers that are not finite.
            return self._evaluate(positions_nm, time_fs)
        result = self.potential(graph)
        # Forces and energies in one transfer from the device each.
        self.forces = result["forces"].detach().double().cpu().numpy().reshape(self.start.shape)
        self.energies = result["energy"].detach().double().cpu().numpy()
        if stopped.any():
            self.forces, self.energies = self.forces.copy(), self.energies.copy()
            self.forces[stopped], self.energies[stopped] = 0.0, 0.0
        largest = np.linalg.norm(self.forces, axis=-1).max(axis=-1)
        limit = self.settings.max_force_ev_per_angstrom
        fine = (largest <= limit) & np.isfinite(self.energies)
        if not fine.all():
            self.forces, self.energies = self.forces.copy(), self.energies.copy()
        for replica in np.flatnonzero(~fine):
            finite = np.isfinite(largest[replica]) and np.isfinite(self.energies[replica])
            what = f"a force of {largest[replica]:.4g} eV/Å, more than {limit:g}"
            self.stop(int(replica), time_fs, what if finite else "energy or forces that are not finite")

    def _stop_collapsed(self, graph: Graph, time_fs: float) -> bool:
        """Stop the replicas with two atoms too close to each other; whether there are any."""
        limit = self.settings.min_contact_of_covalent_radii
        if not limit:
            return False
        pairs = graph.pairs
        sums = self._radii[pairs.centre] + self._radii[pairs.neighbour]
        ratio = graph.pair_vectors().norm(dim=1) / sums
        close = (ratio < limit) & torch.from_numpy(~self.stopped).to(ratio.device)[graph.atom_graph[pairs.centre]]
        if not bool(close.any()):
            return False
        ratio, close, centre, neighbour = (part.cpu().numpy() for part in (ratio, close, pairs.centre, pairs.neighbour))
        for replica in np.unique(centre[close] // len(self.species)):
            inside = np.flatnonzero(close & (centre // len(self.species) == replica))
            worst = inside[ratio[inside].argmin()]
            first, second = (int(end[worst]) % len(self.species) for end in (centre, neighbour))
            radii = covalent_radii[self.species[first]] + covalent_radii[self.species[second]]
            names = [f"{chemical_symbols[self.species[atom]]} {atom}" for atom in (first, second)]
            self.stop(
                int(replica),
                time_fs,
                f"atoms {names[0]} and {names[1]} are {ratio[worst] * radii:.3f} Å apart, less than {limit:g} of the "
                f"sum of their covalent radii, {radii:.2f} Å",
            )
        return True

    def memory(self) -> dict[str, Any]:
        times = [None if np.isnan(time) else float(time) for time in self.unstable_from_fs]
        return {"unstable_from_fs": times, "unstable_reason": self.unstable_reason}

    def recall(self, memory: dict[str, Any]) -> None:
        """Begin again where `memory` was asked for."""
        self.forget()
        if memory:
            times = [np.nan if time is None else time for time in memory["unstable_from_fs"]]
            self.unstable_from_fs = np.array(times, dtype=float)
            self.unstable_reason = list(memory["unstable_reason"])


def masses_amu(frame: Frame) -> np.ndarray:
    """[n_atoms]: the masses that the frame gives, which are those of isotopes, else standard atomic weights."""
    if frame.masses_amu is not None:
        return np.asarray(frame.masses_amu, dtype=np.float64)
    return np.array([Element.getByAtomicNumber(int(number)).mass._value for number in frame.species])


def check_replicas(frames: Sequence[Frame]) -> None:
    """Raise InputError unless the frames are there and of the same atoms in the same order."""
    if not frames:
        raise InputError("ML-MD needs at least one start configuration")
    for index, frame in enumerate(frames):
        if not np.array_equal(frame.species, frames[0].species) or not np.array_equal(frame.pbc, frames[0].pbc):
            raise InputError(
                f"ML-MD start configuration {index} has other atoms, or another order of them, or other "
                "periodic directions than configuration 0; replicas of one run must be of one system"
            )
        if not np.array_equal(masses_amu(frame), masses_amu(frames[0])):
            raise InputError(
                f"ML-MD start configuration {index} has other isotopes than configuration 0: replicas of one run must "
                "be of one system"
            )
