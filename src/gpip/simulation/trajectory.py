"""Trajectory and log of a classical run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import mdtraj
import numpy as np
import pandas as pd
from mdtraj.formats import HDF5TrajectoryFile
from mdtraj.utils import box_vectors_to_lengths_and_angles
from openmm.app import Topology

from gpip.core.files import replacing
from gpip.core.units import KJ_PER_MOL_TO_EV

LOG_COLUMNS = ("potential_energy_ev", "kinetic_energy_ev", "temperature_kelvin")


def write_trajectory(
    path: str | Path,
    topology: Topology,
    box_vectors_nm: np.ndarray | None,
    time_ps: np.ndarray,
    records: Mapping[str, np.ndarray],
    provenance: dict[str, Any],
    masses_amu: Sequence[float] | None = None,
) -> None:
    """Write mdtraj's HDF5 format (nm, ps, kJ/mol), with the provenance as a root attribute.

    Args:
        box_vectors_nm: [3, 3], the same in all frames; None without a box, and then the file holds no cell.
        time_ps: [n_frames].
        records: `positions_nm` [n_frames, n_atoms, 3] and the columns of the log, [n_frames] each.
        masses_amu: [n_atoms], where some atoms are isotopes, which mdtraj's topology does not know: kept as `mass`.
    """
    cell = {}
    if box_vectors_nm is not None:
        *lengths, alpha, beta, gamma = box_vectors_to_lengths_and_angles(*box_vectors_nm)
        cell["cell_lengths"] = np.tile(np.float32(lengths), (len(time_ps), 1))
        cell["cell_angles"] = np.tile(np.float32([alpha, beta, gamma]), (len(time_ps), 1))
    with replacing(path) as partial:
        with HDF5TrajectoryFile(str(partial), "w") as file:
            file.topology = mdtraj.Topology.from_openmm(topology)
            file.write(
                coordinates=records["positions_nm"],
                time=time_ps.astype(np.float32),
                potentialEnergy=np.float32(records["potential_energy_ev"] / KJ_PER_MOL_TO_EV),
                kineticEnergy=np.float32(records["kinetic_energy_ev"] / KJ_PER_MOL_TO_EV),
                temperature=np.float32(records["temperature_kelvin"]),
                **cell,
            )
        with h5py.File(partial, "a") as file:
            file.attrs["provenance"] = json.dumps(provenance, sort_keys=True)
            if masses_amu is not None:
                file.create_dataset("mass", data=np.asarray(masses_amu, dtype=np.float64)).attrs["unit"] = "amu"


def write_log(path: str | Path, time_ps: np.ndarray, records: Mapping[str, np.ndarray]) -> None:
    """Write `log.csv`, one row per kept frame."""
    table = pd.DataFrame({"time_ps": time_ps} | {name: records[name] for name in LOG_COLUMNS})
    with replacing(path) as partial:
        table.to_csv(partial, index=False, float_format="%.8g")
