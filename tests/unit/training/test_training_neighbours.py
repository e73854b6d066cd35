"""An atom without neighbours is one error before training, and none where it may be: alone without a box, or in use."""

import numpy as np
import pytest

from gpip.config.backbones import SchNetSettings
from gpip.core.errors import InputError
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import write_dataset
from gpip.models.registry import make_potential
from gpip.training.neighbours import check_neighbours
from gpip.training.supervised import predict

OH = np.array([[0, 0, 0], [0, 0, 0.97]])


def file(path, pbc, *frames, box=0.0, species=(8, 1)):
    fields = {
        "species": np.array(species),
        "positions": np.array(frames),
        "cell": np.tile(box * np.eye(3), (len(frames), 1, 1)),
        "pbc": np.full(3, pbc),
        "temperature": np.full(len(frames), np.nan),
        "source_frame": 10 + np.arange(len(frames)),
    }
    write_dataset(path / "set.h5", {"oh": fields}, {})
    return Dataset(path / "set.h5")


def test_the_error_names_frame_atom_distance_and_remedy(tmp_path):
    frames = file(tmp_path, False, OH, OH * 4, OH * 6, OH * 7)
    check_neighbours(frames, 7.0, "cutoff_angstrom of this painn backbone")
    with pytest.raises(InputError) as caught:
        check_neighbours(frames, 5.0, "cutoff_angstrom of this painn backbone")
    assert str(caught.value) == (
        f"{tmp_path}/set.h5, system 'oh', frame 2 (number 12 of its source): atom 0 (O) has no neighbour within "
        "5 Å (cutoff_angstrom of this painn backbone), the nearest is at 5.82 Å (1 more of its atoms have none): "
        "raise cutoff_angstrom of this painn backbone, or leave the frame out"
    )
    check_neighbours(frames.subset([0, 1]), 5.0, "cutoff_angstrom")
    with pytest.raises(InputError, match=r"frame 3 \(number 13"):
        check_neighbours(frames.subset([0, 3]), 5.0, "cutoff_angstrom")


def test_a_box_brings_neighbours_and_takes_away_the_right_to_have_none(tmp_path):
    check_neighbours(file(tmp_path, True, OH * 9, box=10.0), 5.0, "cutoff_angstrom")
    frames = file(tmp_path, True, OH[:1], box=10.0, species=(8,))
    with pytest.raises(InputError, match=r"atom 0 \(O\) has no neighbour within 5 Å .* the nearest is at 10.00 Å"):
        check_neighbours(frames, 5.0, "cutoff_angstrom")


def test_a_single_atom_without_a_box_is_a_reference(tmp_path):
    check_neighbours(file(tmp_path, False, OH[:1], species=(8,)), 5.0, "cutoff_angstrom")


def test_a_potential_in_use_goes_on_without_neighbours(tmp_path):
    """Dissociation is a matter of dynamics, not of training."""
    potential = make_potential(SchNetSettings(model="schnet", n_layers=1, n_features=8, n_radial=6), seed=1)
    energies, forces = predict(potential, list(file(tmp_path, False, OH * 8, OH * 9)))
    assert energies[0] == energies[1]
    assert not np.any(forces)
