"""The tables of docs/validation.md from a finished run of experiments/validation: densities and self-diffusion.

snakemake --cores 2 --directory experiments/validation
python benchmarks/validation_table.py experiments/validation
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mdtraj
import numpy as np

from gpip.core.units import AVOGADRO_PER_MOL, NM_TO_ANGSTROM
from gpip.metrics.diffusion import (
    Slope,
    finite_size_correction,
    fitted_diffusivity,
    mean_squared_displacement,
    remove_own_drift,
)

FIT_PS = (5.0, 40.0)
"""Lags of the straight line through the MSD: behind the ballistic part, well inside the run."""


class Density(NamedTuple):
    low: float
    high: float
    source: str


class Diffusion(NamedTuple):
    literature: str
    viscosity_mpa_s: float
    viscosity_source: str


DENSITIES = {
    "dme": Density(0.861, 0.864, "experiment, 298 K: CRC Handbook 0.8637; J. Chem. Eng. Data 0.861-0.864"),
    "ec": Density(1.321, 1.322, "experiment, 313 K: PubChem 1.3214, handbooks 1.3208-1.322"),
    "dmc": Density(1.063, 1.064, "experiment, 298 K: J. Chem. Thermodyn. 133, 229 (2019) and others"),
    "water": Density(0.980, 0.986, "simulation, TIP3P: Jorgensen 1983 (0.982), Vega and Abascal 2011; water 0.997"),
    "lipf6-ec-dmc-1m": Density(1.28, 1.30, "experiment, 298 K: LP30, suppliers' data"),
    "bmim-no3": Density(1.156, 1.156, "experiment, 298 K: ILThermo, median of 4 studies (1.155-1.158)"),
    "bmim-otf": Density(1.298, 1.298, "experiment, 298 K: ILThermo, median of 34 studies (1.292-1.304)"),
    "emim-bf4": Density(1.280, 1.280, "experiment, 298 K: ILThermo, median of 52 studies (1.278-1.290)"),
    "emim-hso4": Density(1.366, 1.366, "experiment, 298 K: ILThermo, median of 6 studies (1.366-1.367)"),
    "emim-beti": Density(1.593, 1.593, "experiment, 298 K: ILThermo, median of 4 studies (1.590-1.594)"),
    "pyr14-tfsi": Density(1.395, 1.395, "experiment, 298 K: ILThermo, median of 30 studies (1.382-1.402)"),
    "pyr13-fsi": Density(1.339, 1.339, "experiment, 298 K: ILThermo, median of 4 studies (1.338-1.339)"),
    "litfsi-dme-1m": Density(1.02, 1.02, "experiment, 298 K: about 1.02, no primary source seen"),
}
DIFFUSION = {
    "dme": Diffusion(
        "3 (PFG-NMR, 303 K, Hayamizu et al., J. Phys. Chem. B 103, 519, 1999)", 0.455, "experiment, 298 K"
    ),
    "ec": Diffusion("0.7-0.8 (PFG-NMR, 313 K, Hayamizu, J. Chem. Eng. Data 57, 2012)", 1.91, "experiment, 313 K"),
    "water": Diffusion(
        "5.2-5.6 in boxes of a few hundred molecules, 5.9-6.1 corrected (TIP3P; Mahoney and Jorgensen 2001, Vega and "
        "Abascal 2011); real water 2.30",
        0.321,
        "TIP3P's own (Gonzalez and Abascal 2010)",
    ),
}


def density_rows(folder: Path) -> Iterator[str]:
    """One row of the table for each system at constant pressure."""
    yield "| system | molecules | salt, mol/L | T, K | density, g/cm³ | target | off by | converged | target from |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for path in sorted(folder.glob("results/systems/*/npt/density.json")):
        found = json.loads(path.read_text())
        manifest = json.loads((path.parents[1] / "manifest.json").read_text())
        contents = ", ".join(f"{n} {name}" for name, n in manifest["molecules"].items())
        ions = [n for name, n in manifest["molecules"].items() if name.endswith("+")]
        litres_per_mol = found["volume_angstrom3"] * AVOGADRO_PER_MOL * 1e-27
        salt = f"{sum(ions) / litres_per_mol:.2f}" if ions else ""
        value, error = found["density_g_per_cm3"], found["density_standard_error_g_per_cm3"]
        target = DENSITIES.get(found["system"])
        shown, off, source = "no verified reference", "", ""
        if target:
            shown = f"{target.low:g}" if target.low == target.high else f"{target.low:g}-{target.high:g}"
            nearest = min(max(value, target.low), target.high)
            off, source = f"{100 * (value / nearest - 1):+.1f} %", target.source
        settings = found["provenance"]["settings"]["npt"]
        yield (
            f"| {found['system']} | {contents} | {salt} | {settings['temperature_kelvin']:g} | "
            f"{value:.4f} ± {error:.4f} | {shown} | {off} | "
            f"{'yes' if found['converged'] else '; '.join(found['reasons'])} | {source} |"
        )


def diffusivity(path: Path) -> tuple[Slope, np.ndarray, float]:
    """Of the molecules' centres of mass, 1e-9 m²/s; also cell [3, 3] in Å and length of the run in ps."""
    run = mdtraj.load_hdf5(str(path))
    masses = np.array([atom.element.mass for atom in run.topology.atoms])
    molecule = np.array([atom.residue.index for atom in run.topology.atoms])
    weights = np.zeros((molecule.max() + 1, run.n_atoms))
    weights[molecule, np.arange(run.n_atoms)] = masses
    weights /= weights.sum(axis=1, keepdims=True)
    centres = np.einsum("ma,tax->tmx", weights, run.xyz.astype(float)) * NM_TO_ANGSTROM
    step_ps = float(run.time[1] - run.time[0])
    msd = mean_squared_displacement(remove_own_drift(centres))
    cell = run.unitcell_vectors[0].astype(float) * NM_TO_ANGSTROM
    return fitted_diffusivity([msd], step_ps, FIT_PS), cell, step_ps * run.n_frames


def diffusion_rows(folder: Path) -> Iterator[str]:
    """One row of the table for each pure liquid whose self-diffusion is known."""
    yield "| system | T, K | run, ps | D in the box, 1e-9 m²/s | finite-size correction | D | viscosity | literature |"
    yield "|---|---|---|---|---|---|---|---|"
    for system, known in DIFFUSION.items():
        for path in sorted(folder.glob(f"results/classical_md/{system}/*K/trajectory.h5")):
            temperature = float(path.parent.name.removesuffix("K"))
            found, cell, length_ps = diffusivity(path)
            viscosity = f"{known.viscosity_mpa_s:g} mPa s, {known.viscosity_source}"
            added = finite_size_correction(temperature, cell, known.viscosity_mpa_s * 1e-3)
            yield (
                f"| {system} | {temperature:g} | {length_ps:.0f} | {found.value:.2f} ± {found.uncertainty:.2f} | "
                f"{added:+.2f} | {found.value + added:.2f} | {viscosity} | {known.literature} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("experiments/validation"))
    folder = parser.parse_args().folder
    print("\n".join([*density_rows(folder), "", *diffusion_rows(folder)]))


if __name__ == "__main__":
    main()
