"""Limits of what is physically sensible: each has its sentence, and what is usual passes without one."""

import re

import numpy as np
import openmm
import pytest

from gpip.config import project_from
from gpip.config.limits import check_limits, fastest_vibration
from gpip.core.errors import InputError
from gpip.core.species import find_species
from gpip.systems.check import check_systems

LIQUID = {"species": {"EC": 120}, "force_field": "opls-aa", "density": "npt", "temperatures_kelvin": [300]}
SLOW = {"sample_every_ps": 0.6, "production_ps": 6}


def of_system(**given) -> tuple[list[str], list[str]]:
    return check_limits(project_from({"systems": {"a": LIQUID | given}}))


WARNED = {
    "2 fs, flexible water": (
        {"species": {"water": 200}, "sampling": {"timestep_fs": 2}},
        r"sampling.timestep_fs: .*4\.5 steps .*O-H bond of water \(9\.0 fs\).*take 1 fs, or set rigid_water: true$",
    ),
    "1.5 fs, flexible bonds": (
        {"npt": {"timestep_fs": 1.6, "sample_every_ps": 0.16, "production_ps": 16}},
        r"npt.timestep_fs: .*constraints: h-bonds$",
    ),
    "annealing": ({"annealing": {"timestep_fs": 2}}, r"annealing.timestep_fs: .*C-H bond of EC"),
    "4 fs without heavy hydrogen": (
        {"constraints": "h-bonds", "sampling": SLOW | {"timestep_fs": 4}},
        r"angles with hydrogen .*or set hydrogen_mass_amu: 3$",
    ),
    "rigid water beside a flexible solvent": (
        {"species": {"water": 90, "EC": 90}, "rigid_water": True, "sampling": {"timestep_fs": 2}},
        r"C-H bond of EC .*constraints: h-bonds$",
    ),
    "a step in ps": ({"sampling": {"timestep_fs": 0.001}}, r"steps are in fs: if 0\.001 ps is meant, write 1$"),
    "a short cutoff": ({"cutoff_angstrom": 4.5}, r"cutoff_angstrom: 4\.5 Å ends within the first shell"),
    "a vapour": ({"density": 0.5}, r"0\.5 g/cm3 is less than half of the 1\.32 g/cm3"),
    "compressed": ({"density": 2.0}, r"2 g/cm3 is 1\.5 times the 1\.32 g/cm3"),
    "Celsius": ({"temperatures_kelvin": [20, 40]}, r"temperatures_kelvin: 20 K is -253 °C.*write 293\.15"),
    "Celsius of NPT": ({"npt": {"temperature_kelvin": 60}}, r"npt\.temperature_kelvin: 60 K .*write 333\.15"),
    "boiling": ({"npt": {"temperature_kelvin": 900}}, r"most solvents boil"),
    "ten salts in one solvent": (
        {"species": {"Na+": 40, "PF6-": 40, "EC": 4}},
        r"40 cations \(Na\+\) share 4 solvent molecules \(114 mol/kg\)",
    ),
    "ions without charge": ({"species": {"Na+": 4, "PF6-": 4, "EC": 80}, "ion_charge_scale": 0.2}, r"ion_charge_scale"),
}
REFUSED = {
    "4 fs, flexible bonds": (
        {"sampling": SLOW | {"timestep_fs": 4}},
        r"2\.7 steps .*unstable.*constraints: h-bonds and hydrogen_mass_amu: 3$",
    ),
    "3 fs, flexible water": (
        {"species": {"water": 200}, "sampling": SLOW | {"timestep_fs": 3}},
        r"unstable.*rigid_water: true$",
    ),
    "a cutoff within the contact": ({"cutoff_angstrom": 2}, r"cutoff_angstrom: 2 Å is shorter than the 3 Å"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_seldom_means_something_is_a_warning(name: str) -> None:
    given, message = WARNED[name]
    warnings, errors = of_system(**given)
    assert not errors
    assert any(re.search(message, one) for one in warnings), warnings
    assert all(one.startswith("systems.a: ") for one in warnings)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_mean_anything_is_an_error(name: str) -> None:
    given, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        check_systems(project_from({"systems": {"a": LIQUID | given}}))


USUAL = {
    "1 fs, flexible water": {"species": {"water": 200}},
    "2 fs, bonds to hydrogen fixed": {"constraints": "h-bonds", "sampling": {"timestep_fs": 2}},
    "4 fs, heavy hydrogen": {
        "constraints": "h-bonds",
        "hydrogen_mass_amu": 3,
        "sampling": SLOW | {"timestep_fs": 4},
    },
    "2 fs, rigid water": {"species": {"water": 200}, "rigid_water": True, "sampling": {"timestep_fs": 2}},
    "4 fs, no hydrogen": {
        "species": {"X": {"smiles": "FC(F)(F)F", "count": 150}},
        "sampling": SLOW | {"timestep_fs": 4},
    },
    "2 fs, heavy water": {
        "species": {"X": {"smiles": "[2H]C([2H])([2H])C#N", "count": 150}},
        "sampling": {"timestep_fs": 1.75, "sample_every_ps": 0.35, "production_ps": 3.5},
    },
    "a molten salt": {"species": {"Na+": 150, "Cl-": 150}, "temperatures_kelvin": [1100]},
    "water in salt": {"species": {"Li+": 20, "TFSI-": 20, "water": 53}},
    "salt in an ionic liquid with one water": {
        "species": {"Li+": 20, "TFSI-": 60, "EMIM+": {"smiles": "CC[n+]1ccn(C)c1", "count": 40}, "water": 1}
    },
    "a low temperature": {"temperatures_kelvin": [100, 300]},
}


@pytest.mark.parametrize("name", USUAL)
def test_what_is_usual_passes_without_a_word(name: str) -> None:
    assert of_system(**USUAL[name]) == ([], [])


@pytest.mark.parametrize(("steps", "stable"), [(2.9, False), (4.0, True), (8.0, True)])
def test_verlet_is_unstable_where_the_error_says(steps: float, stable: bool) -> None:
    """A harmonic bond of the period that is given for O-H, in OpenMM."""
    period_fs = fastest_vibration([find_species("t", "water")]).period_fs
    system = openmm.System()
    system.addParticle(1.0)
    force = openmm.CustomExternalForce("0.5*k*x^2")
    force.addGlobalParameter("k", (2 * np.pi / (period_fs / 1000)) ** 2)
    force.addParticle(0, [])
    system.addForce(force)
    integrator = openmm.VerletIntegrator(period_fs / 1000 / steps)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions([[0.01, 0, 0]])
    integrator.step(200)
    largest = abs(context.getState(positions=True).getPositions(asNumpy=True)._value).max()
    assert (largest < 0.1) == stable


def test_ml_driven_dynamics_has_the_limits_of_its_molecules() -> None:
    config = {
        "systems": {"a": LIQUID | {"constraints": "h-bonds", "sampling": {"timestep_fs": 2}}},
        "backbones": {"schnet": {"model": "schnet"}},
        "labels": {"xtb": {"source": "tblite", "system": "a", "temperature_kelvin": 300, "n_frames": 50}},
        "experiments": {
            "e": {
                "labels": "xtb",
                "backbones": ["schnet"],
                "initialisations": ["scratch"],
                "n_train": [20],
                "split": {"n_validation": 5, "n_test": 10},
                "seeds": [0],
                "fine_tuning": {"optimization": {"n_steps": 10}},
                "ml_md": {"duration_ps": 1.2, "sample_every_ps": 0.012, "timestep_fs": 2},
            }
        },
    }
    warnings, errors = check_limits(project_from(config))
    assert not errors
    (warning,) = warnings
    assert warning.startswith("experiments.e.ml_md.timestep_fs: a step of 2 fs has 5.5 steps")
    config["experiments"]["e"]["ml_md"]["timestep_fs"] = 4
    _, errors = check_limits(project_from(config))
    assert "experiments.e.ml_md.timestep_fs: a step of 4 fs has 2.7 steps" in errors[0]
