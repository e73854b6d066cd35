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
from gpip.datasets.writer import dataset_writer


class Rejection(NamedTuple):
    """Why a frame was left out."""

    source_frame: int
    reason: str
    value: float | None = None
    limit: float | None = None
    system: str = ""
    temperature_kelvin: float | None = None


def check_labels(fields: Mapping[str, np.ndarray], checks: Checks, system: str = "") -> list[Rejection]:
    """Each limit that a frame is beyond, in order of frames.

    Args:
        fields: positions, cell, pbc, forces, source_frame by the axes and units of FIELDS; temperature may be there.
        checks: the limits.
        system: that the frames are of.
    """
    found = []
    for index, source_frame in enumerate(fields["source_frame"]):
        origin = {"system": system, "temperature_kelvin": _temperature(fields, index)}
        forces = np.asarray(fields["forces"][index], dtype=np.float64)
        measured = [
            ("net force, eV/Å", np.linalg.norm(forces.sum(axis=0)), checks.max_net_force_ev_per_angstrom),
            ("largest force, eV/Å", np.linalg.norm(forces, axis=1).max(), checks.max_force_ev_per_angstrom),
        ]
        found += [
            Rejection(int(source_frame), reason, float(value), limit, **origin)
            for reason, value, limit in measured
            if not value <= limit
        ]
        contact = closest_contact(fields["positions"][index], fields["cell"][index], fields["pbc"])
        if contact < checks.min_distance_angstrom:
            limit = checks.min_distance_angstrom
            found.append(Rejection(int(source_frame), "closest contact, Å", contact, limit, **origin))
    return found


def _temperature(fields: Mapping[str, np.ndarray], index: int) -> float | None:
    temperature = float(fields["temperature"][index]) if "temperature" in fields else np.nan
    return None if np.isnan(temperature) else temperature


def write_checked_labels(
    output: str | Path,
    rejected: str | Path,
    systems: Iterable[tuple[str, Mapping[str, np.ndarray]]],
    checks: Checks,
    failed: Sequence[Rejection],
    provenance: Mapping[str, Any],
) -> None:
    """Check labelled frames, write the good ones to `output` and all others with their reasons to `rejected`.

    Args:
        output: dataset file of labels.
        rejected: CSV with the columns of Rejection; a frame with two reasons has two rows.
        systems: name and fields of each system in turn, by the axes and units of FIELDS, source_frame among them.
        checks: the limits.
        failed: frames that the engine could not label; they are not in `systems`.
        provenance: goes into `output`.

    Raises:
        InputError: no frame is left; `rejected` is written all the same.
    """
    rows, n_all, n_kept = list(failed), len(failed), 0
    with dataset_writer(output, provenance) as writer:
        for name, fields in systems:
            refused = check_labels(fields, checks, name)
            of_system = [*refused, *(one for one in failed if one.system == name)]
            rows = [one for one in rows if one.system != name]
            rows += sorted(of_system, key=lambda one: (one.temperature_kelvin or 0.0, one.source_frame))
            frames = _frames(fields)
            out = {(one.temperature_kelvin, one.source_frame) for one in refused}
            keep = np.array([frame not in out for frame in frames], dtype=bool)
            n_all, n_kept = n_all + len(frames), n_kept + int(keep.sum())
            if keep.any():
                kept = {
                    field: values[keep] if FIELDS[field].axes[0] == "n_frames" else values
                    for field, values in fields.items()
                }
                writer.append(name, **kept)
        write_rejected(rejected, rows)
        print(f"labels: {n_kept} of {n_all} frames kept; {n_all - n_kept} left out, listed in {rejected}")
        reasons = Counter(one.reason for one in rows).most_common()
        for reason, count in reasons:
            print(f"  {count} frames: {reason}")
        if not n_kept:
            raise InputError(
                f"{output}: none of {n_all} labelled frames passed; "
                + "; ".join(f"{count} frames: {reason}" for reason, count in reasons[:3])
                + f" ({rejected}): look at the first of them, then at the limits under checks"
            )


def _frames(fields: Mapping[str, np.ndarray]) -> list[tuple[float | None, int]]:
    """Temperature and source_frame of each frame: what tells the frames of a system apart."""
    return [(_temperature(fields, index), int(frame)) for index, frame in enumerate(fields["source_frame"])]


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
                row["system"],
                float(row["temperature_kelvin"]) if row["temperature_kelvin"] else None,
            )
            for row in csv.DictReader(file)
        ]
