"""Pre-trained machine-learned interatomic potentials for molecules and liquid electrolytes."""

from importlib.metadata import version

__version__ = version("gpip")
