"""Stability and radial distribution functions of an ML-driven run in a periodic box."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpip.core.errors import InputError
from gpip.metrics.entries import STANDARD_ERROR, Entry, absent, entry, over_replicas
from gpip.metrics.files import MLMDRun
from gpip.metrics.molecules import find_molecules
from gpip.metrics.rdf import PairCounts, count_pairs, jackknife, rdf_error_integral, rdf_error_mean, total
from gpip.metrics.reference import N_BLOCKS, Reference, reference_counts
from gpip.metrics.stability import Stability, bulk_stability

CHUNKS_PER_WINDOW = 10
KINDS = ("all", "intermolecular")


@dataclass(frozen=True)
class Structure:
    """Histograms of every replica and of the reference, and how long each replica was stable."""

    counts: list[PairCounts | None]
    """One per replica, of the frames before it became unstable; None where there is no such frame."""
    reference: PairCounts
    frames_per_chunk: int
    published: list[Stability]
    intermolecular: list[Stability]

    def stable(self, published: bool) -> dict[int, PairCounts]:
        """Counts of the stable part of each replica that has one."""
        parts = {}
        for replica, counts in enumerate(self.counts):
            n_stable = (self.published if published else self.intermolecular)[replica].n_stable
            if counts is not None and n_stable:
                parts[replica] = counts.select(slice(0, n_stable))
        return parts

    def n_stable_frames(self, replica: int, published: bool) -> int:
        return (self.published if published else self.intermolecular)[replica].n_stable * self.frames_per_chunk


def measure_structure(run: MLMDRun, reference: Reference, settings: Any) -> Structure:
    """Count pair distances of all replicas and find until when each was stable."""
    of_reference = reference_counts(reference, settings.rdf_max_angstrom, settings.rdf_bins)
    window_frames = settings.stability_window_ps / run.step_ps
    frames_per_chunk = max(1, min(round(window_frames / CHUNKS_PER_WINDOW), len(run.time_fs) // CHUNKS_PER_WINDOW))
    counts, stability = [], {kind: [] for kind in KINDS}
    for replica in range(run.n_replicas):
        positions = run.positions(replica)
        stop_reason = run.unstable_reason[replica] or "became unstable"
        stop_reason = stop_reason if np.isfinite(run.unstable_from_fs[replica]) else ""
        if not len(positions):
            counts.append(None)
            for kind in KINDS:
                stability[kind].append(Stability(run.held_ps(replica), False, stop_reason, 0))
            continue
        molecule = find_molecules(run.species, positions[0].astype(float), run.cell[replica])
        of_replica = count_pairs(
            run.species,
            positions,
            run.cell[replica],
            settings.rdf_max_angstrom,
            settings.rdf_bins,
            molecule,
            frames_per_chunk,
        )
        if of_replica.pairs != of_reference.pairs:
            raise InputError(
                f"{run.path}: element pairs {', '.join(of_replica.pairs)}, but the reference "
                f"({reference.description}) has {', '.join(of_reference.pairs)}: "
                "choose another metrics.reference"
            )
        counts.append(of_replica)
        for kind in KINDS:
            stability[kind].append(
                bulk_stability(
                    of_replica,
                    of_reference.g(kind),
                    frames_per_chunk * run.step_ps,
                    run.held_ps(replica),
                    stop_reason,
                    settings.stability_window_ps,
                    settings.stability_threshold_angstrom,
                    kind,
                )
            )
    return Structure(counts, of_reference, frames_per_chunk, stability["all"], stability["intermolecular"])


def stability_entry(stability: list[Stability]) -> Entry:
    """Mean time over replicas; the note says how many were stable to the end and what happened to the others."""
    n_censored = sum(one.censored for one in stability)
    words = [f"{n_censored} of {len(stability)} replicas were stable to the end"]
    if n_censored:
        words[0] += ", so that the true time is longer"
    words += [f"replica {index}: {one.reason}" for index, one in enumerate(stability) if not one.censored]
    result = over_replicas([one.time_ps for one in stability], "ps", "; ".join(words))
    return result | {"censored": n_censored}


def published_rdf_entries(structure: Structure) -> dict[str, Entry]:
    """RDF errors as Fu et al. (2023): each replica over its stable part, intramolecular peaks included."""
    parts, note = structure.stable(published=True), ""
    left_out = [index for index in range(len(structure.counts)) if index not in parts]
    if not parts:
        parts = {index: counts for index, counts in enumerate(structure.counts) if counts is not None}
        note = "no stable part by the published criterion: over the time before the dynamics became unstable"
    elif left_out:
        note = f"without replicas {left_out}, which have no stable part"
    names = [f"rdf_error_published_{form}_" for form in ("mean", "integral")]
    if not parts:
        reason = "every replica became unstable before its first frame"
        units = dict(zip(names, ("1", "Å"), strict=True))
        return {name + pair: absent(units[name], reason) for name in names for pair in structure.reference.pairs}
    g_reference = structure.reference.g("all")
    g = np.stack([counts.g("all") for counts in parts.values()])
    means = rdf_error_mean(g, g_reference)
    integrals = rdf_error_integral(g, g_reference, structure.reference.edges[-1])
    return {
        f"rdf_error_published_{form}_{pair}": over_replicas(values[:, index], unit, note)
        for form, values, unit in (("mean", means, "1"), ("integral", integrals, "Å"))
        for index, pair in enumerate(structure.reference.pairs)
    }


def intermolecular_rdf_entries(structure: Structure) -> dict[str, Entry]:
    """RDF errors between molecules, all replicas pooled, and what noise alone would give."""
    pairs, kind = structure.reference.pairs, "intermolecular"
    names = [f"rdf_error_intermolecular_mean_{pair}" for pair in pairs]
    noise_names = [f"rdf_error_intermolecular_noise_{pair}" for pair in pairs]
    blocks, blocks_of_reference = run_blocks(structure), structure.reference.blocks(N_BLOCKS)
    if not blocks:
        return {name: absent("1", "no replica has a stable part") for name in [*names, *noise_names]}
    g, g_reference = total(*blocks).g(kind), structure.reference.g(kind)
    values = rdf_error_mean(g, g_reference)
    n = len(blocks)
    if n == 1:
        reason = "one block of frames has no spread"
        results = {name: entry(value, None, "1", 1, reason) for name, value in zip(names, values, strict=True)}
        return results | {name: absent("1", reason) for name in noise_names}
    errors = jackknife(blocks, lambda part: rdf_error_mean(part.g(kind), g_reference))
    noise = jackknife(blocks, lambda part: part.g(kind))
    note = ""
    if len(blocks_of_reference) > 1:
        of_reference = jackknife(blocks_of_reference, lambda part: rdf_error_mean(g, part.g(kind)))
        errors = np.hypot(errors, of_reference)
        noise = np.hypot(noise, jackknife(blocks_of_reference, lambda part: part.g(kind)))
        note = "uncertainty of the reference included"
    floor = np.sqrt(2 / np.pi) * noise.mean(axis=-1)
    results = {}
    for index in range(len(pairs)):
        results[names[index]] = entry(values[index], errors[index], "1", n, STANDARD_ERROR, note)
        results[noise_names[index]] = entry(
            floor[index], None, "1", n, "an estimate", "expected of two samples of the same liquid, this long"
        )
    return results


def run_blocks(structure: Structure) -> list[PairCounts]:
    """Blocks in time of the stable parts of all replicas."""
    return [block for counts in structure.stable(published=False).values() for block in counts.blocks(N_BLOCKS)]


def rdf_rows(structure: Structure) -> list[tuple]:
    """Rows of rdf.csv: g(r) of all replicas pooled over their stable parts, with its standard error."""
    blocks = run_blocks(structure)
    rows = []
    for kind in KINDS if blocks else ():
        g, g_reference = total(*blocks).g(kind), structure.reference.g(kind)
        error = jackknife(blocks, lambda part: part.g(kind)) if len(blocks) > 1 else None  # noqa: B023
        for index, pair in enumerate(structure.reference.pairs):
            for at, radius in enumerate(structure.reference.radii):
                spread = "none" if error is None else f"{error[index, at]:.6g}"
                values = f"{g[index, at]:.6g}", spread, f"{g_reference[index, at]:.6g}"
                rows.append((f"{radius:.6g}", pair, kind, *values))
    return rows
