"""Neighbour lists against exact answers, a brute-force image sum, and ASE."""

import itertools

import ase
import ase.neighborlist
import numpy as np
import pytest
import torch

from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.graphs import Graph, SkinNeighbours, graph_from_frames, neighbour_list
from gpip.graphs.batching import FrameGraphs
from gpip.graphs.neighbours import find_edges, reverse_edges

CUTOFF = 5.0
CELLS = {
    "box": (np.eye(3) * 12.0, (True, True, True)),
    "smaller than the cutoff": (np.eye(3) * 3.1, (True, True, True)),
    "skewed": (np.array([[4.0, 0, 0], [3.9, 2.5, 0], [-1, 2, 4]]), (True, True, True)),
    "strongly skewed": (np.array([[4.0, 0, 0], [9, 3, 0], [-7, 8, 4]]), (True, True, True)),
    "left-handed": (np.diag([4.0, 5.0, -6.0]), (True, True, True)),
    "slab": (np.diag([4.0, 5.0, 6.0]), (True, False, True)),
    "slab without third vector": (np.diag([4.0, 5.0, 0.0]), (True, True, False)),
    "wire": (np.diag([3.0, 0.0, 0.0]), (True, False, False)),
    "no box": (np.zeros((3, 3)), (False, False, False)),
}


def as_set(edge_index, shift):
    rows = list(map(tuple, np.column_stack([edge_index.T, shift]).tolist()))
    assert len(set(rows)) == len(rows)
    return set(rows)


def brute_force(positions, cell, pbc, cutoff, n_images):
    found = set()
    for shift in itertools.product(*(range(-n_images, n_images + 1) if periodic else (0,) for periodic in pbc)):
        distance = np.linalg.norm(positions[None] - positions[:, None] + np.array(shift) @ cell, axis=-1)
        for i, j in np.argwhere(distance < cutoff).tolist():
            if i != j or any(shift):
                found.add((i, j, *shift))
    return found


