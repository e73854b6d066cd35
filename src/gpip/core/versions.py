"""Version of each stage: raise it when the stage's numbers change for the same input.

Snakemake sees neither changes in imported modules nor in libraries. These numbers are `params` of the rules, so raising
one re-runs that stage and what follows from it, and nothing else.
"""

STAGE_VERSIONS: dict[str, int] = {
    "build": 2,
    "minimisation": 1,
    "density": 2,
    "annealing": 1,
    "classical_md": 2,
    "dataset": 1,
    "pretraining": 5,
    "labels": 2,
    "isolated_atoms": 1,
    "splits": 1,
    "finetuning": 5,
    "baselines": 3,
    "ml_md": 2,
    "metrics": 1,
    "system": 1,
    "report": 2,
}
