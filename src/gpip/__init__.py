"""Pre-trained machine-learned interatomic potentials for molecules and liquid electrolytes."""

__version__ = "0.1.0"
