"""Pre-trained networks beside the same from scratch: which pairs there are, what they show, and in which words."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from gpip.metrics.paired import PairedRatio, paired_ratio
from gpip.report.inputs import Run, group_by, run_errors
from gpip.report.rounding import mean_and_spread, no_number, rounded

SCRATCH = "scratch"
COMPARED = ("force_mae_mev_per_angstrom", "energy_mae_mev_per_atom")
FORCES = COMPARED[0]
NUMBERS = {1: "one seed", 2: "two seeds"}


@dataclass(frozen=True)
class Comparison:
    """One pre-trained arm against one from scratch: same network, training frames and metric."""

    experiment: str
    backbone: str
    n_train: int
    arm: str
    baseline: str
    metric: str
    ours: dict[int, float]
    """Test error by seed."""
    theirs: dict[int, float]
    shared_pretraining: bool
    """Whether all seeds start from one pre-training run."""

    @property
    def seeds(self) -> list[int]:
        """In common."""
        return [seed for seed in self.ours if seed in self.theirs]

    @property
    def ratio(self) -> PairedRatio | None:
        """None where no seed is in common or an error is zero."""
        pairs = [(self.ours[seed], self.theirs[seed]) for seed in self.seeds]
        if not pairs or min(map(min, pairs)) <= 0:
            return None
        return paired_ratio(*zip(*pairs, strict=True))


def comparisons(runs: list[Run], project: dict[str, Any]) -> list[Comparison]:
    """Every pre-trained arm against every arm from scratch that it can be compared with."""
    found = []
    for (experiment, backbone, n_train), group in group_by(runs, "experiment", "backbone", "n_train").items():
        arms = {arm: members for (arm,), members in group_by(group, "arm").items()}
        settings = project.get("experiments", {}).get(experiment, {})
        shared = settings.get("pretraining_seeds") == "shared"
        for arm in arms:
            for baseline in baselines_of(arm, list(arms), settings.get("initialisations")):
                for metric in COMPARED:
                    ours, theirs = (
                        {run["seed"]: run_errors(run)["test"][metric] for run in arms[name]} for name in (arm, baseline)
                    )
                    found.append(Comparison(experiment, backbone, n_train, arm, baseline, metric, ours, theirs, shared))
    return found


def baselines_of(arm: str, arms: list[str], initialisations: Any) -> list[str]:
    """Arms from scratch that a pre-trained arm is measured against; none for an arm from scratch.

    `initialisations` as in config.yaml; without it the arm called "scratch" is the baseline.
    """
    if not isinstance(initialisations, dict):
        return [SCRATCH] if arm != SCRATCH and SCRATCH in arms else []
    recipe = (initialisations.get(arm) or {}).get("recipe")
    if not recipe:
        return []
    others = {name: initialisations.get(name) or {} for name in arms}
    return [
        name
        for name, other in others.items()
        if not other.get("recipe") and other.get("equal_compute_to") in (None, recipe)
    ]


def gain_table(found: list[Comparison]) -> pd.DataFrame:
    """Means over seeds of both, and the ratio of each two runs of one seed with the interval of its mean."""
    rows = []
    for one in found:
        row: dict[str, Any] = {
            "experiment": one.experiment,
            "backbone": one.backbone,
            "n_train": one.n_train,
            "initialisation": one.arm,
            "baseline": one.baseline,
            "metric": f"test_{one.metric}",
        }
        for name, values in (("baseline", one.theirs), ("pretrained", one.ours)):
            mean, spread = mean_and_spread(list(values.values()))
            row[f"{name}_mean"] = rounded(mean, spread)
            row[f"{name}_std"] = no_number("one seed") if spread is None else rounded(spread, spread)
        rows.append(row | _ratio_cells(one))
    return pd.DataFrame(rows)


def _ratio_cells(one: Comparison) -> dict[str, Any]:
    ratio, names = one.ratio, ("ratio", "ratio_low", "ratio_high", "verdict", "ratios")
    counts = {"n_seed_pairs": len(one.seeds), "n_improving": 0}
    if ratio is None:
        return dict.fromkeys(names, no_number("no seed in common" if not one.seeds else "an error is zero")) | counts
    low, high = _texts(ratio)[1:] if ratio.interval else [no_number(f"{NUMBERS[len(ratio.ratios)]}: no interval")] * 2
    cells = [_texts(ratio)[0], low, high, ratio.verdict, " ".join(f"{one:.3f}" for one in ratio.ratios)]
    counts["n_improving"] = sum(value < 1 for value in ratio.ratios)
    return dict(zip(names, cells, strict=True)) | counts


def _decimals(ratio: PairedRatio) -> int:
    """Of a ratio and its interval: two digits of half its width, and more where an end would read as 1 and is not."""
    if ratio.interval is None:
        return 2
    low, high = ratio.interval
    decimals = max(2, len(rounded(ratio.mean, (high - low) / 2).partition(".")[2]))
    while decimals < 6 and any(round(end, decimals) == 1 != end for end in ratio.interval):
        decimals += 1
    return decimals


def _texts(ratio: PairedRatio) -> list[str]:
    """Mean and, where there is one, the ends of the interval."""
    decimals = _decimals(ratio)
    return [f"{value:.{decimals}f}" for value in (ratio.mean, *(ratio.interval or ()))]


def findings(found: list[Comparison]) -> list[str]:
    """One sentence for each comparison of forces: does pre-training help, and how surely."""
    return [sentence(one) for one in found if one.metric == FORCES]


def sentence(one: Comparison) -> str:
    """What a comparison shows, in words."""
    where = f"{one.experiment}, {one.backbone}, {one.n_train} training frames"
    ratio = one.ratio
    if ratio is None:
        reason = "have no seed in common" if not one.seeds else "cannot be compared as a ratio: an error is zero"
        return f"{where}: {one.arm} and {one.baseline} {reason}."
    n_pairs = len(ratio.ratios)
    if ratio.interval is None:
        each = f" ({' and '.join(f'{value:.2f}' for value in ratio.ratios)})" if n_pairs > 1 else ""
        limit = f"{NUMBERS[n_pairs]} {'show' if n_pairs > 1 else 'shows'} no more than a direction"
        limit += "" if ratio.agree or n_pairs == 1 else ", and these two disagree about it"
        return (
            f"{where}: the test force error of {one.arm} is {ratio.mean:.2f} times that of {one.baseline}{each}; "
            f"{limit}."
        )
    basis = f"{n_pairs} seeds" + (", one pre-training run for all of them" if one.shared_pretraining else "")
    mean, low, high = _texts(ratio)
    if ratio.verdict == "no difference shown":
        return (
            f"{where}: no difference shown between {one.arm} and {one.baseline}; the ratio of test force errors is "
            f"{mean}, 95 % interval {low} to {high} ({basis})."
        )
    verb = "lowers" if ratio.verdict == "lower" else "raises"
    digits = _decimals(ratio) - 2
    change, *ends = (f"{100 * abs(1 - value):.{digits}f}" for value in (ratio.mean, *ratio.interval))
    small, large = sorted(ends, key=float)
    return (
        f"{where}: {one.arm} {verb} the test force error by {change} % against {one.baseline}, "
        f"95 % interval {small} to {large} % ({basis})."
    )
