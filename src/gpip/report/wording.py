"""What the page says in words: what was run, and what limits its numbers. What it shows is in `comparison`."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from gpip.metrics.paired import FEWEST_PAIRS
from gpip.report.comparison import NUMBERS
from gpip.report.inputs import RunFiles, name_of
from gpip.report.rounding import plus_minus
from gpip.report.tables import read_metrics, run_errors, systems_table

FEW_TEST_FRAMES = 50
SHORT_RUN_PS = 100.0
MANY_SYSTEMS = 4
"""With more, the first page lists systems only in a table and shows no traces of them."""

CAPTIONS = {
    "classical": (
        "Classical runs of {subject}: temperature (dotted: thermostat) and potential energy of the saved frames. "
        "From log.csv of each run."
    ),
    "pretraining_losses": (
        "Pre-training loss of each task against steps: single batches of every seed are faint, the strong line is the "
        "mean over seeds, smoothed over a twentieth of the run. {denoise}From losses.csv."
    ),
    "learning_curves": (
        "{subject}: force error on the validation frames during fine-tuning on {n_train} frames; thin "
        "lines are single seeds, thick lines their mean. From history.csv."
    ),
    "data_efficiency": (
        "{subject}: force error on the test frames against the number of training frames; points are "
        "seeds, lines their mean. From errors.json."
    ),
    "parity": (
        "{subject}: predicted against reference force components of the test frames, first seed, "
        "{n_train} training frames; the dashed line marks perfect agreement. From predictions.h5."
    ),
    "ml_md_traces": (
        "{subject}: temperature, and change of the total energy, of every replica until it became unstable. "
        "The thermostat exchanges energy, so the total is not conserved; a steady rise is a warning. From "
        "traces.csv."
    ),
    "rdf": (
        "{subject}: radial distribution function between molecules, averaged over the stable parts of all replicas, "
        "compared with {reference} (black). For plotting, bins are merged to about 0.06 Å. From rdf.csv."
    ),
    "msd": (
        "{subject}: mean squared displacement of the diffusing element with bands of one standard error, compared with "
        "{reference} (black, if it is a trajectory). Long lag times rest on few time origins. From msd.csv."
    ),
}


def denoise_in_words(project: dict[str, Any]) -> str:
    """What the loss of a network is that predicts no noise, if a recipe denoises."""
    recipes = project.get("pretraining", {}).get("recipes", {})
    tasks = [task for recipe in recipes.values() if (task := (recipe or {}).get("denoise")) is not None]
    if not tasks:
        return ""
    ours = ("sigma", "component")
    if all((task.get("unit", ours[0]), task.get("normalisation", ours[1])) == ours for task in tasks):
        return "A network that predicts no noise has a denoise loss of 1. "
    return "The denoise loss of a network that predicts no noise depends on unit and normalisation: docs/recipes.md. "


def what_was_run(project: dict[str, Any], files: RunFiles) -> list[str]:
    """Two lines; one where there are no experiments."""
    systems = []
    for row in systems_table(files.systems).to_dict("records"):
        temperatures = row["temperatures"].replace(" from", " temperatures from")
        systems.append(f"{row['system']} ({row['contents']}, {row['force_field']}, {temperatures} K)")
    recipes = sorted({run["recipe"] for run in files.pretraining})
    if len(systems) > MANY_SYSTEMS:
        first = f"Classical dynamics of {len(systems)} systems, listed below"
    else:
        first = f"Classical dynamics of {'; '.join(systems)}" if systems else "No classical dynamics"
    if not project.get("experiments") and not files.fine_tuning:
        return [first + "."]
    first += f", pre-training by {', '.join(recipes)}." if recipes else ", no pre-training."
    experiments = []
    for name, experiment in project.get("experiments", {}).items():
        seeds, sizes = experiment["seeds"], ", ".join(map(str, experiment["n_train"]))
        arms = ", ".join(experiment["initialisations"])
        backbones = ", ".join(experiment["backbones"])
        experiments.append(
            f"{name}: {backbones} initialised by {arms}, fine-tuned on {sizes} frames of {experiment['labels']}, "
            f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
        )
        if experiment.get("baselines"):
            experiments[-1] += f", compared with {' and '.join(experiment['baselines'])} of other packages"
    return [first, "; ".join(experiments) + "."]


def caveats(project: dict[str, Any], files: RunFiles) -> list[str]:
    """What limits the numbers of this run, as far as its settings tell."""
    words = []
    for name, experiment in project.get("experiments", {}).items():
        words += _seed_caveats(name, experiment)
        split = experiment.get("split", {})
        if split.get("kind", "random") == "random":
            words.append(
                f"{name}: training and test frames are drawn at random from the same labelled frames. If neighbouring "
                "frames are correlated in time, all test errors are too small."
            )
        if split.get("n_test", FEW_TEST_FRAMES) < FEW_TEST_FRAMES:
            words.append(f"{name}: test errors are means over only {split['n_test']} frames.")
        if experiment.get("baselines"):
            words.append(
                f"{name}: {' and '.join(experiment['baselines'])} are trained by their own packages. An equal number "
                "of steps does not mean equal time: see Cost."
            )
        words += _reference_caveats(name, files)
        words += _ml_md_caveats(name, experiment)
    if any(run.get("pretraining") for run in files.fine_tuning):
        words.append(
            "Arms have the same number of fine-tuning steps, unless they are of equal compute; a pre-trained network "
            "has its pre-training in addition. Cost shows the seconds of both for each arm."
        )
    for name, arm, recipe in _equal_compute(project):
        words.append(
            f"{name}: {arm} trains from scratch for longer, by as many steps as cost what the pre-training by {recipe} "
            "costs. The cost of a step of each kind was measured once, in turn in one process."
        )
    return words


def _equal_compute(project: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Experiment, arm and recipe of every arm of equal compute."""
    for name, experiment in project.get("experiments", {}).items():
        initialisations = experiment.get("initialisations")
        for arm, settings in initialisations.items() if isinstance(initialisations, dict) else ():
            if recipe := (settings or {}).get("equal_compute_to"):
                yield name, arm, recipe


