"""What the page says in words: what was run, what it shows, and how far to trust it."""

from typing import Any

import pandas as pd

from gpip.report.inputs import RunFiles, name_of
from gpip.report.rounding import plus_minus
from gpip.report.tables import read_metrics, run_errors, systems_table

FEW_SEEDS = 3
FEW_TEST_FRAMES = 50
SHORT_RUN_PS = 100.0
MANY_SYSTEMS = 4
"""With more, the first page names systems in a table alone, and shows no traces of them."""

CAPTIONS = {
    "classical": (
        "Classical runs of {subject}: temperature (dotted: thermostat) and potential energy of the frames "
        "kept. From log.csv of each run."
    ),
    "pretraining_losses": (
        "Pre-training loss of each task against steps: single batches faint, running mean over a "
        "twentieth of the run strong. For denoise, 1 is the loss of predicting nothing. From losses.csv."
    ),
    "learning_curves": (
        "{subject}: force error on the validation frames during fine-tuning on {n_train} frames; thin "
        "lines are single seeds, strong lines their mean. From history.csv."
    ),
    "data_efficiency": (
        "{subject}: force error on the test frames against the number of training frames; points are "
        "seeds, lines their mean. From errors.json."
    ),
    "parity": (
        "{subject}: predicted against reference force components of the test frames, first seed, "
        "{n_train} training frames; the dashed line is perfect. From predictions.h5."
    ),
    "ml_md_traces": (
        "{subject}: temperature, and change of the total energy, of every replica until it came apart. "
        "The thermostat exchanges energy, so the total is not conserved; a steady rise is a warning. From "
        "traces.csv."
    ),
    "rdf": (
        "{subject}: radial distribution between molecules, all replicas over their stable parts, against "
        "{reference} (black). Bins are joined to about 0.06 Å for the eye. From rdf.csv."
    ),
    "msd": (
        "{subject}: mean squared displacement of the diffusing element, bands one standard error, against "
        "{reference} (black, where it is a trajectory). Long lags rest on few time origins. From msd.csv."
    ),
}


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
            f"{name}: {backbones} from {arms}, fine-tuned on {sizes} frames of {experiment['labels']}, "
            f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
        )
        if experiment.get("baselines"):
            experiments[-1] += f", beside {' and '.join(experiment['baselines'])} of other packages"
    return [first, "; ".join(experiments) + "."]


def findings(gain: pd.DataFrame) -> list[str]:
    """One sentence for each pre-trained arm at its largest training set: does it help, and how surely."""
    sentences = []
    forces = gain[gain["metric"] == "test_force_mae_mev_per_angstrom"]
    largest = forces.groupby("experiment")["n_train"].transform("max")
    for row in forces[forces["n_train"] == largest].to_dict("records"):
        if not row["n_seed_pairs"]:
            sentences.append(
                f"{row['experiment']}, {row['backbone']}: {row['initialisation']} and {row['baseline']} share no seed."
            )
            continue
        ratio = float(row["ratio_mean"])
        verb = "lowers" if ratio < 1 else "raises"
        spread = "" if row["ratio_std"].startswith("–") else f" ± {row['ratio_std']}"
        sentences.append(
            f"{row['experiment']}, {row['backbone']}: {row['initialisation']} {verb} the test force error by "
            f"{abs(1 - ratio) * 100:.0f} % against {row['baseline']} ({row['n_train']} frames, "
            f"ratio {row['ratio_mean']}{spread}, "
            f"better in {row['n_improving']} of {row['n_seed_pairs']} seed pairs)."
        )
    return sentences


def caveats(project: dict[str, Any], files: RunFiles) -> list[str]:
    """What limits the numbers of this run, as far as its settings tell."""
    words = []
    for name, experiment in project.get("experiments", {}).items():
        n_seeds = len(experiment["seeds"])
        if n_seeds < FEW_SEEDS:
            words.append(
                f"{name}: {n_seeds} seed{'s' if n_seeds > 1 else ''} only; the spread is a rough guess, "
                "and a ratio within it of 1 shows nothing."
            )
        split = experiment.get("split", {})
        if split.get("kind", "random") == "random":
            words.append(
                f"{name}: training and test frames are drawn at random from the same labelled frames; "
                "where these are close in time, test errors flatter every network alike."
            )
        if split.get("n_test", FEW_TEST_FRAMES) < FEW_TEST_FRAMES:
            words.append(f"{name}: test errors rest on {split['n_test']} frames.")
        if experiment.get("baselines"):
            words.append(
                f"{name}: {' and '.join(experiment['baselines'])} are trained by their own packages. Equal steps are "
                "not equal time: see Cost."
            )
        words += _reference_caveats(name, files)
        words += _ml_md_caveats(name, experiment)
    if any(run["arm"] != "scratch" for run in files.fine_tuning):
        words.append(
            "Arms share the number of fine-tuning steps; a pre-trained one has its pre-training on top. "
            "Only an arm with equal_compute_to counts that in."
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
            f"{name}: the reference of g(r), stability and diffusion is the classical run of "
            f"{reference['system']} at {reference['temperature_kelvin']:g} K. "
            "That is the force field's liquid, not the one of the labels: "
            "a network that follows its labels perfectly still differs from it. "
            "The bonds' narrow peaks alone can exceed the published stability threshold."
        )
    if ml_md["duration_ps"] < SHORT_RUN_PS:
        words.append(
            f"{name}: runs of {ml_md['duration_ps']:g} ps tell whether a network falls apart early. "
            "They are too short for diffusion and for the 100 to 500 ps of the published stability."
        )
    return words


def incidents(files: RunFiles, labels: pd.DataFrame | None) -> list[str]:
    """Runs that came apart and labelled frames that were left out; or that there were none."""
    words = []
    for run in files.ml_md:
        held = read_metrics(run).get("held_time")
        if held and held["note"].startswith("came apart"):
            words.append(f"ML-driven run of {name_of(run)} {held['note']}.")
    if files.ml_md and not words:
        words.append("No ML-driven run came apart.")
    for row in labels.to_dict("records") if labels is not None else ():
        if row["n_rejected"]:
            words.append(f"Labels {row['labels']}: {row['n_rejected']} frames left out: {row['reasons']}.")
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
