"""Mean squared displacements against MDAnalysis; numbers and their generator lie in references/."""

import json
from pathlib import Path

import numpy as np

from gpip.metrics.diffusion import mean_squared_displacement

REFERENCES = Path(__file__).parent / "references"


def test_msd_of_every_atom_and_lag_equals_mdanalysis():
    record = json.loads((REFERENCES / "msd.json").read_text())
    generator = np.random.default_rng(record["seed"])
    expected = np.array(record["msd_angstrom2"])  # [n_atoms, n_frames]
    positions = np.cumsum(generator.normal(0.02, 0.3, (expected.shape[1], expected.shape[0], 3)), axis=0)
    np.testing.assert_allclose(mean_squared_displacement(positions).T, expected, rtol=1e-5, atol=1e-5)
