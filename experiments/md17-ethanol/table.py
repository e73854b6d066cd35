"""The table of this experiment's README, from its results: python experiments/md17-ethanol/table.py"""

import json
from pathlib import Path

import pandas as pd
from ase import units

from gpip.datasets.reader import Dataset
from gpip.datasets.splits import read_split
from gpip.metrics.predictions import frame_errors
from gpip.models.checkpoint import load_potential
from gpip.training.supervised import predict

RESULTS = Path(__file__).parent / "results"
MEV_PER_KCAL_MOL = 1000 * units.kcal / units.mol
PUBLISHED_KCAL = {"schnet": 0.39, "painn": 0.230, "spherenet": 0.208, "gemnet": 0.085, "et": 0.109}
N_TRAINING = 200
FORCE, ENERGY = "force_mae_mev_per_angstrom", "energy_mae_mev_per_atom"
LARGEST = "force_max_mev_per_angstrom"


def row(errors_file: Path) -> str:
    errors = json.loads(errors_file.read_text())
    experiment, backbone, *run = errors_file.parent.relative_to(RESULTS / "finetuning").parts
    settings = errors["provenance"]["settings"]
    training = read_split(RESULTS / "splits" / experiment / run[1] / f"{run[2]}.json").train[:N_TRAINING]
    frames = Dataset(RESULTS / "labels/ethanol/labels.h5").frames(training)
    seen = frame_errors(frames, *predict(load_potential(errors_file.with_name("model.ckpt")), frames))
    timing = RESULTS / "benchmarks/fine_tune" / errors_file.parent.relative_to(RESULTS / "finetuning")
    minutes = pd.read_csv(timing.with_name(timing.name + ".tsv"), sep="\t").cpu_time[0] / 60
    size = f"{settings['backbone']['n_layers']} × {settings['backbone']['n_features']}"
    steps = f"{settings['n_steps']:,} × {settings['fine_tuning']['optimization']['batch_size']}"
    kcal = PUBLISHED_KCAL.get(backbone)
    published = f"{kcal:g} ({kcal * MEV_PER_KCAL_MOL:.1f})" if kcal else "none found"
    cells = [
        f"{backbone} {size}",
        f"{errors['n_parameters']:,}",
        steps,
        f"{settings['learning_rate']:g}",
        f"{minutes:.1f}",
        *(f"{each[FORCE]:.1f}" for each in (seen, errors["validation"], errors["test"])),
        f"{errors['test'][FORCE] / MEV_PER_KCAL_MOL:.3f}",
        f"{errors['test'][ENERGY]:.2f}",
        f"{errors['test'][LARGEST] / 1000:.2f}",
        published,
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    header = "network,parameters,steps × frames,learning rate,core minutes,training,validation,test"
    header = [*header.split(","), "test kcal/mol/Å", "energy meV/atom", "largest force error eV/Å", "published"]
    print("| " + " | ".join(header) + " |", "|" + "---|" * len(header), sep="\n")
    for errors_file in sorted(RESULTS.glob("finetuning/*/*/*/*/*/errors.json"), key=lambda file: file.parts[-5]):
        print(row(errors_file))


if __name__ == "__main__":
    main()
