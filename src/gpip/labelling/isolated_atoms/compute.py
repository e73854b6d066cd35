"""Computes the table of isolated atoms beside it with PySCF: `python compute.py > energies.csv`; names of levels as
arguments compute these alone.

PySCF is not a dependency of gpip; install it in an environment of its own. Each atom is unrestricted
(UKS, or UHF and CCSD(T) of all electrons), not relativistic, in the ground state by Hund's rules
(`ground_state_magnetic_moments` of ASE), with integer occupations and without averaging over the directions of an open
shell. An SCF that is unstable is continued from its instability, and the lowest of several starts is kept: the usual
energies of atoms in atomisation energies. Empirical dispersion (D2, D3, TS) of an isolated atom is zero.
"""

import csv
import sys

import pyscf
from ase.data import atomic_numbers, ground_state_magnetic_moments
from pyscf import cc, dft, gto, scf

MAIN_GROUP = ["H", "Li", "B", "C", "N", "O", "F", "Na", "Mg", "Si", "P", "S", "Cl", "K", "Ca", "Br"]
LEVELS = {
    # level of theory: (functional or method, basis set, elements)
    "wB97X/6-31G(d)": ("wb97x", "6-31g*", MAIN_GROUP),
    "wB97M-D3(BJ)/def2-TZVPPD": ("wb97m_v", "def2-tzvppd", [*MAIN_GROUP, "I"]),
    "B3LYP/6-31G(2df,p)": ("b3lypg", "6-31g(2df,p)", ["H", "C", "N", "O", "F"]),
    "PBE/def2-SVP": ("pbe", "def2-svp", MAIN_GROUP),
    "PBE/def2-QZVPP": ("pbe", "def2-qzvpp", ["H", "Li", "B", "C", "N", "O", "F"]),
    "CCSD(T)/cc-pVTZ": ("ccsd(t)", "cc-pvtz", ["H", "C", "N", "O", "F", "P", "S", "Cl"]),
}
STARTS = ("minao", "atom", "1e")


def energy_of_atom(method: str, basis: str, element: str) -> tuple[float, int]:
    """Energy in Hartree and number of unpaired electrons."""
    n_unpaired = int(ground_state_magnetic_moments[atomic_numbers[element]])
    ecp = basis if basis.startswith("def2") and atomic_numbers[element] > 36 else None
    atom = gto.M(atom=element, basis=basis, ecp=ecp, spin=n_unpaired, verbose=0)
    best = None
    for start in STARTS:
        mean_field = scf.UHF(atom) if method == "ccsd(t)" else dft.UKS(atom, xc=method)
        if method != "ccsd(t)":
            mean_field.grids.level = 6
            mean_field.nlc = False  # the D3(BJ) form of wB97M-V has no VV10 part
        mean_field.conv_tol, mean_field.init_guess = 1e-10, start
        mean_field.kernel()
        for _ in range(5):
            orbitals, _, stable, _ = mean_field.stability(return_status=True)
            if stable:
                break
            mean_field = mean_field.newton()
            mean_field.kernel(mean_field.make_rdm1(orbitals, mean_field.mo_occ))
        if mean_field.converged and (best is None or mean_field.e_tot < best.e_tot):
            best = mean_field
    if best is None:
        raise SystemExit(f"{element}, {method}/{basis}: not converged")
    if method != "ccsd(t)" or atom.nelectron == 1:
        return float(best.e_tot), n_unpaired
    correlated = cc.UCCSD(best.to_uhf())
    correlated.conv_tol = 1e-9
    correlated.kernel()
    if not correlated.converged:
        raise SystemExit(f"{element}, {method}/{basis}: CCSD not converged")
    return float(correlated.e_tot + correlated.ccsd_t()), n_unpaired


def main() -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["level_of_theory", "element", "n_unpaired", "energy_hartree", "program"])
    for level in sys.argv[1:] or LEVELS:
        method, basis, elements = LEVELS[level]
        for element in elements:
            energy, n_unpaired = energy_of_atom(method, basis, element)
            table.writerow([level, element, n_unpaired, f"{energy:.6f}", f"PySCF {pyscf.__version__}"])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
