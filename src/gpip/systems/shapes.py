"""Shapes of molecules that fit into a box: folded ones where the molecule is longer than the box is wide."""

from functools import cache

import numpy as np
from rdkit import Chem, DistanceGeometry, rdBase
from rdkit.Chem import AllChem
from scipy.spatial.distance import pdist

from gpip.core.errors import InputError
from gpip.core.species import Species
from gpip.forcefields.opls.structure import EMBEDDING_SEED, molecule_from
from gpip.systems.molecules import WATER_OH_ANGSTROM, molecule_of

CONTACT_ANGSTROM = 2.0
"""Atoms of different molecules, and of a molecule and its periodic images, are placed at least this far apart."""
FOLDING_STEPS = 6
"""Shapes are tried for so many bounds on their length, each 3 % below the one before."""
SHAPES_PER_STEP = 5
CLOSEST_IN_MOLECULE_ANGSTROM = 1.5
"""Between atoms more than three bonds apart in a folded shape; closer ones are not folded but crushed."""


def longest_distance(positions: np.ndarray) -> float:
    """Between any two atoms, angstrom; positions [n_atoms, 3]."""
    return float(pdist(positions).max(initial=0.0))


def positions_in_box(species: Species, box_length_angstrom: float, where: str) -> np.ndarray:
    """Coordinates [n_atoms, 3] of a molecule, in Å, no longer than the box less one contact.

    Such a molecule keeps clear of its periodic images, however it is turned. It is the usual start where that fits,
    else one folded by distance geometry with bounds on all distances (ETKDG; Riniker and Landrum, J. Chem. Inf. Model.
    55, 2562, 2015), always the same for the same molecule and box.

    Args:
        where: what the box is called in an error.

    Raises:
        InputError: no shape fits; the message says how long the molecule and how wide the box is, and what to do.
    """
    largest = box_length_angstrom - CONTACT_ANGSTROM
    usual = _usual(species)
    length = longest_distance(usual)
    if length <= largest:
        return usual
    folded = _folded(species, round(largest, 3)) if largest > WATER_OH_ANGSTROM and len(usual) > 3 else None
    if folded is not None:
        return folded
    needed = f"{length + CONTACT_ANGSTROM:.1f} Å"
    times = ((length + CONTACT_ANGSTROM) / box_length_angstrom) ** 3
    raise InputError(
        f"{where}: a molecule of {species.name} is {length:.1f} Å long, no folded shape of it fits, and the box is "
        f"{box_length_angstrom:.1f} Å wide, so that it would overlap with its own periodic images. A box of {needed} "
        f"needs {times:.2g} times as many molecules; or set periodic: false for one molecule alone"
    )


@cache
def _usual(species: Species) -> np.ndarray:
    return molecule_of(species, "X").positions


@cache
def _folded(species: Species, largest_angstrom: float) -> np.ndarray | None:
    """The first shape found whose atoms are all within a distance of each other; None if there is none."""
    molecule = molecule_from(species.name, species.smiles)
    graph = Chem.GetDistanceMatrix(molecule)
    apart = graph[np.triu_indices(len(graph), 1)] > 3
    for step in range(FOLDING_STEPS):
        bounds = AllChem.GetMoleculeBoundsMatrix(molecule)
        upper = np.triu_indices(len(bounds), 1)
        bounds[upper] = np.minimum(bounds[upper], 0.97**step * largest_angstrom)
        if not DistanceGeometry.DoTriangleSmoothing(bounds):
            return None
        settings = AllChem.ETKDGv3()
        settings.randomSeed = EMBEDDING_SEED
        settings.maxIterations = 20
        settings.SetBoundsMat(bounds)
        trial = Chem.Mol(molecule)
        with rdBase.BlockLogs():
            shapes = list(AllChem.EmbedMultipleConfs(trial, SHAPES_PER_STEP, settings))
        for shape in shapes:
            positions = trial.GetConformer(shape).GetPositions()
            distances = pdist(positions)
            crushed = apart.any() and distances[apart].min() < CLOSEST_IN_MOLECULE_ANGSTROM
            if distances.max() <= largest_angstrom and not crushed:
                return positions
    return None
