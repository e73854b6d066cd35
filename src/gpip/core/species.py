"""Molecules known by name or given as SMILES: charge, elements, mass, and the volume they take in a liquid."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from gpip.core.errors import InputError, unknown_name

if TYPE_CHECKING:
    from rdkit.Chem import Mol


N_SPECIES = 95
"""Length of arrays that are indexed by atomic number: elements up to plutonium, and 0 for the [MASK] token."""


class BuiltIn(NamedTuple):
    smiles: str
    liquid_density_g_per_cm3: float | None = None
    """Of the pure liquid near 298 K (EC: 313 K, sulfolane: 303 K), from handbooks and suppliers; a first guess, never a
    result."""


BUILT_IN: dict[str, BuiltIn] = {
    "Li+": BuiltIn("[Li+]"),
    "Na+": BuiltIn("[Na+]"),
    "K+": BuiltIn("[K+]"),
    "Mg+2": BuiltIn("[Mg+2]"),
    "Zn+2": BuiltIn("[Zn+2]"),
    "Ca+2": BuiltIn("[Ca+2]"),
    "H3O+": BuiltIn("[OH3+]"),
    "EMIM+": BuiltIn("CC[n+]1ccn(C)c1"),
    "BMIM+": BuiltIn("CCCC[n+]1ccn(C)c1"),
    "PYR13+": BuiltIn("CCC[N+]1(C)CCCC1"),
    "PYR14+": BuiltIn("CCCC[N+]1(C)CCCC1"),
    "PF6-": BuiltIn("F[P-](F)(F)(F)(F)F"),
    "TFSI-": BuiltIn("O=S(=O)([N-]S(=O)(=O)C(F)(F)F)C(F)(F)F"),
    "FSI-": BuiltIn("O=S(=O)([N-]S(=O)(=O)F)F"),
    "BF4-": BuiltIn("F[B-](F)(F)F"),
    "FTFSI-": BuiltIn("O=S(=O)(F)[N-]S(=O)(=O)C(F)(F)F"),
    "BETI-": BuiltIn("O=S(=O)([N-]S(=O)(=O)C(F)(F)C(F)(F)F)C(F)(F)C(F)(F)F"),
    "OTf-": BuiltIn("[O-]S(=O)(=O)C(F)(F)F"),
    "BOB-": BuiltIn("O=C1O[B-]2(OC1=O)OC(=O)C(=O)O2"),
    "DFOB-": BuiltIn("F[B-]1(F)OC(=O)C(=O)O1"),
    "TDI-": BuiltIn("FC(F)(F)c1nc(C#N)c(C#N)[n-]1"),
    "ClO4-": BuiltIn("[O-]Cl(=O)(=O)=O"),
    "NO3-": BuiltIn("[O-][N+](=O)[O-]"),
    "SO4-2": BuiltIn("[O-]S(=O)(=O)[O-]"),
    "HSO4-": BuiltIn("OS(=O)(=O)[O-]"),
    "Cl-": BuiltIn("[Cl-]"),
    "water": BuiltIn("O", 0.997),
    "DME": BuiltIn("COCCOC", 0.864),
    "diglyme": BuiltIn("COCCOCCOC", 0.939),
    "triglyme": BuiltIn("COCCOCCOCCOC", 0.981),
    "tetraglyme": BuiltIn("COCCOCCOCCOCCOC", 1.006),
    "DOL": BuiltIn("C1COCO1", 1.060),
    "EC": BuiltIn("O=C1OCCO1", 1.321),
    "PC": BuiltIn("CC1COC(=O)O1", 1.200),
    "DMC": BuiltIn("COC(=O)OC", 1.063),
    "EMC": BuiltIn("CCOC(=O)OC", 1.007),
    "DEC": BuiltIn("CCOC(=O)OCC", 0.969),
    "FEC": BuiltIn("O=C1OCC(F)O1"),
    "VC": BuiltIn("O=C1OC=CO1", 1.35),
    "TMP": BuiltIn("COP(=O)(OC)OC", 1.21),
    "TEP": BuiltIn("CCOP(=O)(OCC)OCC", 1.072),
    "TFEP": BuiltIn("FC(F)(F)COP(=O)(OCC(F)(F)F)OCC(F)(F)F"),
    "BTFE": BuiltIn("FC(F)(F)COCC(F)(F)F"),
    "TTE": BuiltIn("FC(F)C(F)(F)COC(F)(F)C(F)F"),
    "HFE-347": BuiltIn("FC(F)C(F)(F)OCC(F)(F)F"),
    "acetonitrile": BuiltIn("CC#N", 0.777),
    "sulfolane": BuiltIn("O=S1(=O)CCCC1", 1.262),
}

# Relative volumes of atoms by the row of the periodic table (Girolami, J. Chem. Educ. 71, 962, 1994).
_GIROLAMI_ROWS = ((1, 1), (9, 2), (17, 4), (35, 5), (53, 7.5), (94, 9))
_GIROLAMI_CM3_PER_MOL = 5.0
_GIROLAMI_DENSER = ("[OX2H]", "[NX3;H1,H2]", "[SX3,SX4]=O", "[CX3](=O)[OX2H]")
"""Each such group, and each ring, makes the liquid 10 % denser, 30 % at most."""


class Species(NamedTuple):
    """What a box and its checks need to know of a molecule."""

    name: str
    smiles: str
    charge: int
    elements: tuple[str, ...]
    """Of each atom, in the order of the SMILES, hydrogens behind."""
    molar_mass_g_per_mol: float
    molar_volume_cm3_per_mol: float
    """Estimate in a liquid: from the density of the pure liquid where known, else after Girolami, good to 10 %."""

    @property
    def is_water(self) -> bool:
        """Whatever the isotopes, and wherever the SMILES names them."""
        return sorted(self.elements) == ["H", "H", "O"] and not self.charge

    @property
    def n_protons(self) -> int:
        """Sum of the atomic numbers."""
        from rdkit.Chem import GetPeriodicTable

        return sum(map(GetPeriodicTable().GetAtomicNumber, self.elements))


@cache
def find_species(where: str, name: str, smiles: str | None = None, density_g_per_cm3: float | None = None) -> Species:
    """The species of a built-in name, or the one that a SMILES describes.

    Args:
        where: what the place in the configuration is called in an error.
        smiles: of a molecule that is not built in.
        density_g_per_cm3: of its pure liquid, if known.

    Raises:
        InputError: neither a built-in name nor a SMILES, a SMILES for another molecule than the built-in one of that
            name, or a SMILES that is not one connected molecule with hydrogens that can be added.
    """
    built_in = BUILT_IN.get(name)
    if built_in is None and smiles is None:
        error = unknown_name(where, name, BUILT_IN)
        raise InputError(f"{error}; or give a molecule of your own as {{{name}: {{smiles: ..., count: ...}}}}")
    molecule = molecule_of_smiles(where, built_in.smiles if smiles is None else smiles)
    if built_in and smiles is not None and not _same(molecule, molecule_of_smiles(where, built_in.smiles)):
        raise InputError(
            f"{where}: {name!r} is built in as {built_in.smiles!r}, but its smiles is {smiles!r}: leave smiles out, or "
            "choose another name"
        )
    from rdkit.Chem import Descriptors, GetFormalCharge

    mass = Descriptors.MolWt(molecule)
    density = density_g_per_cm3 or (built_in.liquid_density_g_per_cm3 if built_in else None)
    volume = mass / density if density else _girolami_volume(molecule)
    elements = tuple(atom.GetSymbol() for atom in molecule.GetAtoms())
    # A built-in molecule keeps its own SMILES, whatever spelling is given: the order of its atoms follows from it.
    own = built_in.smiles if built_in else smiles
    return Species(name, own, GetFormalCharge(molecule), elements, mass, volume)


@cache
def isotope_masses(where: str, smiles: str) -> Mapping[int, float]:
    """Mass in amu of each atom whose isotope the SMILES names, such as the hydrogens of `[2H]O[2H]`; by index.

    Raises:
        InputError: as `molecule_of_smiles`, or an isotope whose mass is not known.
    """
    from rdkit.Chem import GetPeriodicTable

    masses = {}
    for atom in molecule_of_smiles(where, smiles).GetAtoms():
        if number := atom.GetIsotope():
            mass = GetPeriodicTable().GetMassForIsotope(atom.GetAtomicNum(), number)
            if mass <= 0:
                raise InputError(
                    f"{where}: SMILES {smiles!r} names the isotope {number}{atom.GetSymbol()}, whose mass is "
                    "not known; write the mass number of an existing isotope, such as [2H], [13C] or [6Li+]"
                )
            masses[atom.GetIdx()] = mass
    return MappingProxyType(masses)


@cache
def molecule_of_smiles(where: str, smiles: str) -> "Mol":
    """RDKit's molecule with explicit hydrogens, one connected piece. Raises InputError for any other SMILES."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles.strip() else None
        if molecule is None:
            raise InputError(f"{where}: SMILES {smiles!r} describes no molecule that RDKit can read ({_why(smiles)})")
    pieces = Chem.GetMolFrags(molecule)
    if len(pieces) != 1:
        raise InputError(
            f"{where}: SMILES {smiles!r} is {len(pieces)} separate molecules; name each as a species of its own, "
            "for a salt its cation and its anion"
        )
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise InputError(f"{where}: SMILES {smiles!r} has an unpaired electron; add the missing hydrogens or charges")
    if any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms()):
        raise InputError(f"{where}: SMILES {smiles!r} has an atom without an element (*); name the element")
    return Chem.AddHs(molecule)


def _why(smiles: str) -> str:
    """RDKit's own reason, in a few words."""
    from rdkit import Chem

    if not smiles.strip():
        return "it is empty"
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        return "brackets, rings or symbols do not match"
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
    return re.sub(r"\s+", " ", "; ".join(problems)) or "unknown reason"


def _same(one: "Mol", other: "Mol") -> bool:
    from rdkit.Chem import CanonSmiles, MolToSmiles

    return CanonSmiles(MolToSmiles(one)) == CanonSmiles(MolToSmiles(other))


def _girolami_volume(molecule: "Mol") -> float:
    """cm^3/mol; none for a metal ion, which draws its solvent together by about what it takes."""
    from rdkit.Chem import GetFormalCharge, MolFromSmarts

    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    if len(numbers) == 1 and GetFormalCharge(molecule) > 0:
        return 0.0
    volume = sum(next(v for last, v in _GIROLAMI_ROWS if number <= last) for number in numbers)
    groups = sum(len(molecule.GetSubstructMatches(MolFromSmarts(smarts))) for smarts in _GIROLAMI_DENSER)
    groups += molecule.GetRingInfo().NumRings()
    return _GIROLAMI_CM3_PER_MOL * volume / (1 + min(0.1 * groups, 0.3))
