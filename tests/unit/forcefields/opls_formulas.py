"""Species of electrolytes, and the energy of OPLS-AA molecules written down a second time."""

import itertools

import numpy as np

from gpip.forcefields.terms import TypedMolecule

SMILES = {
    "Li+": "[Li+]",
    "Na+": "[Na+]",
    "K+": "[K+]",
    "Mg+2": "[Mg+2]",
    "Zn+2": "[Zn+2]",
    "Cl-": "[Cl-]",
    "PF6-": "F[P-](F)(F)(F)(F)F",
    "TFSI-": "O=S(=O)([N-]S(=O)(=O)C(F)(F)F)C(F)(F)F",
    "FSI-": "O=S(=O)([N-]S(=O)(=O)F)F",
    "BF4-": "F[B-](F)(F)F",
    "ClO4-": "[O-]Cl(=O)(=O)=O",
    "DME": "COCCOC",
    "EC": "O=C1OCCO1",
    "DMC": "COC(=O)OC",
    "PC": "CC1COC(=O)O1",
    "EMC": "CCOC(=O)OC",
    "DEC": "CCOC(=O)OCC",
    "DOL": "C1COCO1",
    "diglyme": "COCCOCCOC",
    "triglyme": "COCCOCCOCCOC",
    "tetraglyme": "COCCOCCOCCOCCOC",
    "acetonitrile": "CC#N",
    "sulfolane": "O=S1(=O)CCCC1",
    "water": "O",
}

COULOMB_KJ_NM_PER_MOL_E2 = 138.93545764438198
"""e^2 N_A / (4 pi epsilon_0), CODATA 2018."""


def distance(x, i, j, box=None):
    d = x[i] - x[j]
    if box is not None:
        d = d - box * np.round(d / box)
    return np.linalg.norm(d)


def angle(x, i, j, k):
    a, b = x[i] - x[j], x[k] - x[j]
    return np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def dihedral(x, i, j, k, m):
    """180° is trans."""
    b1, b2, b3 = x[j] - x[i], x[k] - x[j], x[m] - x[k]
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    return np.arctan2(np.linalg.norm(b2) * (b1 @ n2), n1 @ n2)


def bonds_apart(molecule: TypedMolecule) -> np.ndarray:
    """Bonds between all atoms by the shortest way, by powers of the bond matrix; large when more than 6."""
    n = len(molecule.atoms)
    bonded = np.zeros((n, n), dtype=int)
    for bond in molecule.bonds:
        i, j = bond.atoms
        bonded[i, j] = bonded[j, i] = 1
    apart = np.full((n, n), 99)
    reached = np.eye(n, dtype=int)
    for step in range(7):
        apart[(reached > 0) & (apart == 99)] = step
        reached = reached @ bonded
    return apart


def expected_energies(molecules, x, charge_scale=1.0, box=None, cutoff=np.inf) -> dict[str, float]:
    """Energy by term, kJ/mol, of molecules one after another at x [n_atoms, 3] nm; Coulomb without box only."""
    energies = dict.fromkeys(
        ("bonds", "angles", "torsions", "impropers", "coulomb", "lennard_jones_14", "lennard_jones"), 0.0
    )
    atoms, owner, first = [], [], 0
    weights = {}
    for n, molecule in enumerate(molecules):
        own = x[first : first + len(molecule.atoms)]
        for bond in molecule.bonds:
            energies["bonds"] += bond.k_kj_per_mol_nm2 / 2 * (distance(own, *bond.atoms) - bond.length_nm) ** 2
        for term in molecule.angles:
            energies["angles"] += term.k_kj_per_mol_rad2 / 2 * (angle(own, *term.atoms) - term.angle_rad) ** 2
        for term in molecule.torsions:
            phi = dihedral(own, *term.atoms)
            v1, v2, v3, v4 = term.v_kj_per_mol
            energies["torsions"] += v1 / 2 * (1 + np.cos(phi)) + v2 / 2 * (1 - np.cos(2 * phi))
            energies["torsions"] += v3 / 2 * (1 + np.cos(3 * phi)) + v4 / 2 * (1 - np.cos(4 * phi))
        for term in molecule.impropers:
            energies["impropers"] += term.v2_kj_per_mol / 2 * (1 - np.cos(2 * dihedral(own, *term.atoms)))
        apart = bonds_apart(molecule)
        for i, j in itertools.combinations(range(len(molecule.atoms)), 2):
            weights[first + i, first + j] = 0.0 if apart[i, j] < 3 else 0.5 if apart[i, j] == 3 else 1.0
        scale = charge_scale if abs(molecule.charge_e) > 0.5 else 1.0
        atoms += [(atom.charge_e * scale, atom.sigma_nm, atom.epsilon_kj_per_mol) for atom in molecule.atoms]
        owner += [n] * len(molecule.atoms)
        first += len(molecule.atoms)
    for i, j in itertools.combinations(range(len(atoms)), 2):
        weight = weights.get((i, j), 1.0)
        (qi, si, ei), (qj, sj, ej) = atoms[i], atoms[j]
        r = distance(x, i, j, box)
        energies["coulomb"] += weight * COULOMB_KJ_NM_PER_MOL_E2 * qi * qj / r
        pair = weight * 4 * np.sqrt(ei * ej) * ((si * sj) ** 6 / r**12 - (si * sj) ** 3 / r**6)
        energies["lennard_jones_14" if weight == 0.5 else "lennard_jones"] += pair if r < cutoff or weight < 1 else 0.0
    return energies
