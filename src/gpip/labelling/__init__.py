"""Reference energies and forces: computed by a quantum-chemistry engine, or read from existing files."""
