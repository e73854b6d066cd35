"""Molecular dynamics driven by networks, replicas as one batch."""
