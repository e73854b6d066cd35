"""Version of each stage: raise it when the stage's numbers change for the same input.

Snakemake sees neither changes in imported modules nor in libraries. These numbers are `params` of the rules, so raising
one re-runs that stage and what follows from it, and nothing else.
"""

STAGE_VERSIONS: dict[str, int] = {
    "build": 3,
    "minimisation": 1,
    "density": 3,
    "annealing": 1,
    "classical_md": 2,
    "dataset": 1,
    "pretraining": 5,
    "labels": 2,
    "isolated_atoms": 1,
    "splits": 1,
    "step_costs": 1,
    "finetuning": 6,
    "baselines": 3,
    "ml_md": 3,
    "metrics": 2,
    "system": 2,
    "report": 3,
}
