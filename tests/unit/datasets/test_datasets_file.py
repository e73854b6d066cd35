"""Dataset files: what is written is read, bad files are refused, workers read what the parent reads."""

import multiprocessing
import os
import pickle
from pathlib import Path

import h5py
import mdtraj
import numpy as np
import pytest
from torch.utils.data import DataLoader

from gpip.core.errors import InputError
from gpip.core.fields import FIELDS
from gpip.core.frame import Frame
from gpip.datasets.reader import Dataset
from gpip.datasets.writer import ClassicalRun, dataset_writer, write_dataset, write_dataset_from_runs


def random_fields(n_frames: int, n_molecules: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    n_atoms = 3 * n_molecules
    return {
        "species": np.tile(np.array([8, 1, 1], dtype=np.uint8), n_molecules),
        "positions": rng.normal(size=(n_frames, n_atoms, 3)).astype(np.float32),
        "cell": np.tile(np.eye(3) * rng.uniform(5, 9), (n_frames, 1, 1)),
        "pbc": np.ones(3, dtype=bool),
        "temperature": np.linspace(100, 300, n_frames),
        "energy": rng.normal(-1e4, 1, n_frames),
        "forces": rng.normal(size=(n_frames, n_atoms, 3)).astype(np.float32),
        "molecule": np.repeat(np.arange(n_molecules, dtype=np.int32), 3),
        "source_frame": np.arange(n_frames) * 7,
    }


SYSTEMS = {"big": random_fields(5, 4, seed=1), "small": random_fields(8, 2, seed=2)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "dataset.h5", SYSTEMS, {"stage": "dataset"})
    return tmp_path / "dataset.h5"


@pytest.mark.parametrize("memory_limit_bytes", [0, 2**30])
def test_what_is_written_is_read_exactly(path: Path, memory_limit_bytes: int) -> None:
    dataset = Dataset(path, memory_limit_bytes)
    dataset.check()
    assert len(dataset) == 13
    assert dataset.provenance == {"stage": "dataset"}
    for name, fields in SYSTEMS.items():
        read = dataset.arrays(name)
        assert set(read) == set(fields)
        for field, values in fields.items():
            np.testing.assert_array_equal(read[field], values)
            assert read[field].dtype == FIELDS[field].dtype
    for index, (system, frame) in enumerate([("big", i) for i in range(5)] + [("small", i) for i in range(8)]):
        got, fields = dataset[index], SYSTEMS[system]
        assert got.system == system
        assert got.energy == fields["energy"][frame]
        assert got.temperature_kelvin == fields["temperature"][frame]
        for name in ("positions", "forces", "cell"):
            np.testing.assert_array_equal(getattr(got, name), fields[name][frame])
        np.testing.assert_array_equal(got.species, fields["species"])
    assert len(list(dataset)) == 13
    assert dataset[-1].energy == SYSTEMS["small"]["energy"][7]
    with pytest.raises(IndexError):
        dataset[13]


def test_units_and_axes_stand_in_the_file(path: Path) -> None:
    with h5py.File(path) as file:
        forces = file["systems/small/forces"]
        assert forces.attrs["unit"] == "eV/angstrom"
        assert forces.attrs["axes"] == '["n_frames", "n_atoms", 3]'
        assert forces.chunks == (1, 6, 3)


def test_a_subset_has_its_frames_in_its_order(path: Path) -> None:
    dataset = Dataset(path)
    part = dataset.subset([9, 2, 12, 0])
    assert [frame.energy for frame in part] == [dataset[index].energy for index in (9, 2, 12, 0)]
    np.testing.assert_array_equal(part.arrays("small")["source_frame"], [28, 49])
    np.testing.assert_array_equal(part.arrays("big")["forces"], SYSTEMS["big"]["forces"][[2, 0]])
    assert [frame.energy for frame in part.subset([2, 1])] == [dataset[12].energy, dataset[2].energy]
    assert part.frames([1])[0].energy == dataset[2].energy
    with pytest.raises(InputError, match="split made for another file"):
        dataset.subset([13])


def write_parts(path: Path, *parts: dict[str, np.ndarray]) -> None:
    with dataset_writer(path, {}) as writer:
        for part in parts:
            writer.append("small", **part)


def test_appending_equals_writing_at_once(path: Path, tmp_path: Path) -> None:
    parts = [
        {k: v[part] if FIELDS[k].axes[0] == "n_frames" else v for k, v in SYSTEMS["small"].items()}
        for part in (slice(0, 3), slice(3, 8))
    ]
    write_parts(tmp_path / "parts.h5", *parts)
    for name, values in Dataset(tmp_path / "parts.h5").arrays("small").items():
        np.testing.assert_array_equal(values, SYSTEMS["small"][name])


def test_frames_of_other_atoms_cannot_be_appended(tmp_path: Path) -> None:
    swapped = SYSTEMS["small"] | {"species": np.array([1, 8, 1, 8, 1, 1])}
    fewer = {k: v for k, v in SYSTEMS["small"].items() if k != "energy"}
    for wrong, message in ((swapped, "species differs"), (fewer, "cannot be appended")):
        with pytest.raises(InputError, match=message):
            write_parts(tmp_path / "d.h5", SYSTEMS["small"], wrong)
        assert not (tmp_path / "d.h5").exists(), "an unfinished file must not appear"


@pytest.mark.parametrize("field", ["positions", "forces", "energy", "cell"])
def test_nan_is_not_written(tmp_path: Path, field: str) -> None:
    fields = {name: values.copy() for name, values in SYSTEMS["small"].items()}
    fields[field][3] = np.nan
    with pytest.raises(InputError, match=f"{field} holds NaN or infinity, first at index 3"):
        write_dataset(tmp_path / "d.h5", {"small": fields}, {})


def spoil_schema(file: h5py.File) -> None:
    file.attrs["schema"] = "other"


def spoil_version(file: h5py.File) -> None:
    file.attrs["schema_version"] = 99


def spoil_unit(file: h5py.File) -> None:
    file["systems/small/forces"].attrs["unit"] = "kcal/mol/angstrom"


def spoil_shape(file: h5py.File) -> None:
    file["systems/small/energy"].resize(3, axis=0)


def spoil_type(file: h5py.File) -> None:
    values = file["systems/small/molecule"][...]
    del file["systems/small/molecule"]
    file["systems/small/molecule"] = values.astype(float)
    file["systems/small/molecule"].attrs["unit"] = "1"


def spoil_field(file: h5py.File) -> None:
    file["systems/small"].move("forces", "force")


def spoil_presence(file: h5py.File) -> None:
    del file["systems/small/cell"]


def spoil_energy(file: h5py.File) -> None:
    file["systems/small/energy"][2] = np.nan


def spoil_cell(file: h5py.File) -> None:
    file["systems/small/cell"][1] = 0


def spoil_systems(file: h5py.File) -> None:
    del file["systems"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_schema, "schema is 'other', expected 'gpip-dataset'"),
        (spoil_version, "schema version is 99, this program reads 1"),
        (spoil_unit, "forces is in 'kcal/mol/angstrom', expected 'eV/angstrom'"),
        (spoil_shape, r"energy has shape \(3,\), expected \(8,\)"),
        (spoil_type, "molecule is of type float64, expected int32"),
        (spoil_field, "'force' is not known; did you mean 'forces'"),
        (spoil_presence, "cell missing"),
        (spoil_energy, "energy holds NaN or infinity, first at index 2"),
        (spoil_cell, "the cell of a frame has no volume"),
        (spoil_systems, "systems cannot be opened"),
    ],
)
def test_a_spoilt_file_is_refused_when_opened(path: Path, spoil, message: str) -> None:
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(InputError, match=message) as caught:
        Dataset(path)
    assert str(path) in str(caught.value)


