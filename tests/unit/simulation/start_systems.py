"""Small systems that dynamics starts from: built and minimised."""

from pathlib import Path

from gpip.config.systems import System
from gpip.simulation.minimisation import minimise_system
from gpip.systems.build import build_system


def built(folder: Path, name: str = "water", seed: int = 1, **settings) -> tuple[Path, Path]:
    """Topology and OpenMM system as packed, of the settings of a System."""
    files = [folder / name for name in ("packed.pdb", "system.xml", "manifest.json")]
    build_system(name, System(**settings).box, seed, *files)
    return files[0], files[1]


def minimised(folder: Path, name: str = "water", seed: int = 1, **settings) -> tuple[Path, Path]:
    """Topology as minimised, and OpenMM system."""
    packed, system = built(folder, name, seed, **settings)
    minimise_system(name, packed, system, folder / "topology.pdb", folder / "minimisation.json", platform="CPU")
    return folder / "topology.pdb", system
