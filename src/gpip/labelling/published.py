"""Labels read from existing files: any of the known formats, checked, written as a labels file."""

from pathlib import Path

import numpy as np

from gpip.config.labels import NPZLabels, PublishedLabels
from gpip.core.files import digest
from gpip.core.provenance import provenance
from gpip.datasets.contacts import bonded_molecules
from gpip.labelling import deepmd, npz
from gpip.labelling.checks import write_checked_labels


def published_files(settings: PublishedLabels, path: Path) -> list[Path]:
    """Every file that the labels at `path`, a file or a folder by the format, come from."""
    return [path] if isinstance(settings, NPZLabels) else deepmd.data_files(path)


def count_frames(settings: PublishedLabels, path: Path) -> int:
    """Number of labelled frames at `path`. Raises InputError when they cannot be counted."""
    return npz.count_frames(settings, path) if isinstance(settings, NPZLabels) else deepmd.count_frames(path)


def read_published_labels(
    settings: PublishedLabels, path: str | Path, system: str, output: str | Path, rejected: str | Path
) -> None:
    """Write the frames of existing files as a labels file; those beyond the checks are listed in `rejected`.

    Args:
        settings: format, temperature, time step and limits.
        path: the file or folder.
        system: name of the system in `output`.
        output: dataset file of labels; source_frame counts the frames as they are read.
        rejected: CSV of the frames left out.

    Raises:
        InputError: the files cannot be used, or no frame passes the checks.
    """
    path = Path(path)
    fields = npz.read_npz(settings, path) if isinstance(settings, NPZLabels) else deepmd.read_deepmd(path)
    n_frames = len(fields["positions"])
    fields["temperature"] = np.full(n_frames, settings.temperature_kelvin or np.nan)
    fields["source_frame"] = np.arange(n_frames)
    fields["molecule"] = constant_molecules(fields)
    record = provenance("labels", settings)
    root = path if path.is_dir() else path.parent
    record["inputs"] = {str(file.relative_to(root)): digest(file) for file in published_files(settings, path)}
    write_checked_labels(output, rejected, system, fields, settings.checks, [], record)


def constant_molecules(fields: dict[str, np.ndarray]) -> np.ndarray:
    """Molecule of each atom by covalent bonds, [n_atoms]; -1 for all when bonds change between frames."""
    molecule = None
    for positions, cell in zip(fields["positions"], fields["cell"], strict=True):
        found = bonded_molecules(fields["species"], positions, cell, fields["pbc"])
        if molecule is not None and not np.array_equal(found, molecule):
            print("molecules: bonds form or break between the frames, so none are marked")
            return np.full(len(found), -1)
        molecule = found
    return molecule
