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


def choose_platform(name: str = "auto", n_threads: int = 1) -> Hardware:
    """The platform of that name, or the fastest that works here; always with deterministic forces.

    Args:
        name: of an OpenMM platform; `auto` for the fastest of all, `gpu` for the fastest on a GPU.
        n_threads: threads of the CPU platform. Runs repeat bit by bit with one thread only.

    Raises:
        InputError: no platform of that name works on this machine.
    """
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
