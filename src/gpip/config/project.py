"""The whole of config.yaml: settings of all stages, checked against each other."""

import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from gpip.config.backbones import Backbone
from gpip.config.base import Name, Strict, number_with_unit
from gpip.config.baselines import Baseline
from gpip.config.experiments import Experiment
from gpip.config.files import read_config
from gpip.config.label_sources import Labels
from gpip.config.labels import BackboneDescriptor, ComputedLabels
from gpip.config.layers import resolved
from gpip.config.pretraining import Pretraining
from gpip.config.systems import System
from gpip.core.errors import InputError, unknown_name

DATA_DIR_VARIABLE = "GPIP_DATA"


class Project(Strict):
    """Everything that config.yaml says."""

    seed: int = 2026
    """Root of every seed: the same number gives the same run."""
    data_dir: str | None = None
    """Folder of existing labelled data; the environment variable GPIP_DATA when null."""
    scale: str | None = None
    """Which of `scales` is laid over the rest of the file; null: none. `--config scale=minutes` sets it for a run."""
    scales: dict[Name, dict[str, Any]] = {}
    """Named variants: each a part of a configuration whose keys replace those of the file. Null takes a key out."""
    system_defaults: dict[str, Any] = {}
    """Settings of every system that does not give its own."""
    systems: dict[Name, System] = {}
    pretraining: Pretraining = Pretraining()
    backbones: dict[Name, Backbone] = {}
    labels: dict[Name, Labels] = {}
    baselines: dict[Name, Baseline] = {}
    experiments: dict[Name, Experiment] = {}

    @model_validator(mode="before")
    @classmethod
    def _layers(cls, raw: Any) -> Any:
        return resolved(raw) if isinstance(raw, dict) else raw

    @property
    def sets(self) -> dict[str, list[str]]:
        """Data sets by name, with their systems: those of `pretraining.sets`, and each other system on its own."""
        named = {member for members in self.pretraining.sets.values() for member in members}
        alone = [name for name in self.systems if name not in named | set(self.pretraining.sets)]
        return self.pretraining.sets | {name: [name] for name in alone}

    @model_validator(mode="after")
    def _names_and_sizes(self) -> "Project":
        for name, members in self.pretraining.sets.items():
            for member in members:
                _known(f"pretraining.sets.{name}", member, self.systems)
        for name, recipe in self.pretraining.recipes.items():
            self._check_learning_rates(f"pretraining.recipes.{name}.optimization", recipe.optimization)
        for name, labels in self.labels.items():
            if isinstance(labels, ComputedLabels):
                self._check_selection(f"labels.{name}", labels)
        for name in self.baselines:
            if name in self.backbones:
                raise ValueError(f"baselines.{name}: a backbone has this name, and tables show both: take another")
        for name, experiment in self.experiments.items():
            self._check_experiment(f"experiments.{name}", experiment)
        return self

    def _check_classical_run(self, where: str, system: str, temperature_kelvin: float) -> None:
        _known(f"{where}.system", system, self.systems)
        sampled = self.systems[system].temperatures_kelvin
        if temperature_kelvin not in sampled:
            raise ValueError(
                f"{where}.temperature_kelvin: {temperature_kelvin:g} K is not sampled by system {system!r}; "
                f"its temperatures_kelvin are {sampled}"
            )

    def _check_selection(self, where: str, labels: ComputedLabels) -> None:
        selection = labels.selected
        at = where if labels.selection is None else f"{where}.selection"
        for source in selection.sources:
            _known(f"{at}.{'system' if labels.selection is None else 'from'}", source.system, self.systems)
            for temperature_kelvin in source.temperatures_kelvin or ():
                self._check_classical_run(at, source.system, temperature_kelvin)
        runs = self.selected_runs(labels)
        lengths = [self.systems[system].sampling.n_frames for system, _ in runs]
        share = -(-selection.n_frames // len(runs)) if selection.method == "even" else 0
        if selection.n_frames > sum(lengths) or share > min(lengths):
            kept = ", ".join(f"{n} ({s} at {t:g} K)" for (s, t), n in zip(runs, lengths, strict=True))
            equal = f", {share} from each run," if share and len(runs) > 1 else ""
            raise ValueError(
                f"{at}.n_frames: {selection.n_frames} wanted{equal} but the classical runs keep {kept}: lengthen "
                "production_ps or ask for fewer"
            )
        if selection.method == "even" and selection.n_frames < len(runs):
            raise ValueError(
                f"{at}.n_frames: {selection.n_frames} frames are fewer than the {len(runs)} runs that they are "
                "selected from: ask for more, or for fewer temperatures"
            )
        if isinstance(selection.descriptor, BackboneDescriptor):
            descriptor = selection.descriptor
            _known(f"{at}.descriptor.pretraining_set", descriptor.pretraining_set, self.sets)
            _known(f"{at}.descriptor.backbone", descriptor.backbone, self.backbones)
            _known(f"{at}.descriptor.recipe", descriptor.recipe, self.pretraining.recipes)
        for system in labels.systems:
            self._check_electrons(where, system, labels)

    def _check_electrons(self, where: str, system: str, labels: ComputedLabels) -> None:
        charge, n_unpaired = self.label_charge(labels, system), labels.n_unpaired_of(system)
        n_electrons = self.systems[system].n_protons - charge
        if n_unpaired > n_electrons or (n_electrons - n_unpaired) % 2:
            raise ValueError(
                f"{where}: {system} has {n_electrons} electrons (charge {charge:+d} e), which multiplicity "
                f"{n_unpaired + 1} does not fit: correct charge or multiplicity"
            )

    def _check_ml_md_system(self, where: str, experiment: Experiment, labels: ComputedLabels) -> None:
        if experiment.ml_md is None:
            return
        if experiment.ml_md.system is None and len(labels.systems) > 1:
            raise ValueError(
                f"{where}.ml_md.system: labels {experiment.labels!r} hold {', '.join(labels.systems)}; say which of "
                "them the dynamics starts from"
            )
        if experiment.ml_md.system is not None:
            _known(f"{where}.ml_md.system", experiment.ml_md.system, labels.systems)

    def selected_runs(self, labels: ComputedLabels) -> list[tuple[str, float]]:
        """System and temperature in K of each classical run that labels are selected from, in the order of a file."""
        return sorted(
            (source.system, temperature_kelvin)
            for source in labels.selected.sources
            for temperature_kelvin in source.temperatures_kelvin or self.systems[source.system].temperatures_kelvin
        )

    def label_charge(self, labels: ComputedLabels, system: str) -> int:
        """Total charge in e of a labelled system: what the labels say, else the sum over its species."""
        given = labels.charge_of(system)
        return self.systems[system].charge if given is None else given

    def _check_learning_rates(self, where: str, optimization: Any) -> None:
        if isinstance(optimization.learning_rate, dict):
            for backbone in optimization.learning_rate:
                _known(f"{where}.learning_rate", backbone, self.backbones)

    def _check_experiment(self, where: str, experiment: Experiment) -> None:
        _known(f"{where}.labels", experiment.labels, self.labels)
        for backbone in experiment.backbones:
            _known(f"{where}.backbones", backbone, self.backbones)
        for baseline in experiment.baselines:
            _known(f"{where}.baselines", baseline, self.baselines)
        loss = experiment.fine_tuning.loss
        if experiment.baselines and loss != "squared":
            raise ValueError(
                f"{where}.fine_tuning.loss: {loss}, but baselines ({', '.join(experiment.baselines)}) are trained on "
                "squared errors: take squared, or leave the baselines to another experiment"
            )
        recipes = self.pretraining.recipes
        used = {}
        for arm, initialisation in experiment.arms.items():
            for name in (initialisation.recipe, initialisation.equal_compute_to):
                if name:
                    known = [*recipes, "scratch"] if isinstance(experiment.initialisations, list) else recipes
                    _known(f"{where}.initialisations.{arm}", name, known)
                    used[name] = recipes[name]
            recipe = recipes[initialisation.recipe] if initialisation.recipe else None
            if initialisation.energy_head == "carried" and not recipe.trains_energy_head:
                raise ValueError(
                    f"{where}.initialisations.{arm}.energy_head: recipe {initialisation.recipe!r} does not train an "
                    "energy head that could be carried over: use fresh, or a recipe with denoise.readout gradient"
                )
        if used:
            if experiment.pretraining_set is None:
                raise ValueError(f"{where}: pretraining_set is needed by initialisation from {', '.join(used)}")
            _known(f"{where}.pretraining_set", experiment.pretraining_set, self.sets)
            rigid = [m for m in self.sets[experiment.pretraining_set] if self.systems[m].has_constraints]
            for name, recipe in used.items():
                if recipe.classical and rigid:
                    raise ValueError(
                        f"{where}: recipe {name!r} learns classical forces, which rigid bonds do not have: "
                        f"set rigid_water: false and constraints: none in {', '.join(rigid)}"
                    )
        optimizations = {"fine_tuning": experiment.fine_tuning.optimization}
        optimizations |= {f"recipe {name}": recipe.optimization for name, recipe in used.items()}
        for what, optimization in optimizations.items():
            rates = optimization.learning_rate
            missing = set(experiment.backbones) - set(rates) if isinstance(rates, dict) else set()
            if missing:
                raise ValueError(f"{where}: learning_rate of {what} names no value for {sorted(missing)}")
        self._check_learning_rates(f"{where}.fine_tuning.optimization", experiment.fine_tuning.optimization)
        labels = self.labels[experiment.labels]
        if isinstance(labels, ComputedLabels):
            check_split(where, experiment, labels.selected.n_frames, len(self.selected_runs(labels)))
            self._check_ml_md_system(where, experiment, labels)
        if experiment.ml_md and experiment.ml_md.n_seeds > len(experiment.seeds):
            raise ValueError(f"{where}.ml_md.n_seeds: {experiment.ml_md.n_seeds} of {len(experiment.seeds)} seeds")
        if experiment.ml_md and experiment.ml_md.n_replicas > experiment.split.n_test:
            raise ValueError(f"{where}.ml_md.n_replicas: more replicas than test configurations to start from")
        if not isinstance(experiment.metrics.reference, str):
            reference = experiment.metrics.reference
            self._check_classical_run(f"{where}.metrics.reference", reference.system, reference.temperature_kelvin)

    def n_frames_of_set(self, name: str) -> int:
        """Configurations in a pre-training set."""
        members = [self.systems[member] for member in self.sets[name]]
        return sum(len(system.temperatures_kelvin) * system.sampling.n_frames for system in members)

    def baseline_training(self, experiment: Experiment, baseline: str, n_train: int) -> dict[str, float]:
        """Budget and weights of the loss of one baseline: those of the experiment's fine-tuning."""
        tuning = experiment.fine_tuning
        weights = {"energy_weight": tuning.energy_weight, "force_weight": tuning.force_weight}
        return self.baselines[baseline].budget(tuning.optimization, n_train) | weights

    def data_path(self, relative: str) -> Path:
        """A path under data_dir. Raises InputError when the folder is not known or not there."""
        root = self.data_dir or os.environ.get(DATA_DIR_VARIABLE)
        if not root:
            raise InputError(
                f"labels need {relative!r}, but no data folder is known: set data_dir in config.yaml, "
                f"or the environment variable {DATA_DIR_VARIABLE}"
            )
        path = Path(root).expanduser() / relative
        if not path.exists():
            raise InputError(f"data folder {str(path)!r} is missing (data_dir {root!r}, path {relative!r})")
        return path


def check_split(where: str, experiment: Experiment, n_frames: int, n_trajectories: int = 1) -> None:
    """Raise InputError when training, validation, test and gaps need more frames than there are labels."""
    split = experiment.split
    gaps = 2 * split.gap * n_trajectories if split.kind == "time" else 0
    needed = max(experiment.n_train) + split.n_validation + split.n_test + gaps
    if needed > n_frames:
        raise InputError(
            f"{where}: {max(experiment.n_train)} training + {split.n_validation} validation + {split.n_test} test"
            f"{f' + {gaps} left out in gaps' if gaps else ''} = {needed} frames, but labels "
            f"{experiment.labels!r} have {n_frames}: ask for fewer, or label more"
        )


def _known(where: str, name: str, known: Any) -> None:
    if name not in known:
        raise unknown_name(where, name, known)


def project_from(raw: dict[str, Any], where: str = "config.yaml") -> Project:
    """The checked project of a configuration. Raises InputError that names each wrong key."""
    try:
        return Project.model_validate(raw)
    except ValidationError as error:
        raise InputError("\n".join([f"{where} cannot be used:", *map(_explain, error.errors())])) from None


def _explain(problem: Any) -> str:
    parts = list(problem["loc"])
    if parts[0:1] in (["backbones"], ["labels"], ["baselines"]):
        del parts[2:3]  # pydantic's own: the model or source, which is no key of the file
    place = ".".join(map(str, parts))
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        context = problem["ctx"]
        known = [name.strip("'") for name in context["expected_tags"].split(", ")]
        return f"  {place}: " + str(unknown_name(context["discriminator"].strip("'"), context["tag"], known))
    if problem["type"] == "union_tag_not_found":
        return f"  {place}: the key {problem['ctx']['discriminator']} is missing, which says what the others mean"
    message = _EXPECTED.get(problem["type"], message)
    raw = problem["input"]
    shown = "" if isinstance(raw, dict | list) or raw is None else f" (given: {raw!r})"
    hint = _hint(problem["type"], raw)
    return f"  {place}: {message}{shown}{hint}" if place else f"  {message}{hint}"


_EXPECTED = {
    "dict_type": "expected a mapping, written as {name: value}",
    "model_type": "expected a mapping, written as {key: value}",
    "list_type": "expected a list, written as [one, other]",
    "float_parsing": "expected a number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "string_type": "expected a text",
}
"""Of kinds of pydantic's errors, in the words of YAML."""


def _hint(kind: str, raw: Any) -> str:
    """What to do, where the value alone shows it."""
    if kind in ("float_parsing", "int_parsing") and number_with_unit(raw):
        return "; write the number alone, in the unit that the key names"
    if kind == "float_parsing" and re.fullmatch(r"[-+]?\d+,\d+", raw):
        return f"; write a decimal point: {raw.replace(',', '.')}"
    if kind == "string_type" and isinstance(raw, list):
        return "; text that begins with a bracket, such as the SMILES '[Na+]', must be in quotes"
    if kind in ("list_type", "too_short") and isinstance(raw, int | float):
        return f"; write a list: [{raw:g}]"
    return ""


def load_project(path: str | Path = "config.yaml") -> Project:
    """Read and check a configuration file."""
    return project_from(read_config(path), str(path))


def json_schema() -> str:
    """JSON schema of config.yaml, for editors and for Snakemake's validate."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Project.model_json_schema()}
    # What a system lacks, system_defaults may give; what a recipe lacks, its preset.
    for name in ("System", "Recipe"):
        del schema["$defs"][name]["required"]
    return json.dumps(schema, indent=2) + "\n"
