"""Boxes of liquid water for timing, and their edges. Needs numpy and vesin alone: environments of peers load it."""

from typing import NamedTuple

import numpy as np
import vesin

MOLECULE_ANGSTROM = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])
SPACING_ANGSTROM = 3.1075
"""Of a lattice of molecules at the density of water."""


class Box(NamedTuple):
    """A periodic configuration."""

    species: np.ndarray
    """[n_atoms] atomic numbers."""
    positions: np.ndarray
    """[n_atoms, 3], angstrom."""
    cell: np.ndarray
    """[3, 3], rows are lattice vectors, angstrom."""


class Edges(NamedTuple):
    """Directed edges centre i, neighbour j of one or more boxes, both directions."""

    centre: np.ndarray
    neighbour: np.ndarray
    offset: np.ndarray
    """[n_edges, 3], angstrom: r_ij = positions[j] - positions[i] + offset."""


def water_box(seed: int, n_side: int = 4, noise_angstrom: float = 0.05) -> Box:
    """n_side^3 randomly turned molecules on a lattice, slightly distorted."""
    generator = np.random.default_rng(seed)
    sites = np.stack(np.meshgrid(*[np.arange(n_side)] * 3), -1).reshape(-1, 3) * SPACING_ANGSTROM
    turned = [MOLECULE_ANGSTROM @ np.linalg.qr(generator.normal(size=(3, 3)))[0] + site for site in sites]
    positions = np.concatenate(turned) + generator.normal(0, noise_angstrom, (3 * len(sites), 3))
    return Box(np.tile([8, 1, 1], len(sites)), positions, np.eye(3) * n_side * SPACING_ANGSTROM)


def edges_of(boxes: list[Box], cutoff_angstrom: float) -> Edges:
    """All edges, atoms numbered through the boxes, sorted by centre."""
    parts, first = [], 0
    for box in boxes:
        engine = vesin.NeighborList(cutoff=cutoff_angstrom, full_list=True)
        i, j, shift = engine.compute(box.positions, box.cell, True, "ijS")
        order = np.argsort(i, kind="stable")
        i, j, shift = i[order].astype(np.int64), j[order].astype(np.int64), shift[order]
        parts.append(Edges(i + first, j + first, shift @ box.cell))
        first += len(box.species)
    return Edges(*(np.concatenate(each) for each in zip(*parts, strict=True)))
