"""Units of every array from the data sets on, and the factors into them.

eV, angstrom, fs, amu, K, elementary charge. Velocities are angstrom/fs. OpenMM works in nm, ps and kJ/mol:
multiply by a factor named X_TO_Y when a number leaves or enters it, nowhere else.
Constants: CODATA 2018.
"""

AVOGADRO_PER_MOL = 6.02214076e23
ELEMENTARY_CHARGE_C = 1.602176634e-19
BOLTZMANN_EV_PER_K = 8.617333262e-5

NM_TO_ANGSTROM = 10.0
PS_TO_FS = 1000.0
KJ_PER_MOL_TO_EV = 1000.0 / (AVOGADRO_PER_MOL * ELEMENTARY_CHARGE_C)
KCAL_PER_MOL_TO_EV = 4.184 * KJ_PER_MOL_TO_EV
HARTREE_TO_EV = 27.211386245988
BOHR_TO_ANGSTROM = 0.529177210903
KJ_PER_MOL_NM_TO_EV_PER_ANGSTROM = KJ_PER_MOL_TO_EV / NM_TO_ANGSTROM
NM_PER_PS_TO_ANGSTROM_PER_FS = NM_TO_ANGSTROM / PS_TO_FS
AMU_ANGSTROM2_PER_FS2_TO_EV = 103.642696
"""1 amu (angstrom/fs)^2 in eV: kinetic energies."""
ANGSTROM2_PER_FS_TO_1E9_M2_PER_S = 1e4
"""1 angstrom^2/fs = 1e-5 m^2/s = 1e4 x 1e-9 m^2/s: diffusion coefficients."""
G_PER_CM3_TO_AMU_PER_ANGSTROM3 = AVOGADRO_PER_MOL * 1e-24
