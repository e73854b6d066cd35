"""Radial distributions between sites, coordination numbers, and which sites are chosen."""

import mdtraj
import numpy as np
import pytest
from synthetic_run import solution, topology_of

from gpip.core.errors import InputError
from gpip.metrics.sites import Contents, Site, SitePair, central_atom, site_pairs
from gpip.metrics.solution import BIN_ANGSTROM, distributions

LENGTH = 24.0


def contents_of(**counts):
    return Contents.from_settings({name: {"count": n} for name, n in counts.items()})


def gas_pair(n_first, n_second):
    first = Site("Na+", "Na", tuple(range(n_first)))
    second = Site("Cl-", "Cl", tuple(range(n_first, n_first + n_second)))
    return SitePair("cation-anion", first, second)


def measured(pairs, positions, length=LENGTH, molecule=None):
    n_atoms = positions.shape[1]
    molecule = np.arange(n_atoms) if molecule is None else molecule
    return distributions(pairs, molecule, positions, np.full((len(positions), 3), length))


def test_an_ideal_gas_has_g_of_one_the_right_number_inside_and_no_shell():
    positions = np.random.default_rng(0).random((200, 80, 3)) * LENGTH * 3 - LENGTH
    pair = gas_pair(20, 60)
    for one in measured([pair, SitePair("cation-cation", pair.first, pair.first)], positions):
        n_partners = 60 if one.pair.first != one.pair.second else 19
        r = one.counts.edges[1:]
        expected = n_partners * 4 / 3 * np.pi * r**3 / LENGTH**3
        np.testing.assert_allclose(one.running[r > 7], expected[r > 7], rtol=0.04)
        assert one.g[one.counts.radii > 5].mean() == pytest.approx(1, abs=0.01)
        pulls = (one.g - 1)[r > 4] / one.g_error[r > 4]
        assert 0.8 < pulls.std() < 1.6
        shell = one.first_shell()
        assert shell.coordination is None
        assert shell.reason


def test_pairs_at_a_fixed_distance_have_one_neighbour_exactly():
    contents, positions, length = solution(30)
    contents = Contents.from_settings({name: {"count": n} for name, n in contents.items()})
    molecule = np.concatenate([np.arange(4), np.repeat(np.arange(4, 8), 7), np.repeat(np.arange(8, 12), 16)])
    found = {one.pair.name: one for one in distributions(
        site_pairs(contents), molecule, positions, np.full((30, 3), length))}  # fmt: skip
    assert list(found) == ["Na+ · P of PF6-", "Na+ · F of PF6-", "Na+ · O of DME", "Na+ · Na+"]
    shell = found["Na+ · P of PF6-"].first_shell()
    assert shell.coordination == 1.0
    assert shell.coordination_error == 0.0
    assert shell.peak_angstrom == pytest.approx(3.3, abs=BIN_ANGSTROM)
    fluorine = found["Na+ · F of PF6-"]
    assert fluorine.first_shell().coordination == 1.0
    assert fluorine.first_shell().peak_angstrom == pytest.approx(3.3 - 1.58, abs=BIN_ANGSTROM)
    assert fluorine.running[-1] == 6.0


def test_agrees_with_mdtraj():
    contents, positions, length = solution(20, seed=2)
    positions = positions + np.random.default_rng(3).normal(0, 1.0, positions.shape)
    topology = topology_of(contents)
    trajectory = mdtraj.Trajectory(positions / 10, topology)
    trajectory.unitcell_vectors = np.tile(np.eye(3) * length / 10, (20, 1, 1))
    molecule = np.array([atom.residue.index for atom in topology.atoms])
    contents = Contents.from_settings({name: {"count": n} for name, n in contents.items()})
    for one in distributions(site_pairs(contents), molecule, positions, np.full((20, 3), length)):
        pairs = [(i, j) for i in one.pair.first.atoms for j in one.pair.second.atoms if molecule[i] != molecule[j]]
        theirs = mdtraj.compute_rdf(trajectory, np.array(pairs), r_range=(0, 1.0), n_bins=200)[1]
        difference = np.abs(one.g - theirs)
        # A distance on the edge of a bin may fall to either side in single precision.
        assert (difference > 1e-3 * (1 + theirs)).sum() <= 4, one.pair.name
        assert (one.g @ one.counts.shell_volumes) == pytest.approx(theirs @ one.counts.shell_volumes, rel=2e-3)


