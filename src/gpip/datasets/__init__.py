"""Data sets of configurations: one HDF5 layout, its writers and reader, splits, export and a summary."""