def _seed_caveats(name: str, experiment: dict[str, Any]) -> list[str]:
    n_seeds, words = len(experiment["seeds"]), []
    if n_seeds < FEWEST_PAIRS:
        words.append(
            f"{name}: only {NUMBERS[n_seeds]}. Fewer than three give no confidence interval, so a difference between "
            "arms shows no more than a direction."
        )
    if experiment.get("pretraining_seeds") == "shared" and n_seeds > 1:
        words.append(
            f"{name}: all seeds of an arm start from one pre-training run (pretraining_seeds: shared). The spread "
            "between seeds of pre-trained networks, and intervals derived from it, are therefore understated."
        )
    return words


def _reference_caveats(name: str, files: RunFiles) -> list[str]:
    """One sentence where the training compositions do not determine every reference energy; the first run stands for
    all."""
    run = next((run for run in files.fine_tuning if run["experiment"] == name), None)
    reference = run_errors(run)["transfer"].get("reference_energies") if run else None
    if not reference or reference["n_determined"] == reference["n_elements"]:
        return []
    return [f"{name}, energies of other compositions and of single atoms: {reference['summary']}."]


def _ml_md_caveats(name: str, experiment: dict[str, Any]) -> list[str]:
    ml_md, words = experiment.get("ml_md"), []
    if not ml_md:
        return words
    reference = experiment.get("metrics", {}).get("reference", "labels")
    if isinstance(reference, dict):
        words.append(
            f"{name}: g(r), stability and diffusion are compared with the classical run of "
            f"{reference['system']} at {reference['temperature_kelvin']:g} K. "
            "This is the liquid of the force field, not that of the labels: even a network that reproduces its labels "
            "perfectly differs from it. "
            "The narrow peaks of the bonds alone can exceed the published stability threshold."
        )
    if ml_md["duration_ps"] < SHORT_RUN_PS:
        words.append(
            f"{name}: runs of {ml_md['duration_ps']:g} ps show whether a network becomes unstable early. "
            "They are too short for diffusion and for the published stability, which is measured over 100 to 500 ps."
        )
    return words


def incidents(files: RunFiles, labels: pd.DataFrame | None) -> list[str]:
    """Runs that became unstable and labelled frames that were left out; or that there were none."""
    words = []
    for run in files.ml_md:
        held = read_metrics(run).get("held_time")
        what, _, which = (held["note"] if held else "").partition(": ")
        if what == "became unstable":
            words.append(f"The ML-driven run of {name_of(run)} became unstable: {which}.")
    if files.ml_md and not words:
        words.append("No ML-driven run became unstable.")
    for row in labels.to_dict("records") if labels is not None else ():
        if row["n_rejected"]:
            words.append(f"Labels {row['labels']}: {row['n_rejected']} frames were left out: {row['reasons']}.")
        else:
            words.append(f"Labels {row['labels']}: no frame was rejected.")
    return words


def metric_cell(entry: dict[str, Any] | None) -> dict[str, str]:
    """How one metric of one run is shown: text, words below it where there is no number, and its note."""
    if entry is None:
        return {"text": "–", "words": "not measured", "note": ""}
    value, spread = entry["value"], entry["uncertainty"]
    if value is None:
        return {"text": "–", "words": entry["note"], "note": ""}
    text = plus_minus(value, spread, digits=3)
    if entry.get("censored") == entry["n"]:
        text = f"≥ {text}"
    reason = entry["uncertainty_is"] if spread is None else ""
    return {"text": text, "words": "", "note": "; ".join(part for part in (entry["note"], reason) if part)}
