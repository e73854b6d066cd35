"""Energy, forces and stress of any backbone, in one place."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gpip.core.errors import InputError
from gpip.core.reference_energies import Reference
from gpip.graphs.graph import Graph
from gpip.models.blocks.heads import EnergyHead
from gpip.models.blocks.repulsion import ZBLRepulsion
from gpip.models.interface import N_SPECIES, Backbone, Features


def forces_from_energy(energy: Tensor, positions: Tensor, create_graph: bool) -> Tensor:
    """Minus the slope of the energies [n_graphs], [n_atoms, 3].

    Args:
        energy: Computed from `positions`, which require gradients.
        positions: [n_atoms, 3].
        create_graph: Keep what a later backward pass through the forces needs.
    """
    (slope,) = torch.autograd.grad(energy.sum(), positions, create_graph=create_graph, retain_graph=True)
    return -slope


class Potential(nn.Module):
    """E = energy_scale * sum of the head over atoms + sum of reference energies of their elements, in eV.

    With `repulsion`, that of screened nuclei is added, not scaled. Tasks of pre-training that read the slope of the
    network's own energy (`energy_from_features`) do not see it.

    Energies are summed in double precision, whatever the network computes in: totals are large and their
    differences small.
    """

    energy_scale: Tensor
    reference_energies: Tensor
    reference: Reference | None
    """What the reference energies rest on: training compositions and isolated atoms; None where it is not known."""

    def __init__(self, backbone: Backbone, repulsion: Literal["zbl"] | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.repulsion = ZBLRepulsion(backbone.cutoff_angstrom) if repulsion == "zbl" else None
        self.reference = None
        self.energy_head = EnergyHead(backbone.n_features)
        self.register_buffer("energy_scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("reference_energies", torch.zeros(N_SPECIES, dtype=torch.float64))

    @property
    def cutoff_angstrom(self) -> float:
        return self.backbone.cutoff_angstrom

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def set_reference_energies(self, energies: Mapping[int, float]) -> None:
        """Energies in eV of atoms by atomic number; the others are zero."""
        self.reference_energies.zero_()
        for species, energy in energies.items():
            self.reference_energies[species] = energy

    def features(self, graph: Graph) -> Features:
        """What the backbone makes of the graph."""
        return self.backbone(graph)

    def energy_from_features(self, features: Features, graph: Graph) -> Tensor:
        """Of the network and the elements, without repulsion, [n_graphs] float64, eV."""
        return _summed(self._from_features(features, graph), graph)

    def energies_of_atoms(self, graph: Graph) -> Tensor:
        """The terms of the total energy, [n_atoms] float64, eV."""
        atomic = self._from_features(self.features(graph), graph)
        return atomic if self.repulsion is None else atomic + self.repulsion(graph)

    def _from_features(self, features: Features, graph: Graph) -> Tensor:
        atomic = self.energy_head(features.scalars).double() * self.energy_scale
        return atomic + self.reference_energies[graph.species]

    def forward(self, graph: Graph, compute_forces: bool = True, compute_stress: bool = False) -> dict[str, Tensor]:
        """Energy [n_graphs] float64 eV; forces [n_atoms, 3] eV/Å; stress [n_graphs, 3, 3] eV/Å^3.

        In training mode forces and stress can be differentiated again. Stress is the slope of the energy with
        strain per volume: positive where the box wants to shrink.

        Raises:
            InputError: stress of a configuration without a box in three directions.
        """
        if not (compute_forces or compute_stress):
            return {"energy": _summed(self.energies_of_atoms(graph), graph)}
        create_graph = self.training and torch.is_grad_enabled()
        with torch.enable_grad():
            positions = graph.positions.detach().requires_grad_(True)
            moved, strain = graph.replace(positions=positions), None
            if compute_stress:
                moved, strain = _strained(moved)
            energy = _summed(self.energies_of_atoms(moved), moved)
            inputs = [positions] if strain is None else [positions, strain]
            slopes = torch.autograd.grad(energy.sum(), inputs, create_graph=create_graph)
        result = {"energy": energy if create_graph else energy.detach()}
        if compute_forces:
            result["forces"] = -slopes[0]
        if compute_stress:
            result["stress"] = slopes[1] / _volumes(graph)[:, None, None]
        return result

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Potential":
        """Conversions such as `.float()` leave the energies' own buffers in double precision."""
        kept = {name: getattr(self, name) for name in ("energy_scale", "reference_energies")}
        super()._apply(fn, recurse)
        for name, before in kept.items():
            setattr(self, name, before.to(getattr(self, name).device))
        return self

    def extra_repr(self) -> str:
        return f"n_parameters={self.n_parameters}"


def _summed(atomic: Tensor, graph: Graph) -> Tensor:
    """[n_atoms] to [n_graphs]."""
    return atomic.new_zeros(graph.n_graphs).index_add(0, graph.atom_graph, atomic)


def _strained(graph: Graph) -> tuple[Graph, Tensor]:
    """The graph under a symmetric strain [n_graphs, 3, 3] that is zero and can be differentiated."""
    strain = torch.zeros_like(graph.cell).requires_grad_(True)
    symmetric = 0.5 * (strain + strain.transpose(1, 2))
    change = torch.einsum("ax,axy->ay", graph.positions, symmetric[graph.atom_graph])
    return graph.replace(positions=graph.positions + change, cell=graph.cell + graph.cell @ symmetric), strain


def _volumes(graph: Graph) -> Tensor:
    """[n_graphs], Å^3."""
    volumes: Any = torch.linalg.det(graph.cell).abs()
    if bool((volumes == 0).any()):
        index = int((volumes == 0).nonzero()[0])
        raise InputError(f"stress of configuration {index} of the batch: it has no box in three directions")
    return volumes