def test_atoms_of_the_same_molecule_are_never_counted():
    generator = np.random.default_rng(1)
    oxygen = generator.random((50, 20, 3)) * LENGTH
    positions = np.concatenate([oxygen, oxygen + np.array([0.97, 0, 0])], axis=1)
    site = Site("water", "O", tuple(range(20)))
    partner = Site("water", "H", tuple(range(20, 40)))
    molecule = np.tile(np.arange(20), 2)
    (one,) = measured([SitePair("solvent-solvent", site, partner)], positions, molecule=molecule)
    assert one.running[-1] == pytest.approx(19 * 4 / 3 * np.pi * 10**3 / LENGTH**3, rel=0.05)
    assert one.g[int(0.97 / BIN_ANGSTROM)] < 5


def test_a_small_box_is_measured_to_half_its_width():
    (one,) = measured([gas_pair(5, 5)], np.random.default_rng(0).random((10, 10, 3)) * 9.0, length=9.0)
    assert one.counts.edges[-1] == pytest.approx(4.5)


def test_a_single_frame_has_no_errors_and_no_shell():
    (one,) = measured([gas_pair(5, 5)], np.random.default_rng(0).random((1, 10, 3)) * LENGTH)
    assert one.g_error is None
    assert "single frame" in one.first_shell().reason
    with pytest.raises(InputError, match="no frames"):
        measured([gas_pair(5, 5)], np.zeros((0, 10, 3)))


def test_a_liquid_shell_ends_at_its_minimum():
    """A lattice that rattles: six neighbours at 3 Å, the next at 4.24 Å."""
    spacing, n = 3.0, 8
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3) * spacing
    positions = grid + np.random.default_rng(0).normal(0, 0.12, (20, n**3, 3))
    site = Site("Na+", "Na", tuple(range(n**3)))
    (one,) = measured([SitePair("cation-cation", site, site)], positions)
    shell = one.first_shell()
    assert shell.coordination == pytest.approx(6, abs=0.02)
    assert 3.3 < shell.minimum_angstrom < 4.0
    assert shell.coordination_error < 0.02


def test_the_error_of_a_coordination_number_counts_correlated_frames_and_short_runs_have_none():
    """A second atom that stays for 25 frames at each turn: inside the shell at 2 Å, or outside of it at 6 Å."""
    rng = np.random.default_rng(4)
    pair = SitePair("cation-anion", Site("Na+", "Na", (0,)), Site("Cl-", "Cl", (1,)))
    errors, means = [], []
    for _ in range(40):
        inside = np.repeat(rng.integers(0, 2, 80), 25)
        positions = np.zeros((2000, 2, 3))
        positions[:, 1, 0] = np.where(inside, 2.0, 6.0)
        (found,) = measured([pair], positions)
        bin_index = int(3 / BIN_ANGSTROM)
        errors.append(found.running_error(bin_index))
        means.append(found.running[bin_index])
    # Eighty independent throws of a coin: 0.5 / 80^(1/2).
    assert np.mean(errors) == pytest.approx(0.5 / np.sqrt(80), rel=0.15)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.35)
    (found,) = measured([pair], positions[:250])
    assert found.running_error(bin_index) is None


@pytest.mark.parametrize(
    ("name", "element"), [("PF6-", "P"), ("TFSI-", "N"), ("FSI-", "N"), ("BF4-", "B"), ("ClO4-", "Cl"), ("Cl-", "Cl")]
)
def test_the_central_atom_of_an_anion(name, element):
    contents = contents_of(**{name: 1})
    assert contents.species[0].elements[central_atom(contents.species[0])] == element


def test_sites_of_electrolytes_and_of_pure_liquids():
    def names(**counts):
        return [pair.name for pair in site_pairs(contents_of(**counts))]

    assert names(**{"Li+": 2, "TFSI-": 2, "EC": 3, "acetonitrile": 3}) == [
        "Li+ · N of TFSI-",
        "Li+ · F of TFSI-",
        "Li+ · O of TFSI-",
        "Li+ · O of EC",
        "Li+ · N of acetonitrile",
        "Li+ · Li+",
    ]
    assert names(**{"Na+": 2, "Cl-": 2, "water": 9}) == ["Na+ · Cl-", "Na+ · O of water", "Na+ · Na+"]
    assert names(EC=4) == ["O of EC · O of EC"]
    assert names(EC=4, DMC=4) == ["O of EC · O of EC", "O of EC · O of DMC", "O of DMC · O of DMC"]
    donor = site_pairs(contents_of(**{"Na+": 1, "Cl-": 1, "water": 2}))[1].second
    assert donor.atoms == (2, 5)
