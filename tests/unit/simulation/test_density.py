import json
from pathlib import Path

import numpy as np
import openmm
import pandas as pd
import pytest
from openmm.app import Element, PDBFile, Topology
from openmm.unit import angstrom, nanometer
from start_systems import minimised

from gpip.config.systems import NPT
from gpip.core.errors import InputError
from gpip.core.units import AVOGADRO_PER_MOL, BOLTZMANN_EV_PER_K, ELEMENTARY_CHARGE_C
from gpip.simulation.classical import ClassicalDynamics, load_system
from gpip.simulation.density import ConstantPressure, equilibrate_density
from gpip.simulation.molecules import scale_molecules, wrap_molecules
from gpip.simulation.platforms import choose_platform
from gpip.systems.build import write_topology

SHORT = NPT(
    equilibration_ps=0.05,
    production_ps=0.3,
    sample_every_ps=0.01,
    frames_per_checkpoint=8,
    barostat_every_steps=5,
    start_density_g_per_cm3=0.9,
    unconverged="warn",
)
OUTPUTS = ("topology.pdb", "system.xml", "density.csv", "density.json")
WATER_AMU = 18.01528


def test_scaled_molecules_are_rigid_and_their_centres_scale():
    rng = np.random.default_rng(0)
    positions, masses = rng.uniform(0, 9, (7, 3)), np.array([16.0, 1, 1, 12, 1, 16, 4])
    molecules = np.array([0, 0, 0, 1, 1, 1, 2])
    scaled = scale_molecules(positions, masses, molecules, 1.1)
    for i in range(3):
        inside = molecules == i
        before, after = (np.average(x[inside], axis=0, weights=masses[inside]) for x in (positions, scaled))
        np.testing.assert_allclose(after, 1.1 * before, rtol=1e-13)
        np.testing.assert_allclose(scaled[inside] - after, positions[inside] - before, atol=1e-13)


def test_wrapped_molecules_are_images_with_their_centres_in_the_box():
    rng = np.random.default_rng(0)
    positions, masses = rng.uniform(-40, 40, (7, 3)), np.array([16.0, 1, 1, 12, 1, 16, 4])
    molecules = np.array([0, 0, 0, 1, 1, 1, 2])
    wrapped = wrap_molecules(positions, masses, molecules, 9.0)
    boxes = (positions - wrapped) / 9
    np.testing.assert_allclose(boxes, np.round(boxes), atol=1e-12)
    for i in range(3):
        inside = molecules == i
        assert np.ptp(np.round(boxes[inside]), axis=0).max() == 0
        centre = np.average(wrapped[inside], axis=0, weights=masses[inside])
        assert (centre >= 0).all()
        assert (centre < 9).all()


@pytest.fixture(scope="module")
def box(tmp_path_factory) -> tuple[Path, Path]:
    return minimised(
        tmp_path_factory.mktemp("box"), species={"water": 20}, force_field="tip3p", density="npt", cutoff_angstrom=3.5
    )


def run(folder: Path, box, settings=SHORT, platform="CPU", name="water"):
    folder.mkdir(exist_ok=True)
    outputs = [folder / name for name in OUTPUTS]
    equilibrate_density(name, settings, 1, *box, *outputs, platform=platform)
    return pd.read_csv(outputs[2]), json.loads(outputs[3].read_text())


def test_files_hold_the_mean_box_and_no_barostat(tmp_path, box, capsys):
    table, summary = run(tmp_path, box)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(OUTPUTS)
    assert list(table) == ["time_ps", "volume_angstrom3", "density_g_per_cm3", "temperature_kelvin"]
    np.testing.assert_allclose(table.time_ps, 0.01 * np.arange(1, 31), rtol=1e-7)
    assert table.volume_angstrom3.nunique() > 10
    density = 20 * WATER_AMU / table.volume_angstrom3 * 1e24 / AVOGADRO_PER_MOL
    np.testing.assert_allclose(table.density_g_per_cm3, density, rtol=1e-4)
    volume = table.volume_angstrom3.mean()
    assert summary["volume_angstrom3"] == pytest.approx(volume, rel=1e-7)
    assert summary["density_g_per_cm3"] == pytest.approx(20 * WATER_AMU / volume * 1e24 / AVOGADRO_PER_MOL, rel=1e-4)
    assert summary["density_standard_error_g_per_cm3"] is None
    assert summary["standard_error_reason"].startswith("too short for an error")
    assert summary["box_length_angstrom"] == pytest.approx(volume ** (1 / 3), rel=1e-7)
    assert summary["n_volumes"] == 30
    assert summary["provenance"]["stage"] == "density"
    assert summary["provenance"]["settings"]["npt"] == SHORT.model_dump()
    # So short a run cannot tell.
    assert not summary["converged"]
    assert any("independent volumes" in reason for reason in summary["reasons"])
    assert "warning: density of water is not converged" in capsys.readouterr().out

    system, before = load_system(tmp_path / "system.xml"), load_system(box[1])
    assert [type(force) for force in system.getForces()] == [type(force) for force in before.getForces()]
    vectors = np.array([vector.value_in_unit(angstrom) for vector in system.getDefaultPeriodicBoxVectors()])
    np.testing.assert_allclose(vectors, np.eye(3) * summary["box_length_angstrom"], rtol=1e-9)
    pdb, packed = PDBFile(str(tmp_path / "topology.pdb")), PDBFile(str(box[0]))
    edges = pdb.topology.getUnitCellDimensions().value_in_unit(angstrom)
    np.testing.assert_allclose(edges, summary["box_length_angstrom"], atol=1e-3)
    assert [atom.name for atom in pdb.topology.atoms()] == [atom.name for atom in packed.topology.atoms()]
    assert pdb.topology.getNumBonds() == packed.topology.getNumBonds() == 40
    positions = pdb.getPositions(asNumpy=True).value_in_unit(angstrom).reshape(20, 3, 3)
    bonds = np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=-1)
    assert 0.8 < bonds.min() < bonds.max() < 1.15


