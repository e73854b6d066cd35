"""Molecules to boxes to serialised OpenMM systems."""
