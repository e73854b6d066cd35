"""Reference energies: exact where the compositions determine them, anchored on isolated atoms where they do not."""

import numpy as np
import pytest

from gpip.core.errors import InputError
from gpip.core.reference_energies import (
    Anchors,
    Compositions,
    Reference,
    check_anchors,
    fit_reference_energies,
    formula_of,
    read_anchors,
    write_anchors,
)

WATER, METHANE, CO2, PEROXIDE, HYDROGEN = (
    np.array(numbers) for numbers in ([8, 1, 1], [6, 1, 1, 1, 1], [6, 8, 8], [8, 8, 1, 1], [1, 1])
)
ANCHORS = Anchors({"H": -13.6, "C": -1029.5, "O": -2041.8}, "by hand")


def test_compositions_of_full_rank_give_the_ordinary_fit_whatever_the_anchors():
    species = [WATER, METHANE, CO2, PEROXIDE]
    energies = np.array([-2080.1, -1093.2, -5120.7, -4130.4])
    counts = np.array([[2, 0, 1], [4, 1, 0], [0, 1, 2], [2, 0, 2]])
    ordinary = np.linalg.lstsq(counts, energies, rcond=None)[0]
    for anchors in (None, ANCHORS.array):
        fitted = fit_reference_energies(species, energies, anchors)
        np.testing.assert_allclose(fitted[[1, 6, 8]], ordinary, atol=1e-8)
        assert np.count_nonzero(fitted) == 3


def test_exact_energies_of_the_elements_are_recovered():
    energies = np.array([-20.0 + 2 * -3.0, -10.0 + 4 * -3.0, -10.0 + 2 * -20.0])
    fitted = fit_reference_energies([WATER, METHANE, CO2], energies)
    np.testing.assert_allclose(fitted[[1, 6, 8]], [-3, -10, -20], atol=1e-10)


def test_one_composition_keeps_the_anchors_up_to_an_equal_share_for_each_atom():
    energies = np.array([-2080.0, -2078.0])
    fitted = fit_reference_energies([WATER, WATER], energies, ANCHORS.array)
    assert fitted[8] + 2 * fitted[1] == pytest.approx(-2079.0, abs=1e-9)
    share = (-2079.0 - (-2041.8 + 2 * -13.6)) / 3
    np.testing.assert_allclose(fitted[[1, 8]] - ANCHORS.array[[1, 8]], share, atol=1e-9)
    assert fitted[6] == 0, "an element without labels has no reference energy"


def test_without_anchors_the_whole_energy_is_shared():
    fitted = fit_reference_energies([WATER] * 3, np.array([-5.0, -6.0, -7.0]))
    np.testing.assert_allclose(fitted[[1, 8]], -2.0)


def test_what_is_determined_is_fitted_and_the_rest_stays_at_the_anchors():
    """Water and peroxide fix oxygen and hydrogen; methane alone leaves its C and H to what hydrogen then is."""
    true = {1: -14.0, 8: -2043.0, 6: -1033.0}
    species = [WATER, PEROXIDE, METHANE]
    energies = np.array([sum(true[int(z)] for z in one) for one in species])
    fitted = fit_reference_energies(species, energies, ANCHORS.array)
    np.testing.assert_allclose(fitted[list(true)], list(true.values()), atol=1e-8)


def test_null_space_is_exact():
    def of(*species):
        return Compositions.of(species)

    assert of(WATER).undetermined in ([{"H": -1, "O": 2}], [{"H": 1, "O": -2}])
    assert of(WATER, np.tile(WATER, 64)).rank == 1, "a box has the composition of its molecule"
    assert of(WATER, PEROXIDE).undetermined == []
    assert of(WATER, METHANE, CO2).rank == 3
    ethanol = np.array([6, 6, 8] + [1] * 6)
    found = of(ethanol)
    assert (found.rank, len(found.undetermined)) == (1, 2)
    for change in found.undetermined:
        assert change.get("C", 0) * 2 + change.get("O", 0) + change.get("H", 0) * 6 == 0


