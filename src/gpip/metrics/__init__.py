"""Errors, structure, diffusion and stability from arrays: published forms, and honest ones beside."""