def test_two_atoms_across_the_boundary():
    edge_index, shift = neighbour_list(np.array([[0.5, 0, 0], [9.5, 0, 0]]), np.eye(3) * 10, (True,) * 3, 2.0)
    np.testing.assert_array_equal(edge_index, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(shift, [[-1, 0, 0], [1, 0, 0]])


def test_an_atom_is_the_neighbour_of_its_own_images():
    edge_index, shift = neighbour_list(np.zeros((1, 3)), np.eye(3) * 2.0, (True,) * 3, 2.1)
    assert (edge_index == 0).all()
    assert sorted(map(tuple, shift.tolist())) == sorted(
        [(0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0)]
    )


@pytest.mark.parametrize("name", CELLS)
def test_as_brute_force_and_ase(name):
    cell, pbc = CELLS[name]
    positions = np.random.default_rng(3).uniform(-4, 5, (7, 3))
    edges = find_edges(positions, cell, pbc, CUTOFF)
    found = as_set(edges.edge_index, edges.shift)
    assert found
    if name != "strongly skewed":  # needs more images than are summed here; ASE checks it
        assert found == brute_force(positions, cell, pbc, CUTOFF, n_images=9)
    atoms = ase.Atoms("H7", positions=positions, cell=cell, pbc=pbc)
    i, j, shift = ase.neighborlist.neighbor_list("ijS", atoms, CUTOFF)
    assert found == as_set(np.stack([i, j]), shift)


@pytest.mark.parametrize("name", CELLS)
def test_order_and_reverse(name):
    cell, pbc = CELLS[name]
    edges = find_edges(np.random.default_rng(3).uniform(-4, 5, (7, 3)), cell, pbc, CUTOFF)
    assert (np.diff(edges.edge_index[0]) >= 0).all()
    back = edges.reverse_edge
    np.testing.assert_array_equal(edges.edge_index[:, back], edges.edge_index[::-1])
    np.testing.assert_array_equal(edges.shift[back], -edges.shift)
    np.testing.assert_array_equal(back[back], np.arange(len(back)))
    np.testing.assert_array_equal(reverse_edges(edges.edge_index, edges.shift), back)


def test_reverse_edges_refuses_a_one_way_list():
    with pytest.raises(InputError, match="not symmetric"):
        reverse_edges(np.array([[0], [1]]), np.zeros((1, 3), int))


def test_cutoff_is_sharp():
    for distance, n_edges in ((CUTOFF - 1e-9, 2), (CUTOFF + 1e-9, 0)):
        positions = np.array([[0, 0, 0], [distance, 0, 0]])
        assert neighbour_list(positions, np.zeros((3, 3)), (False,) * 3, CUTOFF)[0].shape == (2, n_edges)
        assert neighbour_list(positions, np.eye(3) * 40, (True,) * 3, CUTOFF)[0].shape == (2, n_edges)


def test_bad_positions_and_cells():
    with pytest.raises(InputError, match="first is atom 1"):
        neighbour_list(np.array([[0, 0, 0], [np.nan, 0, 0]]), np.zeros((3, 3)), (False,) * 3, CUTOFF)
    with pytest.raises(InputError, match="lattice vectors"):
        neighbour_list(np.zeros((1, 3)), np.diag([3.0, 3.0, 0.0]), (True,) * 3, CUTOFF)


def frame(n_atoms=6, cell=None, seed=0, scale=4.0):
    cell, pbc = (np.zeros((3, 3)), np.zeros(3, bool)) if cell is None else (np.asarray(cell), np.ones(3, bool))
    rng = np.random.default_rng(seed)
    return Frame(rng.choice([1, 6, 8], n_atoms), rng.uniform(-scale, scale, (n_atoms, 3)), cell, pbc)


def test_batch_of_unlike_frames():
    frames = [
        frame(6, np.eye(3) * 4.0),
        frame(1),
        frame(3, scale=1.0, seed=1),
        frame(5, CELLS["skewed"][0], 2),
    ]
    graph = graph_from_frames(frames, CUTOFF, torch.float64)
    assert graph.n_graphs == 4
    assert graph.atoms_per_graph.tolist() == [6, 1, 3, 5]
    start = 0
    for index, single in enumerate(frames):
        alone = graph_from_frames([single], CUTOFF, torch.float64)
        mine = graph.atom_graph[graph.edge_index[0]] == index
        torch.testing.assert_close(graph.edge_vectors()[mine], alone.edge_vectors(), rtol=0, atol=1e-12)
        torch.testing.assert_close(graph.edge_index[:, mine] - start, alone.edge_index)
        start += single.n_atoms
    torch.testing.assert_close(graph.edge_vectors()[graph.reverse_edge], -graph.edge_vectors(), rtol=0, atol=0)


@pytest.mark.parametrize("memory_limit_bytes", [0, 12_000, 2**20])
def test_kept_neighbours_are_those_of_a_fresh_graph(monkeypatch, memory_limit_bytes):
    import gpip.graphs.batching as batching

    frames = [frame(6, np.eye(3) * 3.0), frame(4), frame(5, np.diag([4.0, 5.0, 6.0]))]
    graphs = FrameGraphs(frames, CUTOFF, memory_limit_bytes)
    sought = []
    monkeypatch.setattr(batching, "find_edges", lambda *given: sought.append(given) or find_edges(*given))
    for indices in ([0, 2], [1, 0], [2, 1, 0]):
        chosen, graph = graphs(np.array(indices))
        assert [id(one) for one in chosen] == [id(frames[index]) for index in indices]
        fresh = graph_from_frames(chosen, CUTOFF)
        for field in ("species", "positions", "cell", "edge_index", "edge_shift", "atom_graph", "reverse_edge"):
            assert torch.equal(getattr(graph, field), getattr(fresh, field)), field
    assert graphs.n_bytes <= memory_limit_bytes
    fresh_graphs = 7
    assert len(sought) - fresh_graphs == {0: 7, 12_000: 5, 2**20: 3}[memory_limit_bytes]


def test_isolated_atom_has_no_edges():
    graph = graph_from_frames([frame(1)], CUTOFF)
    assert graph.edge_vectors().shape == (0, 3)
    assert graph.pairs.edge.shape == (0,)


def test_pairs_are_each_edge_once():
    graph = graph_from_frames([frame(6, np.eye(3) * 3.0), frame(4)], CUTOFF, torch.float64)
    pairs = graph.pairs
    torch.testing.assert_close(graph.pair_vectors(), graph.edge_vectors()[pairs.edge])
    length = graph.edge_vectors().norm(dim=1)
    torch.testing.assert_close(graph.pair_vectors().norm(dim=1)[pairs.of_edge], length)
    assert 2 * len(pairs.edge) == graph.n_edges


def test_single_precision_survives_a_drift():
    cell = np.eye(3) * 8.0
    near = frame(6, cell)
    far = Frame(near.species, near.positions + 8.0 * 12345, cell, near.pbc)
    expected = graph_from_frames([near], CUTOFF).edge_vectors().norm(dim=1).sort()[0]
    torch.testing.assert_close(graph_from_frames([far], CUTOFF).edge_vectors().norm(dim=1).sort()[0], expected)


@pytest.mark.parametrize("number", [0, 95, -1])
def test_unknown_element(number):
    bad = Frame(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool))
    with pytest.raises(InputError, match=f"frame 0: atomic number {number}"):
        graph_from_frames([bad], CUTOFF)


