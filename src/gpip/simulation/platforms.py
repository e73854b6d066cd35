"""Which OpenMM platform computes."""

from typing import NamedTuple

import openmm

from gpip.core.errors import InputError, unknown_name

GPU_FASTEST_FIRST = ("CUDA", "HIP", "OpenCL")
FASTEST_FIRST = (*GPU_FASTEST_FIRST, "CPU", "Reference")


class Hardware(NamedTuple):
    """A platform and its properties, as a Context takes them."""

    platform: openmm.Platform
    properties: dict[str, str]


MOLECULE_ATOMS = 100
"""Up to here a molecule without a box is faster on the Reference platform, whose steps cost next to nothing beside the
CPU platform's synchronisation: 340,000 and 1,800 steps/s for ethanol, 93,000 and 1,900 for aspirin (one thread)."""


def choose_platform(name: str = "auto", n_threads: int = 1, system: openmm.System | None = None) -> Hardware:
    """The platform of that name, or the fastest that works here; always with deterministic forces.

    Args:
        name: of an OpenMM platform; `auto` for the fastest of all, `gpu` for the fastest on a GPU, `cpu` for the
            faster one without, as far as `system` tells.
        n_threads: threads of the CPU platform. Runs repeat bit by bit with one thread only.

    Raises:
        InputError: no platform of that name works on this machine.
    """
    if name == "cpu":
        name = "Reference" if system is not None and _is_molecule(system) else "CPU"
    for candidate in {"auto": FASTEST_FIRST, "gpu": GPU_FASTEST_FIRST}.get(name, (name,)):
        hardware = _prepared(candidate, n_threads)
        if hardware:
            return hardware
    if name == "gpu":
        raise InputError(
            f"a GPU was asked for, but none of OpenMM's platforms {', '.join(GPU_FASTEST_FIRST)} works on this "
            "machine: install the plugin of your card (pip install 'openmm[cuda12]'), or leave out gpu=1"
        )
    working = ["auto", *(candidate for candidate in FASTEST_FIRST if _prepared(candidate, n_threads))]
    raise unknown_name("OpenMM platform on this machine", name, working)


def _is_molecule(system: openmm.System) -> bool:
    return not system.usesPeriodicBoundaryConditions() and system.getNumParticles() <= MOLECULE_ATOMS


def _prepared(name: str, n_threads: int) -> Hardware | None:
    """None when the platform is not installed, or is but finds no device."""
    wanted = {"Threads": str(n_threads), "DeterministicForces": "true", "Precision": "mixed"}
    try:
        platform = openmm.Platform.getPlatformByName(name)
        properties = {key: wanted[key] for key in platform.getPropertyNames() if key in wanted}
        probe = openmm.System()
        probe.addParticle(1.0)
        openmm.Context(probe, openmm.VerletIntegrator(0.001), platform, properties)
    except openmm.OpenMMException:
        return None
    return Hardware(platform, properties)
