"""A made-up liquid that rattles and wanders, and the files an ML-driven run of it would leave."""

import h5py
import numpy as np

LENGTH = 12.42
SPECIES = np.tile([8, 1, 1], 64).astype(np.uint8)


def water(n_frames, seed, hop=0.02):
    """Rigid waters on a grid that rattle and wander, [n_frames, 192, 3]."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) * LENGTH / 4
    centres = grid + np.cumsum(generator.normal(0, hop, (n_frames, 64, 3)), axis=0)
    directions = generator.normal(size=(64, 2, 3))
    legs = 0.97 * directions / np.linalg.norm(directions, axis=2, keepdims=True)
    atoms = np.concatenate([np.zeros((64, 1, 3)), legs], axis=1)
    rattle = generator.normal(0, 0.03, (n_frames, 64, 3, 3))
    return (centres[:, :, None] + atoms + rattle).reshape(n_frames, 192, 3)


def write_run(path, positions, step_fs=10.0, unstable_from=None, cell=None, unit="angstrom", species=SPECIES):
    """An ML-MD file of [n_frames, n_replicas, n_atoms, 3]; unstable_from: {replica: first broken frame}."""
    n_frames, n_replicas, n_atoms = positions.shape[:3]
    generator = np.random.default_rng(int(1e6 * abs(positions[0, 0, 0, 0])))
    positions = positions.astype(np.float32)
    noise = generator.normal(0, 1, (n_frames + 20, n_replicas))
    waves = np.stack([noise[shift : n_frames + shift] for shift in range(20)]).mean(axis=0) * np.sqrt(20)
    scalars = {
        "potential_energy": -900 - 0.2 * waves + 0.05 * noise[:n_frames],
        "kinetic_energy": 7.4 + 0.3 * waves,
        "temperature": 300 + 12 * waves,
    }
    ends = np.full(n_replicas, np.nan)
    reasons = [""] * n_replicas
    for replica, frame in (unstable_from or {}).items():
        positions[frame:, replica] = np.nan
        for values in scalars.values():
            values[frame:, replica] = np.nan
        ends[replica], reasons[replica] = (frame + 0.5) * step_fs, "force above 100 eV/Å"
    box = LENGTH * np.eye(3) if cell is None else cell
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="gpip-ml-md", schema_version=2, timestep_fs=1.0, target_temperature_kelvin=300.0)
        file.attrs["provenance"] = "{}"
        arrays = {
            "species": (species[:n_atoms].astype(np.uint8), "1"),
            "cell": (np.tile(box, (n_replicas, 1, 1)), "angstrom"),
            "time_fs": (step_fs * np.arange(n_frames), "fs"),
            "positions": (positions, unit),
            "potential_energy": (scalars["potential_energy"], "eV"),
            "kinetic_energy": (scalars["kinetic_energy"], "eV"),
            "temperature": (scalars["temperature"], "K"),
            "unstable_from_fs": (ends, "fs"),
            "start_frame": (np.arange(n_replicas), "1"),
        }
        for name, (values, its_unit) in arrays.items():
            file.create_dataset(name, data=values).attrs["unit"] = its_unit
        file.create_dataset("unstable_reason", data=reasons, dtype=h5py.string_dtype())
    return path