def test_frame_that_fails_is_named():
    bad = Frame(np.array([1]), np.full((1, 3), np.inf), np.zeros((3, 3)), np.zeros(3, bool), system="brine")
    with pytest.raises(InputError, match=r"frame 1 of the batch \(system 'brine'\)"):
        graph_from_frames([frame(2), bad], CUTOFF)


def test_to_and_replace():
    graph = graph_from_frames([frame(6, np.eye(3) * 4.0)], CUTOFF)
    double = graph.to(dtype=torch.float64)
    assert double.positions.dtype == double.cell.dtype == double.edge_shift.dtype == torch.float64
    assert double.species.dtype == double.edge_index.dtype == torch.int64
    changed = graph.replace(species=torch.zeros_like(graph.species))
    assert (graph.species > 0).all()
    assert changed.edge_index is graph.edge_index
    assert isinstance(changed, Graph)


@pytest.mark.parametrize("skin", [0.0, 1.0])
def test_skin_list_equals_a_fresh_list_at_every_step(skin):
    rng = np.random.default_rng(5)
    cells = np.stack([np.eye(3) * 7.0, CELLS["skewed"][0] * 2])
    species, positions = rng.choice([1, 8], 12), rng.uniform(0, 7, (2, 12, 3))
    listed = SkinNeighbours(species, cells, (True,) * 3, CUTOFF, skin, torch.float64)
    n_steps = 12
    for _ in range(n_steps):
        graph = listed.graph(positions)
        frames = [Frame(species, given, cell, np.ones(3, bool)) for given, cell in zip(positions, cells, strict=True)]
        fresh = graph_from_frames(frames, CUTOFF, torch.float64)
        assert graph.n_edges == fresh.n_edges
        for one, other in zip(sorted_edges(graph), sorted_edges(fresh), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
        torch.testing.assert_close(graph.edge_vectors()[graph.reverse_edge], -graph.edge_vectors(), rtol=0, atol=0)
        torch.testing.assert_close(graph.replace(reverse_edge=graph.reverse_edge).pairs, graph.pairs)
        positions = positions + rng.normal(0, 0.08, positions.shape)
    assert listed.n_builds == n_steps if skin == 0.0 else 1 < listed.n_builds < n_steps


def sorted_edges(graph):
    vectors = graph.edge_vectors()
    order = np.lexsort([*vectors.round(decimals=6).T.numpy(), *graph.edge_index.flip(0).numpy()])
    return graph.edge_index[:, order], vectors[order]


def test_skin_list_refuses_wrong_shapes_and_numbers():
    listed = SkinNeighbours(np.array([1, 1]), np.eye(3)[None] * 9, (True,) * 3, CUTOFF, 1.0)
    with pytest.raises(InputError, match=r"expected \(1, 2, 3\)"):
        listed.graph(np.zeros((2, 2, 3)))
    listed.graph(np.zeros((1, 2, 3)))
    with pytest.raises(InputError, match="replica 0: positions of 2 atoms are not finite"):
        listed.graph(np.full((1, 2, 3), np.nan))
    with pytest.raises(InputError, match="skin_angstrom"):
        SkinNeighbours(np.array([1]), np.eye(3)[None], (True,) * 3, CUTOFF, -1.0)