def replace(name: str, **new):
    """A function that puts another dataset, group, link or attributes in the place of an object of the file."""

    def spoil(file: h5py.File) -> None:
        del file[name]
        if "data" in new:
            file[name] = new["data"]
        elif "link" in new:
            file[name] = new["link"]
        else:
            file.create_group(name)

    return spoil


def attribute(name: str, value) -> object:
    return lambda file: file.attrs.__setitem__(name, value)


def of_species(values) -> object:
    return lambda file: file["systems/small/species"].__setitem__(slice(None), values)


def of_unit(value) -> object:
    return lambda file: file["systems/small/energy"].attrs.__setitem__("unit", value)


BROKEN = {
    "provenance is no JSON": (attribute("provenance", "{oops"), "provenance is no JSON"),
    "provenance is no mapping": (attribute("provenance", "[1, 2]"), "provenance is list, expected a mapping"),
    "provenance is a number": (attribute("provenance", 3), "provenance is no JSON"),
    "provenance is no text": (attribute("provenance", np.bytes_(b"\xff\xfe")), "provenance is no JSON"),
    "schema is a number": (attribute("schema", 3), "schema is"),
    "schema is a list": (attribute("schema", ["gpip-dataset", "x"]), "schema is"),
    "version is a list": (attribute("schema_version", [1, 2]), "schema version is"),
    "version is a text": (attribute("schema_version", "one"), "schema version is one"),
    "systems is empty": (replace("systems"), "holds no system"),
    "systems is a dataset": (replace("systems", data=1), "systems is an HDF5 dataset, expected a group"),
    "a system is a dataset": (replace("systems/small", data=1), "small is an HDF5 dataset, expected a group"),
    "a system is a dangling link": (replace("systems/small", link=h5py.SoftLink("/none")), "small cannot be opened"),
    "a system is in another file": (
        replace("systems/small", link=h5py.ExternalLink("none.h5", "/x")),
        "small cannot be opened",
    ),
    "a field is a group": (replace("systems/small/energy"), "energy is an HDF5 group, expected a dataset"),
    "a field is a dangling link": (
        replace("systems/small/cell", link=h5py.SoftLink("/none")),
        "cell missing|cell cannot be opened",
    ),
    "a field is text": (replace("systems/small/energy", data="text"), "energy is in None"),
    "a field is a scalar": (replace("systems/small/positions", data=np.float32(1)), "positions is in None"),
    "a unit is a number": (of_unit(3), "energy is in"),
    "a unit is a list": (of_unit(["eV", "eV"]), "energy is in"),
    "species of 0": (of_species(0), "atomic numbers from 1 to 118, found 0 to 0"),
    "species of 200": (of_species(200), "atomic numbers from 1 to 118, found 200 to 200"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_hdf5_of_wrong_kinds_is_one_clear_error(path: Path, kind: str) -> None:
    spoil, message = BROKEN[kind]
    with h5py.File(path, "r+") as file:
        spoil(file)
    with pytest.raises(InputError, match=message) as caught:
        Dataset(path)
    assert str(path) in str(caught.value)


def test_nan_in_positions_is_found_by_the_full_check(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["systems/small/positions"][4, 1, 2] = np.inf
    with pytest.raises(InputError, match=r"'small'.*positions holds NaN or infinity, first at index 4"):
        Dataset(path).check()


def test_missing_truncated_and_other_files_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such dataset file"):
        Dataset(tmp_path / "none.h5")
    content = path.read_bytes()
    (tmp_path / "short.h5").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.h5").write_text("not HDF5")
    for name in ("short.h5", "text.h5"):
        with pytest.raises(InputError, match="not a complete HDF5 file"):
            Dataset(tmp_path / name)


def energies_and_sums(frames: list[Frame]) -> list[tuple[float, float]]:
    return [(frame.energy, float(frame.positions.sum() + frame.forces.sum())) for frame in frames]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # two workers on one CPU
@pytest.mark.parametrize(("start_method", "memory_limit_bytes"), [("fork", 0), ("fork", 2**30), ("spawn", 0)])
def test_workers_read_what_the_parent_reads(path: Path, start_method: str, memory_limit_bytes: int) -> None:
    dataset = Dataset(path, memory_limit_bytes)
    order = np.random.default_rng(0).integers(0, len(dataset), 400).tolist()
    expected = energies_and_sums(dataset.frames(order))  # the parent's handle is open when workers start
    loader = DataLoader(
        dataset, sampler=order, batch_size=10, collate_fn=energies_and_sums, num_workers=2,
        multiprocessing_context=start_method,
    )  # fmt: skip
    seen = []
    for batch in loader:
        seen += batch
        assert dataset[3].energy == SYSTEMS["big"]["energy"][3]
    assert seen == expected


def report_own_handle(dataset: Dataset, queue: multiprocessing.SimpleQueue) -> None:
    frame = dataset[0]
    queue.put((dataset._arrays._process == os.getpid(), frame.energy))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_a_handle_of_its_own(path: Path) -> None:
    dataset, context = Dataset(path, memory_limit_bytes=0), multiprocessing.get_context("fork")
    energy, queue = dataset[0].energy, context.SimpleQueue()
    child = context.Process(target=report_own_handle, args=(dataset, queue))
    child.start()
    assert queue.get() == (True, energy)
    child.join()


def test_a_pickled_subset_opens_the_file_anew(path: Path) -> None:
    part = Dataset(path, memory_limit_bytes=0).subset([8, 1])
    before = part[0].positions
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(part))[0].positions, before)


def water_trajectory(n_frames: int, seed: int, box: bool = True) -> mdtraj.Trajectory:
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    for _ in range(2):
        residue = topology.add_residue("HOH", chain)
        atoms = [topology.add_atom(name, mdtraj.element.get_by_symbol(name[0]), residue) for name in ("O", "H1", "H2")]
        for hydrogen in atoms[1:]:
            topology.add_bond(atoms[0], hydrogen)
    xyz = np.random.default_rng(seed).normal(size=(n_frames, 6, 3)).astype(np.float32)
    lengths = np.tile(np.array([1.1, 1.2, 1.3], dtype=np.float32), (n_frames, 1)) if box else None
    angles = np.full((n_frames, 3), 90, dtype=np.float32) if box else None
    return mdtraj.Trajectory(xyz, topology, unitcell_lengths=lengths, unitcell_angles=angles)


def test_classical_runs_are_joined_by_system_and_ascending_temperature(tmp_path: Path) -> None:
    asked = []

    def spring(system_xml, positions, cell):
        asked.append((system_xml, positions, cell))
        positions = positions.astype(np.float64)
        return 0.5 * (positions**2).sum(axis=(1, 2)), -positions

    runs, trajectories = [], {}
    for kelvin, n_frames in ((500.0, 2), (100.0, 3)):
        trajectories[kelvin] = water_trajectory(n_frames, seed=int(kelvin))
        trajectories[kelvin].save_hdf5(str(tmp_path / f"{kelvin}.h5"))
        runs.append(ClassicalRun("water", kelvin, tmp_path / f"{kelvin}.h5", tmp_path / "system.xml"))
    write_dataset_from_runs(tmp_path / "dataset.h5", runs, {"stage": "dataset"}, spring)
    read = Dataset(tmp_path / "dataset.h5").arrays("water")
    np.testing.assert_array_equal(read["temperature"], [100, 100, 100, 500, 500])
    xyz = np.concatenate([trajectories[kelvin].xyz for kelvin in (100.0, 500.0)])
    np.testing.assert_allclose(read["positions"], xyz * 10, rtol=1e-6)
    np.testing.assert_allclose(read["cell"], np.tile(np.diag([11.0, 12.0, 13.0]), (5, 1, 1)), atol=1e-5)
    np.testing.assert_array_equal(read["species"], [8, 1, 1, 8, 1, 1])
    np.testing.assert_array_equal(read["molecule"], [0, 0, 0, 1, 1, 1])
    assert read["pbc"].all()
    # Labels belong to the float32 positions that are stored, to the last digit.
    np.testing.assert_array_equal(read["positions"], np.concatenate([positions for _, positions, _ in asked]))
    np.testing.assert_array_equal(read["energy"], 0.5 * (read["positions"].astype(float) ** 2).sum(axis=(1, 2)))
    np.testing.assert_array_equal(read["forces"], -read["positions"])


def test_a_run_without_a_box_has_no_cell(tmp_path: Path) -> None:
    water_trajectory(2, 0, box=False).save_hdf5(str(tmp_path / "t.h5"))
    write_dataset_from_runs(tmp_path / "d.h5", [ClassicalRun("w", 300.0, tmp_path / "t.h5", tmp_path / "s.xml")], {})
    frame = Dataset(tmp_path / "d.h5")[0]
    assert not frame.pbc.any()
    assert not frame.cell.any()
    assert frame.energy is None
    assert frame.forces is None


def test_missing_and_damaged_trajectories_are_refused(tmp_path: Path) -> None:
    water_trajectory(2, 0).save_hdf5(str(tmp_path / "t.h5"))
    content = (tmp_path / "t.h5").read_bytes()
    (tmp_path / "short.h5").write_bytes(content[: len(content) // 2])
    write_dataset(tmp_path / "other.h5", SYSTEMS, {})
    for name in ("short.h5", "none.h5", "other.h5"):
        run = ClassicalRun("w", 300.0, tmp_path / name, tmp_path / "s.xml")
        with pytest.raises(InputError, match=f"{name}: not a complete mdtraj HDF5 trajectory"):
            write_dataset_from_runs(tmp_path / "d.h5", [run], {})
    with pytest.raises(InputError, match="no classical runs"):
        write_dataset_from_runs(tmp_path / "d.h5", [], {})
