"""Choose 100 isomers of C7H10O2 that OPLS-AA describes: writes `smiles.csv` and `config.yaml`.

Random graphs of seven carbon and two oxygen atoms with three rings or further bond orders; what is not stable, or
lacks a parameter, is left out; the 100 are taken in turn from the families of functional groups, so that rare ones
are there.

    python experiments/iso17/make_smiles.py      # some minutes
"""

import argparse
import csv
import io
import random
from collections import defaultdict
from pathlib import Path
from textwrap import fill

from rdkit import Chem, RDLogger
from rdkit.Chem.rdMolDescriptors import CalcMolFormula, CalcNumBridgeheadAtoms, CalcNumSpiroAtoms

from gpip.core.errors import InputError
from gpip.core.files import write_text
from gpip.forcefields.opls.assign import type_molecule

FOLDER = Path(__file__).parent
FORMULA = "C7H10O2"
N_ISOMERS = 100

UNSTABLE = (
    "[OX2][OX2]",  # peroxides
    "[CX4]([OX2H])[OX2]",  # hydrates and hemiacetals
    "[CX3]=[CX3][OX2H]",  # enols
    "[CX2]#[CX2][OX2]",  # ynols
    "[#6]=[#6]=[#6,#8]",  # allenes, ketenes
    "[r3]=,#[*]",  # double bonds at and in rings of three
    "[r4]=[*;r4]",  # cyclobutenes, oxetes
    "[R]#[R]",  # alkynes in rings
    "[r3,r4;x3]",  # small rings fused to others
    "[#8;r3,r4]",  # epoxides, oxetanes, lactones of four atoms
)
WEIGHT_OF_DISTANCE = {1: 1.0, 2: 0.05, 3: 0.05, 4: 0.5, 5: 0.5}
"""How often two atoms so many bonds apart are bonded (once more): one apart gives double bonds, five a ring of six."""
FAMILIES = {
    "acid": "[CX3](=O)[OX2H]",
    "ester": "[CX3;!R](=O)[OX2;!R][#6]",
    "lactone": "[CX3;R](=O)[OX2;R]",
    "aldehyde": "[CX3H1,CX3H2](=O)[#6]",
    "ketone": "[CX3](=O)([#6])[#6]",
    "alcohol": "[CX4][OX2H]",
    "ether": "[CX4][OX2][CX4]",
    "acetal": "[CX4]([OX2][CX4])[OX2][CX4]",
    "enol ether": "[CX3;!$(C=O)]=[CX3][OX2]",
    "alkene": "[CX3]=[CX3]",
    "diene": "[CX3]=[CX3][CX3]=[CX3]",
    "enone": "[CX3]=[CX3][CX3]=O",
    "alkyne": "C#C",
    "furan": "c1ccoc1",
    **{f"ring of {n}": f"[r{n}]" for n in (3, 4, 5, 6)},
}
UNSTABLE_PATTERNS = [Chem.MolFromSmarts(smarts) for smarts in UNSTABLE]
FAMILY_PATTERNS = {name: Chem.MolFromSmarts(smarts) for name, smarts in FAMILIES.items()}


def random_isomer(rng: random.Random) -> Chem.Mol | None:
    """A random graph of the formula, or None where the draw gives none.

    A tree of seven carbons, oxygens in or at its bonds, then three times a ring of 3-6 atoms or one more bond order.
    """
    mol = Chem.RWMol()
    mol.AddAtom(Chem.Atom("C"))
    for element in rng.sample("CCCCCCOO", 8):
        new = mol.AddAtom(Chem.Atom(element))
        free = [a.GetIdx() for a in mol.GetAtoms() if a.GetIdx() != new and _free(mol, a.GetIdx()) > 0]
        if element == "O":
            free = [i for i in free if mol.GetAtomWithIdx(i).GetSymbol() == "C"]
        if not free:
            return None
        mol.AddBond(rng.choice(free), new, Chem.BondType.SINGLE)
    for _ in range(3):
        pairs = [(i, j) for i in range(9) for j in range(i) if _free(mol, i) > 0 and _free(mol, j) > 0]
        distance = Chem.GetDistanceMatrix(mol, force=True)
        weights = [WEIGHT_OF_DISTANCE.get(int(distance[pair]), 0.0) for pair in pairs]
        if not any(weights):
            return None
        pair = rng.choices(pairs, weights)[0]
        bond = mol.GetBondBetweenAtoms(*pair)
        if bond is None:
            mol.AddBond(*pair, Chem.BondType.SINGLE)
        elif bond.GetBondTypeAsDouble() < 3:
            bond.SetBondType(Chem.BondType.DOUBLE if bond.GetBondTypeAsDouble() == 1 else Chem.BondType.TRIPLE)
        else:
            return None
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException:
        return None
    return mol.GetMol()


def _free(mol: Chem.RWMol, index: int) -> float:
    atom = mol.GetAtomWithIdx(index)
    return (4 if atom.GetSymbol() == "C" else 2) - sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds())