def test_mixtures_are_covered_and_other_compositions_are_not():
    trained = Compositions.of([WATER, PEROXIDE])
    assert trained.cover(np.concatenate([np.tile(WATER, 17), PEROXIDE]))
    assert trained.determines(HYDROGEN), "twice water minus peroxide"
    assert not trained.cover(HYDROGEN)
    assert not trained.determines(METHANE)
    water = Compositions.of([WATER])
    assert water.cover(np.tile(WATER, 100))
    for other in (PEROXIDE, HYDROGEN, np.array([1]), np.array([8])):
        assert not water.determines(other)
    # A box of the default electrolyte, and the same with one ion pair more.
    dme, salt = [6] * 4 + [8] * 2 + [1] * 10, [11, 15] + [9] * 6
    electrolyte = Compositions.of([np.array(dme * 16 + salt * 2)])
    assert electrolyte.cover(np.array(dme * 48 + salt * 6))
    assert not electrolyte.cover(np.array(dme * 16 + salt * 3))


def test_doubts_say_what_is_trained_and_what_the_energy_rests_on():
    anchored, fitted = (Reference(Compositions.of([WATER]), anchors) for anchors in (ANCHORS, Anchors()))
    assert anchored.doubt_about(np.tile(WATER, 8)) is None
    assert "composition H2O2" not in anchored.doubt_about(PEROXIDE), "empirical formulas"
    assert "composition HO is not determined" in anchored.doubt_about(PEROXIDE)
    assert "trained on (H2O)" in anchored.doubt_about(PEROXIDE)
    assert "isolated atoms (by hand)" in anchored.doubt_about(PEROXIDE)
    assert "tens of eV" in fitted.doubt_about(PEROXIDE)
    assert "extrapolated" in Reference(Compositions.of([WATER, PEROXIDE]), ANCHORS).doubt_about(HYDROGEN)


def test_summaries_name_the_combinations():
    summary = Reference(Compositions.of([WATER]), ANCHORS).summary
    assert "(H2O) determine 1 of 2 independent combinations" in summary
    assert "adding -1 eV to each H, +2 eV to each O changes no training energy" in summary
    assert Reference(Compositions.of([WATER, PEROXIDE]), ANCHORS).summary.startswith("determined by")
    many = Reference(Compositions.of([np.arange(1, 60)]), ANCHORS).summary
    assert ", or 55 others, changes no training energy" in many


def test_record_is_complete():
    before = Reference(Compositions.of([WATER, METHANE]), ANCHORS)
    after = Reference.from_record(before.to_record())
    assert after.summary == before.summary
    assert after.anchors == ANCHORS
    np.testing.assert_array_equal(after.compositions.counts, before.compositions.counts)


def test_labels_of_another_level_of_theory_are_refused():
    """All-electron atoms do not belong to pseudopotential energies (-468 eV for water), nor to shifted ones."""
    for wrong in (-468.0, 0.0, -5.0):
        with pytest.raises(InputError, match=r"labels\.h5: energies are .* eV per atom .*by hand.*pseudopotentials"):
            check_anchors([WATER] * 3, np.full(3, wrong), ANCHORS, "labels.h5")
    check_anchors([WATER] * 3, np.full(3, -2079.0), ANCHORS, "labels.h5")
    check_anchors([WATER] * 3, np.full(3, -468.0), Anchors(), "labels.h5")
    with pytest.raises(InputError, match="no energy of an isolated atom for O"):
        check_anchors([WATER], np.array([-2079.0]), Anchors({"H": -13.6}, "by hand"), "labels.h5")


def test_files(tmp_path):
    for anchors in (ANCHORS, Anchors()):
        write_anchors(tmp_path / "isolated_atoms.json", anchors, {"stage": "test"})
        assert read_anchors(tmp_path / "isolated_atoms.json") == anchors
    assert read_anchors(None) == Anchors()


def test_formulas():
    assert formula_of(np.tile(WATER, 700)) == "H2O"
    assert formula_of(np.array([1, 8, 6, 6, 1, 1, 1, 1, 1])) == "C2H6O"
