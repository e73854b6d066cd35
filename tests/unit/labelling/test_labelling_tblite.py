"""GFN-xTB labels: forces are slopes of the energy, and equal tblite's own interface; what it must refuse."""

import numpy as np
import pytest
from tblite.interface import Calculator

from gpip.config.engines import TBLiteLabels
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.labelling.engines.base import LabellingFailed
from gpip.labelling.engines.tblite import TBLite

# CODATA 2018.
HARTREE_EV, BOHR_ANGSTROM = 27.211386245988, 0.529177210903

WATER = np.array([[0.0, 0.0, 0.0], [0.80, 0.55, 0.0], [-0.76, 0.62, 0.05]])
DIMER = np.concatenate([WATER, WATER[:, [1, 0, 2]] + [0.2, -2.9, 0.3]])


def labeller(**changes) -> TBLite:
    given = {"source": "tblite", "system": "water", "temperature_kelvin": 300, "n_frames": 1} | changes
    return TBLite(TBLiteLabels(**given))


def in_box(positions: np.ndarray, length: float = 5.0) -> Frame:
    species = np.tile(np.array([8, 1, 1], dtype=np.uint8), len(positions) // 3)
    return Frame(species, positions, length * np.eye(3), np.ones(3, dtype=bool))


def test_forces_are_minus_the_slope_of_the_energy_in_a_box() -> None:
    # Inside the box: an atom that crosses a face changes tblite's energy by up to 1e-6 eV.
    engine, step, centred = labeller(), 1e-3, WATER + 2.2
    _, forces = engine.label(in_box(centred))
    slope = np.zeros_like(WATER)
    for atom, axis in np.ndindex(3, 3):
        moved = [centred.copy(), centred.copy()]
        moved[0][atom, axis] += step
        moved[1][atom, axis] -= step
        up, down = (engine.label(in_box(positions))[0] for positions in moved)
        slope[atom, axis] = (up - down) / (2 * step)
    np.testing.assert_allclose(forces, -slope, atol=5e-5)
    assert np.abs(forces).max() > 0.1, "a geometry at rest would test nothing"


@pytest.mark.parametrize("method", ["GFN1-xTB", "GFN2-xTB"])
def test_a_dimer_agrees_with_the_interface_of_tblite_itself(method: str) -> None:
    numbers = np.tile([8, 1, 1], 2)
    frame = Frame(numbers, DIMER, np.zeros((3, 3)), np.zeros(3, dtype=bool))
    energy, forces = labeller(method=method).label(frame)
    direct = Calculator(method, numbers, DIMER / BOHR_ANGSTROM)
    direct.set("verbosity", 0)
    result = direct.singlepoint()
    assert energy == pytest.approx(result["energy"] * HARTREE_EV, abs=1e-5)
    np.testing.assert_allclose(forces, -result["gradient"] * HARTREE_EV / BOHR_ANGSTROM, atol=1e-5)


def test_the_order_of_frames_does_not_matter() -> None:
    engine = labeller()
    first = engine.label(in_box(DIMER, 8.0))
    engine.label(in_box(DIMER + np.random.default_rng(0).normal(size=DIMER.shape) * 0.05, 8.0))
    again = engine.label(in_box(DIMER, 8.0))
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


def test_coincident_atoms_and_unconverged_frames_fail_with_a_reason() -> None:
    coincident = WATER.copy()
    coincident[2] = coincident[1]
    with pytest.raises(LabellingFailed, match=r"\w+"):
        labeller().label(in_box(coincident))
    with pytest.raises(LabellingFailed, match=r"(?i)not converge"):
        labeller(max_iterations=2).label(in_box(WATER))


def test_partial_periodicity_and_odd_electrons_are_refused() -> None:
    frame = in_box(WATER)
    with pytest.raises(InputError, match="tblite is periodic along"):
        labeller().label(Frame(frame.species, frame.positions, frame.cell, np.array([True, True, False])))
    with pytest.raises(InputError, match="odd number of electrons"):
        labeller().label(Frame(frame.species[:2], frame.positions[:2], frame.cell, frame.pbc))
