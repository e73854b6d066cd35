"""The command `gpip`: look into files and configurations. The work itself is started with Snakemake."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from gpip.config.composition import in_words
from gpip.config.labels import ComputedLabels
from gpip.config.plan import thermostat_warnings
from gpip.config.project import Project, json_schema, load_project
from gpip.core.errors import InputError


def _dataset_info(arguments: argparse.Namespace) -> None:
    from gpip.datasets.info import describe

    print(describe(arguments.file))


def _dataset_export(arguments: argparse.Namespace) -> None:
    from gpip.datasets.export import export_extxyz
    from gpip.datasets.reader import Dataset

    dataset = Dataset(arguments.file)
    export_extxyz(dataset, len(dataset), arguments.output)


def _potential(arguments: argparse.Namespace) -> None:
    from gpip.models.describe import describe

    print(describe(arguments.file))


def _schema(arguments: argparse.Namespace) -> None:
    from gpip.config.reference import markdown

    print(markdown() if arguments.markdown else json_schema(), end="")


def _check(arguments: argparse.Namespace) -> None:
    from gpip.systems.check import check_systems

    project = load_project(arguments.config)
    warnings = check_systems(project, pack=True)
    print("\n".join(summarise(project)))
    for warning in warnings:
        print(f"warning: {warning}")


def summarise(project: Project) -> Iterator[str]:
    """What a configuration asks for, a line each.

    Raises:
        InputError: published files are missing or damaged, or its frames are fewer than an experiment splits.
    """
    from gpip.labelling.available import check_engines, check_labels

    check_engines(project)
    yield f"seed {project.seed}"
    for name, system in project.systems.items():
        npt, length = system.npt, system.box.length_angstrom
        box = f"box {length:.2f} Å, cutoff {system.box.cutoff_angstrom:g} Å" if length else "no box"
        change = f", then mean of NPT at {npt.temperature_kelvin:g} K and {npt.pressure_bar:g} bar" if npt else ""
        temperatures = f"{len(system.temperatures_kelvin)} temperature{'s' * (len(system.temperatures_kelvin) > 1)}"
        yield (
            f"system {name}: {in_words(system.composition())}; {box}{change}; "
            f"{temperatures} × {system.sampling.n_frames} frames"
        )
        yield from (f"system {name}: {phrase}" for phrase in system.asked_and_reached)
    for name, members in project.sets.items():
        yield f"data set {name}: {', '.join(members)}"
    for name, recipe in project.pretraining.recipes.items():
        tasks = [task for task in ("mask", "denoise", "contrast", "classical") if getattr(recipe, task)]
        yield f"recipe {name}: {', '.join(tasks)}"
    available = check_labels(project)
    for name, labels in project.labels.items():
        if isinstance(labels, ComputedLabels):
            runs: dict[str, list[str]] = {}
            for system, temperature_kelvin in project.selected_runs(labels):
                runs.setdefault(system, []).append(f"{temperature_kelvin:g}")
            sources = "; ".join(f"{system} at {', '.join(kelvin)} K" for system, kelvin in runs.items())
            yield (
                f"labels {name}: {labels.selected.n_frames} frames ({labels.selected.method}) of {sources} by "
                f"{labels.source} in {labels.n_jobs} jobs"
            )
        else:
            found = f"{available[name]} frames" if name in available else "not used by any experiment"
            yield f"labels {name}: read from {labels.path}, {found}"
    for name, experiment in project.experiments.items():
        runs = len(experiment.backbones) * len(experiment.arms) * len(experiment.n_train)
        yield (
            f"experiment {name}: {', '.join(experiment.backbones)} × {', '.join(experiment.arms)} × "
            f"{experiment.n_train} frames × {len(experiment.seeds)} seeds = {runs * len(experiment.seeds)} "
            f"fine-tuning runs"
        )
        if experiment.baselines:
            others = len(experiment.baselines) * len(experiment.n_train) * len(experiment.seeds)
            yield f"experiment {name}: beside them {', '.join(experiment.baselines)} of other packages, {others} runs"
        if experiment.ml_md:
            yield (
                f"experiment {name}: {runs * experiment.ml_md.n_seeds} ML-driven MD runs of "
                f"{experiment.ml_md.n_replicas} replicas × {experiment.ml_md.duration_ps:g} ps"
            )
    yield from (f"warning: {words}" for words in thermostat_warnings(project))


def _species(arguments: argparse.Namespace) -> None:
    from gpip.core.species import BUILT_IN, find_species
    from gpip.forcefields.opls.describe import describe

    if arguments.molecule is None:
        for name in BUILT_IN:
            one = find_species("species", name)
            charge = f"{one.charge:+d} e" if one.charge else ""
            mass = f"{one.molar_mass_g_per_mol:8.3f} g/mol"
            print(f"{name:14s} {len(one.elements):3d} atoms {mass} {charge:5s} {one.smiles}")
        return
    built_in = arguments.molecule in BUILT_IN
    name, smiles = (arguments.molecule, None) if built_in or not arguments.smiles else ("molecule", arguments.molecule)
    one = find_species("gpip species", name, smiles)
    print(describe(one.name, one.smiles, arguments.extra))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpip", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    dataset = commands.add_parser("dataset", help="look into a dataset or labels file")
    actions = dataset.add_subparsers(required=True, metavar="action")
    info = actions.add_parser("info", help="print what is inside")
    info.add_argument("file")
    info.set_defaults(run=_dataset_info)
    export = actions.add_parser("export", help="write it as extended XYZ")
    export.add_argument("file")
    export.add_argument("output")
    export.set_defaults(run=_dataset_export)
    potential = commands.add_parser("potential", help="print what is inside a checkpoint")
    potential.add_argument("file")
    potential.set_defaults(run=_potential)
    species = commands.add_parser("species", help="the OPLS-AA types and terms of a molecule, with their sources")
    species.add_argument("molecule", nargs="?", help="built-in name, or a SMILES with --smiles; without it: all names")
    species.add_argument("--smiles", action="store_true", help="the molecule is given as SMILES")
    species.add_argument("--extra", metavar="CSV", help="table of terms of your own (docs/opls-aa.md)")
    species.set_defaults(run=_species)
    schema = commands.add_parser("schema", help="print the JSON schema of config.yaml")
    schema.add_argument("--markdown", action="store_true", help="every key in words instead")
    schema.set_defaults(run=_schema)
    check = commands.add_parser("check", help="check a configuration and say what it would run")
    check.add_argument("config", nargs="?", default="config.yaml")
    check.set_defaults(run=_check)
    return parser


def main(command_line: Sequence[str] | None = None) -> int:
    """Run one command; exit code 2 and one message on standard error for bad input."""
    arguments = _parser().parse_args(command_line)
    try:
        arguments.run(arguments)
    except InputError as error:
        print(f"gpip: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
