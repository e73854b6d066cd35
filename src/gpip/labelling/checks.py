"""Labelled frames that cannot be trusted: found, listed and left out."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gpip.config.labels import Checks
from gpip.core.errors import InputError
from gpip.core.fields import FIELDS
from gpip.core.files import replacing
from gpip.datasets.contacts import closest_contact
from gpip.datasets.writer import write_dataset


class Rejection(NamedTuple):
    """Why a frame was left out."""

    source_frame: int
    reason: str
    value: float | None = None
    limit: float | None = None


def check_labels(fields: Mapping[str, np.ndarray], checks: Checks) -> list[Rejection]:
    """Each limit that a frame is beyond, in order of frames.

    Args:
        fields: positions, cell, pbc, forces, source_frame by the axes and units of FIELDS.
        checks: the limits.
    """
    found = []
    for index, source_frame in enumerate(fields["source_frame"]):
        forces = np.asarray(fields["forces"][index], dtype=np.float64)
        measured = [
            ("net force, eV/Å", np.linalg.norm(forces.sum(axis=0)), checks.max_net_force_ev_per_angstrom),
            ("largest force, eV/Å", np.linalg.norm(forces, axis=1).max(), checks.max_force_ev_per_angstrom),
        ]
        found += [
            Rejection(int(source_frame), reason, float(value), limit)
            for reason, value, limit in measured
            if not value <= limit
        ]
        contact = closest_contact(fields["positions"][index], fields["cell"][index], fields["pbc"])
        if contact < checks.min_distance_angstrom:
            limit = checks.min_distance_angstrom
            found.append(Rejection(int(source_frame), "closest contact, Å", contact, limit))
    return found


def write_checked_labels(
    output: str | Path,
    rejected: str | Path,
    system: str,
    fields: Mapping[str, np.ndarray],
    checks: Checks,
    failed: Sequence[Rejection],
    provenance: Mapping[str, Any],
) -> None:
    """Check labelled frames, write the good ones to `output` and all others with their reasons to `rejected`.

    Args:
        output: dataset file of labels.
        rejected: CSV with the columns of Rejection; a frame with two reasons has two rows.
        system: name of the system in `output`.
        fields: arrays by the axes and units of FIELDS, source_frame among them.
        checks: the limits.
        failed: frames that the engine could not label; they are not in `fields`.
        provenance: goes into `output`.

    Raises:
        InputError: no frame is left; `rejected` is written all the same.
    """
    refused = check_labels(fields, checks)
    n_all = len(fields["source_frame"]) + len({one.source_frame for one in failed})
    rows = sorted([*failed, *refused], key=lambda one: one.source_frame)
    write_rejected(rejected, rows)
    keep = ~np.isin(fields["source_frame"], [one.source_frame for one in refused])
    print(f"labels: {keep.sum()} of {n_all} frames kept; {n_all - keep.sum()} left out, listed in {rejected}")
    for reason, count in Counter(one.reason for one in rows).most_common():
        print(f"  {count} frames: {reason}")
    if not keep.any():
        raise InputError(
            f"{output}: none of {n_all} labelled frames passed; reasons are in {rejected}: "
            "look at the first of them, then at the limits under checks"
        )
    kept = {name: values[keep] if FIELDS[name].axes[0] == "n_frames" else values for name, values in fields.items()}
    write_dataset(output, {system: kept}, provenance)


def write_rejected(path: str | Path, rejections: Iterable[Rejection]) -> None:
    """Write the list as CSV."""
    with replacing(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Rejection._fields)
        writer.writerows(rejections)


def read_rejected(path: str | Path) -> list[Rejection]:
    """Read what write_rejected wrote."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            Rejection(
                int(row["source_frame"]),
                row["reason"],
                *(float(row[key]) if row[key] else None for key in ("value", "limit")),
            )
            for row in csv.DictReader(file)
        ]
