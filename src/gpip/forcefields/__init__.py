"""Molecules to force-field terms and OpenMM systems.

Lengths are nm, energies kJ/mol, angles rad and charges e in this package and in its tables: OpenMM's units.
"""