def is_sensible(mol: Chem.Mol) -> bool:
    """No bond pattern that is not stable, no bridged or spiro ring, the formula as wanted."""
    if CalcMolFormula(mol) != FORMULA or CalcNumBridgeheadAtoms(mol) or CalcNumSpiroAtoms(mol):
        return False
    return not any(mol.HasSubstructMatch(pattern) for pattern in UNSTABLE_PATTERNS)


def families(mol: Chem.Mol) -> str:
    """Functional groups and rings of the molecule, as one text."""
    return ", ".join(name for name, pattern in FAMILY_PATTERNS.items() if mol.HasSubstructMatch(pattern))


def candidates(n_draws: int, rng: random.Random) -> dict[str, list[str]]:
    """Canonical SMILES by family; families and their SMILES sorted."""
    seen: set[str] = set()
    found: dict[str, list[str]] = defaultdict(list)
    for _ in range(n_draws):
        mol = random_isomer(rng)
        smiles = "" if mol is None else Chem.MolToSmiles(mol)
        if not smiles or smiles in seen:
            continue
        seen.add(smiles)
        mol = Chem.MolFromSmiles(smiles)
        if is_sensible(mol):
            found[families(mol)].append(smiles)
    return {family: sorted(found[family]) for family in sorted(found)}


def is_described(smiles: str) -> bool:
    """OPLS-AA has all parameters."""
    try:
        type_molecule("isomer", smiles)
    except InputError:
        return False
    return True


def choose(by_family: dict[str, list[str]], rng: random.Random) -> list[tuple[str, str]]:
    """SMILES and family of 100 isomers that OPLS-AA describes, one of each family in turn until there are enough."""
    pools = {family: rng.sample(smiles, len(smiles)) for family, smiles in by_family.items()}
    order = rng.sample(sorted(pools), len(pools))
    chosen: list[tuple[str, str]] = []
    while any(pools.values()):
        for family in order:
            while pools[family]:
                smiles = pools[family].pop()
                if is_described(smiles):
                    chosen.append((smiles, family))
                    break
            if len(chosen) == N_ISOMERS:
                return sorted(chosen, key=lambda pair: (pair[1], pair[0]))
    raise SystemExit(f"only {len(chosen)} isomers found, {N_ISOMERS} wanted: give more --draws")


def config(isomers: list[str]) -> str:
    """The experiment's configuration: every isomer at every temperature, and ten of them in short."""
    names = isomer_names(isomers)
    few = names[:: len(names) // 10]
    members = fill(", ".join(names), 110, initial_indent=" " * 8, subsequent_indent=" " * 8)
    # Lines break between items only.
    left_out = ", ".join(f"{name}:~null" for name in names if name not in few)
    left_out = fill(left_out, 110, initial_indent=" " * 8, subsequent_indent=" " * 8).replace("~", " ")
    species = [
        f"  {name}: {{species: {{{name}: {{smiles: '{smiles}', count: 1}}}}}}"
        for name, smiles in zip(names, isomers, strict=True)
    ]
    return (
        HEAD
        + "\n".join(species)
        + TAIL.format(
            members=members,
            left_out=left_out,
            few=fill(", ".join(few), 110, initial_indent=" " * 12, subsequent_indent=" " * 12),
        )
    )


HEAD = """# yaml-language-server: $schema=../../workflow/schemas/config.schema.json
# Pre-training set of 100 isomers of C7H10O2, as in the GPIP paper; written by make_smiles.py.
# 100 isomers x 8 temperatures x 2,500 frames 1 ps apart = 2,000,000 frames.
system_defaults:
  force_field: opls-aa
  periodic: false
  temperatures_kelvin: [300, 400, 500, 600, 700, 800, 900, 1000]
  sampling: {timestep_fs: 1.0, equilibration_ps: 5.0, production_ps: 2500.0, sample_every_ps: 1.0}

systems:
"""
TAIL = """

pretraining:
  sets:
    iso17:
      [
{members},
      ]

scales:
  # 10 isomers x 2 temperatures x 50 frames 0.1 ps apart = 1,000 frames.
  minutes:
    system_defaults:
      temperatures_kelvin: [300, 1000]
      sampling: {{equilibration_ps: 1.0, production_ps: 5.0, sample_every_ps: 0.1}}
    systems:
      {{
{left_out},
      }}
    pretraining:
      sets:
        iso17:
          [
{few},
          ]
"""


def isomer_names(isomers: list[str]) -> list[str]:
    return [f"isomer_{n:03d}" for n in range(1, len(isomers) + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--draws", type=int, default=16_000)
    arguments = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    rng = random.Random(arguments.seed)
    chosen = choose(candidates(arguments.draws, rng), rng)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["index", "smiles", "groups"])
    writer.writerows((n, smiles, family) for n, (smiles, family) in enumerate(chosen, start=1))
    write_text(FOLDER / "smiles.csv", table.getvalue())
    isomers = [smiles for smiles, _ in chosen]
    write_text(FOLDER / "config.yaml", config(isomers))


if __name__ == "__main__":
    main()
