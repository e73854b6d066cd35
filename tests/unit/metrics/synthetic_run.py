"""Classical runs made up of known positions, as files that the workflow's classical dynamics would leave."""

import h5py
import mdtraj
import numpy as np
import pandas as pd
from mdtraj.formats import HDF5TrajectoryFile

from gpip.core.species import find_species, molecule_of_smiles


def topology_of(contents):
    """mdtraj's topology of {species: count}, one residue a molecule."""
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for name, count in contents.items():
        species = find_species("test", name)
        bonds = [
            (b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule_of_smiles("test", species.smiles).GetBonds()
        ]
        for _ in range(count):
            residue = topology.add_residue("X", chain)
            atoms = [
                topology.add_atom(symbol, mdtraj.element.Element.getBySymbol(symbol), residue)
                for symbol in species.elements
            ]
            for i, j in bonds:
                topology.add_bond(atoms[i], atoms[j])
    return topology


def write_trajectory(path, contents, positions, length=None, step_ps=0.1):
    """mdtraj's HDF5 of positions [n_frames, n_atoms, 3] in Å, in a cubic box or in none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n_frames = len(positions)
    time = step_ps * np.arange(1, n_frames + 1)
    box = {}
    if length:
        box = {"cell_lengths": np.full((n_frames, 3), length / 10, np.float32)}
        box |= {"cell_angles": np.full((n_frames, 3), 90, np.float32)}
    with HDF5TrajectoryFile(str(path), "w") as file:
        file.topology = topology_of(contents)
        file.write(coordinates=(positions / 10).astype(np.float32), time=time.astype(np.float32), **box)
    with h5py.File(path, "a") as file:
        file.attrs["provenance"] = "{}"
    return path


def write_log(path, temperature, n_frames=100, step_ps=0.1, seed=0):
    """Normal noise about the temperature, 2 % wide."""
    generator = np.random.default_rng(seed)
    kelvin = generator.normal(temperature, 0.02 * temperature, n_frames)
    table = {
        "time_ps": step_ps * np.arange(1, n_frames + 1),
        "potential_energy_ev": -30 + 0.025 * temperature + generator.normal(0, 0.2, n_frames),
        "kinetic_energy_ev": 0.0247 * kelvin,
        "temperature_kelvin": kelvin,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def solution(n_frames, seed=0, n_pairs=4, length=26.0):
    """Na+ each with one PF6- whose P is 3.3 Å away, and DME far off: {Na+, PF6-, DME}, contents and positions."""
    generator = np.random.default_rng(seed)
    rattle = 0.05
    contents = {"Na+": n_pairs, "PF6-": n_pairs, "DME": n_pairs}
    spots = length / 2 * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]], float)[:n_pairs]
    octahedron = 1.58 * np.array([[1, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    dme = _dme()
    frames = []
    for _ in range(n_frames):
        cations = spots + generator.normal(0, rattle, spots.shape)
        anions = cations[:, None] + np.array([3.3, 0, 0]) + octahedron
        solvents = cations[:, None] + np.array([-7.0, 0, 0]) + dme
        frames.append(np.concatenate([part.reshape(-1, 3) for part in (cations, anions, solvents)]))
    return contents, np.array(frames), length


def _dme():
    from rdkit.Chem import AllChem, Mol

    molecule = Mol(molecule_of_smiles("test", find_species("test", "DME").smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=1) == 0
    positions = molecule.GetConformer().GetPositions()
    return positions - positions.mean(axis=0)
