"""Molecules longer than their box is wide: folded, packed the same each time, or refused with lengths and a remedy."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from gpip.config import project_from
from gpip.core.errors import InputError
from gpip.core.species import find_species, molecule_of_smiles
from gpip.systems import packing
from gpip.systems.build import packed_positions, species_molecules
from gpip.systems.check import check_systems
from gpip.systems.molecules import molecule_of
from gpip.systems.packing import closest_contact, pack_box
from gpip.systems.shapes import longest_distance, positions_in_box

CHAIN = "COCCOCCOCCOCCOCCOC"  # pentaglyme


def project(count: int, smiles: str = CHAIN, **given):
    system = {"species": {"chain": {"smiles": smiles, "count": count}}, "force_field": "opls-aa", "density": "npt"}
    return project_from({"systems": {"melt": system | given}})


def test_a_molecule_that_fits_keeps_its_usual_shape():
    ethanol = find_species("t", "ethanol", "CCO")
    usual = molecule_of(ethanol, "X").positions
    np.testing.assert_array_equal(positions_in_box(ethanol, longest_distance(usual) + 2.0, "box"), usual)


@pytest.mark.parametrize("width", [13.5, 12.0, 10.5])
def test_a_longer_one_is_folded_with_its_bonds_and_without_contacts(width):
    chain = find_species("t", "chain", CHAIN)
    assert longest_distance(positions_in_box(chain, 100.0, "box")) > 12.0
    folded = positions_in_box(chain, width, "box")
    np.testing.assert_array_equal(folded, positions_in_box(chain, width, "box"))
    assert longest_distance(folded) <= width - 2.0
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule_of_smiles("t", CHAIN).GetBonds()]
    lengths = np.linalg.norm(np.subtract(*folded[np.array(bonds).T]), axis=1)
    assert 0.95 < lengths.min() < lengths.max() < 1.65
    assert pdist(folded).min() > 0.95
    # However it is turned, it is a contact away from its images.
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3)
    images = folded[None] + width * shifts[(shifts != 0).any(axis=1)][:, None]
    assert np.linalg.norm(folded[None, :, None] - images[:, None], axis=-1).min() >= 2.0 - 1e-9


def test_a_molecule_that_cannot_fit_is_refused_with_its_length_and_the_width():
    chain = find_species("t", "chain", CHAIN)
    message = (
        r"systems\.melt: a molecule of chain is 1\d\.\d Å long, no folded shape .* box is 7\.0 Å wide.*times as many"
    )
    with pytest.raises(InputError, match=message):
        positions_in_box(chain, 7.0, "systems.melt")
    with pytest.raises(InputError, match=r"a molecule of EC is 4\.4 Å long"):
        positions_in_box(find_species("t", "EC"), 5.0, "systems.melt")


def test_a_box_of_folded_molecules_is_packed_the_same_each_time():
    box = project(3).systems["melt"].box
    chains = species_molecules(box)
    assert longest_distance(chains[0][1].positions) > box.length_angstrom
    first, again, other = (packed_positions("melt", box, seed, chains) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    owner = np.repeat(np.arange(3), len(first) // 3)
    assert closest_contact(first, owner, box.length_angstrom) > 1.9


def test_what_packmol_saves_of_a_failed_packing_is_never_taken(monkeypatch):
    """It saves it by the clock: the same input gave other positions each time, some of them good enough."""
    box = project(3).systems["melt"].box
    monkeypatch.setattr(packing, "LOOPS_PER_ATTEMPT", 2)
    monkeypatch.setattr(packing, "OVERLAP_FRACTION", 0.0)
    monkeypatch.setattr(packing, "N_ATTEMPTS", 2)
    chains = [(name, molecule, 3 * count) for name, molecule, count in species_molecules(box)]
    with pytest.raises(
        InputError, match=r"could not be packed .* in 2 attempts \(after 2 optimisations .* too close\)"
    ):
        pack_box(chains, box.length_angstrom, 5, "systems.melt")


def test_further_attempts_have_seeds_of_their_own(monkeypatch):
    seeds = []

    def failed(molecules, length, seed):
        seeds.append(seed)
        return None, "no"

    monkeypatch.setattr(packing, "_attempt", failed)
    for _ in range(2):
        with pytest.raises(InputError, match="in 5 attempts"):
            pack_box([], 10.0, 5, "systems.melt")
    assert seeds[:5] == seeds[5:]
    assert seeds[0] == 5
    assert len(set(seeds)) == 5


def test_check_warns_of_folded_molecules_and_refuses_those_that_do_not_fit():
    (warning,) = check_systems(project(3), pack=True)
    assert "systems.melt: a molecule of chain is" in warning
    assert "packed folded" in warning
    assert check_systems(project(60)) == []
    with pytest.raises(InputError, match="so that it would overlap with its own periodic images"):
        check_systems(project(1, density=1.2))


def test_check_refuses_what_packing_refuses(monkeypatch):
    monkeypatch.setattr(packing, "LOOPS_PER_ATTEMPT", 20)
    with pytest.raises(InputError, match=r"systems\.melt: 3 chain could not be packed"):
        check_systems(project(3, density=1.6, cutoff_angstrom=4.0), pack=True)
