"""Mean squared displacements of a random path by MDAnalysis: run where it is installed, writes msd.json beside itself.

pip install MDAnalysis tidynamics && python make_msd.py
"""

import json
from pathlib import Path

import MDAnalysis
import numpy as np
from MDAnalysis.analysis.msd import EinsteinMSD

SEED, N_FRAMES, N_ATOMS = 11, 40, 5


def path():
    """[n_frames, n_atoms, 3], Å: a random walk with a drift."""
    generator = np.random.default_rng(SEED)
    return np.cumsum(generator.normal(0.02, 0.3, (N_FRAMES, N_ATOMS, 3)), axis=0)


if __name__ == "__main__":
    universe = MDAnalysis.Universe.empty(N_ATOMS, trajectory=True)
    universe.load_new(path().astype(np.float32))
    analysis = EinsteinMSD(universe, msd_type="xyz", fft=True).run()
    record = {
        "program": f"MDAnalysis {MDAnalysis.__version__}",
        "seed": SEED,
        "msd_angstrom2": analysis.results.msds_by_particle.T.tolist(),
    }
    Path(__file__).with_name("msd.json").write_text(json.dumps(record))