@pytest.mark.parametrize("platform", ["CPU", "Reference"])
def test_resumed_run_equals_uninterrupted_run(tmp_path, box, monkeypatch, platform):
    run(tmp_path / "whole", box, platform=platform)
    observe, calls = ConstantPressure.observe, []

    def killed(self, context):
        calls.append(0)
        if len(calls) == 25:  # in the third chunk of production, after one unrecorded chunk of five
            raise KeyboardInterrupt
        return observe(self, context)

    monkeypatch.setattr(ConstantPressure, "observe", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", box, platform=platform)
    n_before = len(calls)
    run(tmp_path / "resumed", box, platform=platform)
    assert len(calls) - n_before == 35 - 5 - 16
    for name in OUTPUTS:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes(), name


def test_each_chunk_has_its_own_random_volumes(box):
    dynamics = ConstantPressure("water", SHORT, 1, PDBFile(str(box[0])), box[1])
    seeds = []
    for chunk in (1, 2, 1):
        integrator = dynamics.integrator(chunk)
        seeds.append((dynamics.barostat.getRandomNumberSeed(), integrator.getRandomNumberSeed()))
    assert seeds[0] == seeds[2]
    assert len({*seeds[0], *seeds[1]}) == 4
    assert 0 not in {*seeds[0], *seeds[1]}  # OpenMM takes the clock then


def test_box_narrower_than_twice_the_cutoff_is_explained(tmp_path, box):
    system = load_system(box[1])  # 8.73 Å wide
    next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)).setCutoffDistance(4.3 * angstrom)
    (tmp_path / "wide.xml").write_text(openmm.XmlSerializer.serialize(system))
    squeezed = SHORT.model_copy(update={"pressure_bar": 5e4})
    with pytest.raises(
        InputError, match=r"shrank to 8\.[45]\d+ Å .*cutoff_angstrom 4\.3: .* 24 molecules .*20.* 4\.08"
    ):
        run(tmp_path, (box[0], tmp_path / "wide.xml"), squeezed)


SALT = {"species": {"Na+": 1, "PF6-": 1, "DME": 8}, "force_field": "opls-aa", "density": "npt", "cutoff_angstrom": 5.0}


def test_salt_packed_loosely_is_compressed_without_exploding(tmp_path):
    settings = NPT(
        start_density_g_per_cm3=0.6,
        equilibration_ps=1.0,
        production_ps=1.0,
        sample_every_ps=0.1,
        pressure_bar=1000,
        unconverged="warn",
    )
    files = minimised(tmp_path, "salt", **SALT, npt=settings.model_dump())
    table, summary = run(tmp_path / "run", files, settings, name="salt")
    assert table.density_g_per_cm3.iloc[-1] > 0.65
    assert table.temperature_kelvin.iloc[-5:].between(150, 450).all()
    assert not summary["converged"]


