"""Labels read from existing files: any of the known formats, checked, written as a labels file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gpip.config.labels import FileLabels
from gpip.core.files import digest
from gpip.core.provenance import provenance
from gpip.datasets.contacts import bonded_molecules
from gpip.labelling.checks import write_checked_labels
from gpip.labelling.readers.base import Fields
from gpip.labelling.registry import make_reader


def read_labels(settings: FileLabels, path: str | Path, name: str, output: str | Path, rejected: str | Path) -> None:
    """Write the frames of existing files as a labels file; those beyond the checks are listed in `rejected`.

    Args:
        settings: format, temperature, time step and limits.
        path: the file or folder.
        name: of the labels; the name of the system in `output` where the files hold just one.
        output: dataset file of labels; source_frame counts the frames as they are read.
        rejected: CSV of the frames left out.

    Raises:
        InputError: the files cannot be used, or no frame passes the checks.
    """
    reader = make_reader(settings, path)
    record = provenance("labels", settings)
    root = reader.path if reader.path.is_dir() else reader.path.parent
    record["inputs"] = {str(file.relative_to(root)): digest(file) for file in reader.files()}
    systems = _completed(reader.read(name), settings)
    write_checked_labels(output, rejected, systems, settings.checks, [], record)


def _completed(systems: Iterator[tuple[str, Fields]], settings: FileLabels) -> Iterator[tuple[str, Fields]]:
    n_before = 0
    for name, fields in systems:
        n_frames = len(fields["positions"])
        added = {
            "temperature": np.full(n_frames, settings.temperature_kelvin or np.nan),
            "source_frame": np.arange(n_before, n_before + n_frames),
        }
        fields = added | fields
        if "molecule" not in fields:
            fields["molecule"] = constant_molecules(fields)
        n_before += n_frames
        yield name, fields


def constant_molecules(fields: Fields) -> np.ndarray:
    """Molecule of each atom by covalent bonds, [n_atoms]; -1 for all when bonds change between frames."""
    molecule = None
    for positions, cell in zip(fields["positions"], fields["cell"], strict=True):
        found = bonded_molecules(fields["species"], positions, cell, fields["pbc"])
        if molecule is not None and not np.array_equal(found, molecule):
            print("molecules: bonds form or break between the frames, so none are marked")
            return np.full(len(found), -1)
        molecule = found
    return molecule