def test_constraints_hold_in_the_mean_box(tmp_path):
    """The box is scaled with rigid molecules; PDB files round to 0.001 Å, and dynamics starts from them."""
    files = minimised(tmp_path, "salt", **SALT, constraints="h-bonds")
    settings = SHORT.model_copy(update={"timestep_fs": 2.0, "start_density_g_per_cm3": None})
    run(tmp_path / "run", files, settings, name="salt")
    system = load_system(tmp_path / "run/system.xml")
    assert system.getNumConstraints() == 80
    pdb = PDBFile(str(tmp_path / "run/topology.pdb"))
    positions = pdb.getPositions(asNumpy=True).value_in_unit(nanometer)
    for i in range(80):
        first, second, length = system.getConstraintParameters(i)
        assert np.linalg.norm(positions[first] - positions[second]) == pytest.approx(length._value, abs=2e-4)
    dynamics = ClassicalDynamics("salt", settings, 300.0, 1, pdb, tmp_path / "run/system.xml")
    assert dynamics.n_degrees_of_freedom == 3 * 136 - 80 - 3
    context = openmm.Context(dynamics.system, dynamics.integrator(1), *choose_platform("CPU"))
    dynamics.start(context)
    exact = context.getState(positions=True).getPositions(asNumpy=True)._value
    for i in range(80):
        first, second, length = system.getConstraintParameters(i)
        assert np.linalg.norm(exact[first] - exact[second]) == pytest.approx(length._value, rel=1e-5)


def ideal_gas(folder: Path, n: int, volume_angstrom3: float) -> tuple[Path, Path]:
    topology, system = Topology(), openmm.System()
    chain, vectors = topology.addChain(), np.eye(3) * volume_angstrom3 ** (1 / 3) / 10 * nanometer
    for _ in range(n):
        topology.addAtom("Ar", Element.getBySymbol("Ar"), topology.addResidue("AR", chain))
        system.addParticle(39.948)
    topology.setPeriodicBoxVectors(vectors)
    system.setDefaultPeriodicBoxVectors(*vectors)
    periodic = openmm.HarmonicBondForce()  # without bonds; a barostat asks for some periodic force
    periodic.setUsesPeriodicBoundaryConditions(True)
    system.addForce(periodic)
    write_topology(folder / "gas.pdb", "gas", topology, np.random.default_rng(0).uniform(0, 10, (n, 3)))
    (folder / "gas.xml").write_text(openmm.XmlSerializer.serialize(system))
    return folder / "gas.pdb", folder / "gas.xml"


PRESSURE_BAR = 1000.0
PER_ATOM = BOLTZMANN_EV_PER_K * 300 / (PRESSURE_BAR * 1e5) * ELEMENTARY_CHARGE_C * 1e30
"""kT / P, Å^3."""
GAS = SHORT.model_copy(
    update={
        "pressure_bar": PRESSURE_BAR,
        "timestep_fs": 4.0,
        "barostat_every_steps": 1,
        "equilibration_ps": 8.0,
        "production_ps": 160.0,
        "sample_every_ps": 0.04,
        "frames_per_checkpoint": 2000,
    }
)


@pytest.mark.physics
def test_volume_of_an_ideal_gas_is_exact(tmp_path):
    """The weight V^n exp(-PV/kT) has the mean (n + 1) kT/P and the variance (n + 1) (kT/P)^2."""
    n = 20
    table, summary = run(tmp_path, ideal_gas(tmp_path, n, 1.2 * n * PER_ATOM), GAS)
    error = summary["volume_standard_error_angstrom3"]
    assert error < 0.02 * summary["volume_angstrom3"]
    assert abs(summary["volume_angstrom3"] - (n + 1) * PER_ATOM) < 3.5 * error
    assert table.volume_angstrom3.var() == pytest.approx((n + 1) * PER_ATOM**2, rel=0.2)
    assert summary["converged"]
    assert summary["reasons"] == []


def test_a_box_that_still_shrinks_is_not_converged(tmp_path, capsys):
    settings = GAS.model_copy(update={"equilibration_ps": 0.0, "production_ps": 2.0, "unconverged": "warn"})
    _, summary = run(tmp_path, ideal_gas(tmp_path, 50, 6 * 50 * PER_ATOM), settings)
    assert not summary["converged"]
    assert "drifts by -" in summary["reasons"][0]
    assert summary["reasons"][0] in capsys.readouterr().out


def test_a_density_that_is_not_converged_is_an_error_and_more_production_goes_on_from_it(tmp_path, box, capsys):
    strict = SHORT.model_copy(update={"unconverged": "error", "production_ps": 0.16})
    with pytest.raises(InputError, match=r"systems\.water\.npt: the density is not converged: .*unconverged: warn"):
        run(tmp_path / "grown", box, strict)
    assert not (tmp_path / "grown/density.json").exists()
    longer = SHORT.model_copy(update={"production_ps": 0.32})
    capsys.readouterr()
    grown, _ = run(tmp_path / "grown", box, longer)
    assert "going on after" in capsys.readouterr().out
    whole, _ = run(tmp_path / "whole", box, longer)
    pd.testing.assert_frame_equal(grown, whole)
