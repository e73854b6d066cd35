"""OpenFF force fields by openff-toolkit and Interchange, for molecules that OPLS-AA lacks.

None of the OpenFF packages is needed to import this module: it says what is missing when a system is asked for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import openmm

from gpip.config.systems import OPENFF, Box
from gpip.core.errors import InputError, unknown_name
from gpip.core.species import Species, molecule_of_smiles
from gpip.core.units import NM_TO_ANGSTROM
from gpip.forcefields.tip3p import EWALD_ERROR_TOLERANCE

if TYPE_CHECKING:
    from openff.toolkit import ForceField, Molecule
    from rdkit.Chem import Mol

WATER_AND_IONS = "tip3p.offxml"
"""TIP3P water with the alkali and halide ions of Joung and Cheatham (J. Phys. Chem. B 112, 9020, 2008)."""
NAGL_MODEL = "openff-gnn-am1bcc-1.0.0.pt"
"""Graph network for AM1-BCC charges; that of the force field itself is used where it names one (from 2.3 on)."""
INSTALL = (
    "run Snakemake with --software-deployment-method conda, which makes the environment envs/openff.yaml for this "
    "rule, or install openff-toolkit, openff-interchange and openff-nagl from conda-forge (docs/openff.md)"
)
OPLS = "use opls-aa, with terms of your own where it lacks some (docs/opls-aa.md)"
FORCE_NAMES = {
    openmm.HarmonicBondForce: "bonds",
    openmm.HarmonicAngleForce: "angles",
    openmm.PeriodicTorsionForce: "torsions",
    openmm.NonbondedForce: "nonbonded",
    openmm.CMMotionRemover: "centre_of_mass",
}
MOST_NEIGHBOURS = 4
ELEMENTS = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
"""Of molecules that Sage has terms for."""
IONS = ("Li+", "Na+", "K+", "Rb+", "Cs+", "F-", "Cl-", "Br-", "I-")
"""Of one atom, in WATER_AND_IONS."""
UNEQUAL_CHARGE_E = 0.005


class OpenFFSystem(NamedTuple):
    """An OpenMM system and where its charges are from."""

    system: openmm.System
    force_field_files: tuple[str, ...]
    charge_method: dict[str, str]
    """Of each species."""
    partial_charges_e: dict[str, list[float]]
    """Of the atoms of each species, before ion_charge_scale."""


def openff_system(settings: Box) -> OpenFFSystem:
    """The system of a box or of one molecule, molecules in the order of `settings.amounts`, atoms as in their SMILES.

    Sage (Boothroyd et al., J. Chem. Theory Comput. 19, 3251, 2023) and its successors. Lorentz-Berthelot rules, 1-4
    Lennard-Jones terms halved, 1-4 Coulomb terms by 1/1.2. In a box: particle mesh Ewald, Lennard-Jones terms switched
    off over the last 1 Å before the cutoff as the force field says, long-range correction. Without: all pairs, no
    cutoff. Water is TIP3P; flexible, it has the springs of `gpip.forcefields.tip3p`, as OpenFF has none for water.
    Charges come from the library of the force field (water, monatomic ions), else from NAGL if installed, else from
    AM1-BCC by OpenEye or AmberTools.

    Raises:
        InputError: OpenFF is not installed, has no force field of this version, or a species has no parameters, no
            charges, or an atom with more than four neighbours.
    """
    _require_openff()
    field, files = _force_field(settings)
    molecules = {one.name: _molecule(one) for one in settings.amounts}
    methods = {
        one.name: _assign_charges(field, one, molecules[one.name], settings.force_field) for one in settings.amounts
    }
    charges = {}
    for one in settings.amounts:
        charges[one.name] = _parametrise_alone(field, one, molecules[one.name], settings.force_field)
    system = _box_system(field, settings, molecules)
    if settings.ion_charge_scale != 1:
        _scale_ions(system, settings.amounts, settings.ion_charge_scale)
    for group, force in enumerate(system.getForces()):
        force.setName(FORCE_NAMES[type(force)])
        force.setForceGroup(group)
    return OpenFFSystem(system, files, methods, charges)


def is_installed() -> bool:
    """Whether the packages that build OpenFF systems can be imported here."""
    try:
        _require_openff()
    except InputError:
        return False
    return True


def check_species(species: Species, force_field: str) -> None:
    """Refuse what no OpenFF force field has parameters for, without OpenFF.

    Raises:
        InputError: an ion of one atom or an element outside its lists, or an atom with neighbours that it has no terms
            for.
    """
    from rdkit.Chem import MolToSmiles

    where = f"species {species.name!r}"
    molecule = molecule_of_smiles(where, species.smiles)
    if molecule.GetNumAtoms() == 1:
        symbol, charge = species.elements[0], species.charge
        ion = f"{symbol}{'+' if charge > 0 else '-'}{abs(charge) if abs(charge) > 1 else ''}"
        if ion not in IONS:
            raise InputError(
                f"{where}: {force_field} has no parameters of {ion}; of ions of one atom it has {', '.join(IONS)}; "
                f"{OPLS}"
            )
        return
    strange = sorted(set(species.elements) - set(ELEMENTS))
    if strange:
        raise InputError(
            f"{where}: {force_field} has no parameters of {', '.join(strange)}; it has those of {', '.join(ELEMENTS)}; "
            f"{OPLS}"
        )
    _check_neighbours(where, molecule)
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() in ("F", "Cl", "Br", "I") and atom.GetDegree() > 1:
            raise InputError(
                f"{where}: {force_field} has no terms for {atom.GetSymbol()} with {atom.GetDegree()} neighbours, as in "
                f"{MolToSmiles(molecule)}; {OPLS}"
            )


def check_with_openff(settings: Box) -> None:
    """Type and charge each species of a box, as building it does. Raises InputError as `openff_system` does."""
    _require_openff()
    field, _ = _force_field(settings)
    for one in settings.amounts:
        molecule = _molecule(one)
        _assign_charges(field, one, molecule, settings.force_field)
        _parametrise_alone(field, one, molecule, settings.force_field)


def _require_openff() -> None:
    try:
        import openff.interchange
        import openff.toolkit  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"an openff force field needs the packages openff-toolkit and openff-interchange ({error}): {INSTALL}"
        ) from None


def _force_field(settings: Box) -> tuple["ForceField", tuple[str, ...]]:
    from openff.toolkit import ForceField
    from openff.toolkit.typing.engines.smirnoff import get_available_force_fields

    installed = {name for name in get_available_force_fields() if name.endswith(".offxml")}
    stem = "openff_unconstrained" if settings.constraints == "none" else "openff"
    file = settings.force_field.replace("openff", stem, 1) + ".offxml"
    if file not in installed:
        names = {name.removesuffix(".offxml").replace(stem, "openff", 1) for name in installed if name.startswith(stem)}
        raise unknown_name("force_field", settings.force_field, filter(OPENFF.match, names))
    if WATER_AND_IONS not in installed:
        raise InputError(f"{WATER_AND_IONS}, which holds water and monatomic ions, is not installed: {INSTALL}")
    field = ForceField(file, WATER_AND_IONS)
    if settings.cutoff_angstrom is not None:
        field["vdW"].cutoff = f"{settings.cutoff_angstrom} * angstrom"
        field["Electrostatics"].cutoff = f"{settings.cutoff_angstrom} * angstrom"
    _set_water(field, settings.rigid_water, settings.constraints == "h-bonds")
    return field, (file, WATER_AND_IONS)


def _set_water(field: "ForceField", rigid: bool, constrain_hydrogens: bool) -> None:
    """Springs of flexible TIP3P for water; those of its constraints removed that are not asked for."""
    from openff.toolkit import Molecule

    field["Bonds"].add_parameter(
        {
            "smirks": "[#1:1]-[#8X2H2+0:2]-[#1]",
            "length": "0.09572 * nanometer",
            "k": "462750.4 * kilojoule_per_mole / nanometer**2",
        }
    )
    field["Angles"].add_parameter(
        {
            "smirks": "[#1:1]-[#8X2H2+0:2]-[#1:3]",
            "angle": "104.52 * degree",
            "k": "836.8 * kilojoule_per_mole / radian**2",
        }
    )
    if rigid:
        return
    water = Molecule.from_smiles("O")
    parameters = field["Constraints"].parameters
    for parameter in list(parameters):
        pairs = water.chemical_environment_matches(parameter.smirks)
        between_hydrogens = any(water.atom(i).symbol == water.atom(j).symbol for i, j in pairs)
        if pairs and (between_hydrogens or not constrain_hydrogens):
            parameters.remove(parameter)


def _molecule(species: Species) -> "Molecule":
    """OpenFF's molecule, atoms in the order of RDKit's."""
    from openff.toolkit import Molecule

    where = f"species {species.name!r}"
    rdkit = molecule_of_smiles(where, species.smiles)
    _check_neighbours(where, rdkit)
    return Molecule.from_rdkit(rdkit, allow_undefined_stereo=True)


def _check_neighbours(where: str, molecule: "Mol") -> None:
    for atom in molecule.GetAtoms():
        if atom.GetDegree() > MOST_NEIGHBOURS:
            raise InputError(
                f"{where}: atom {atom.GetIdx()} ({atom.GetSymbol()}) has {atom.GetDegree()} neighbours. OpenFF has one "
                f"equilibrium angle for all neighbours of such an atom, and would force it out of shape; {OPLS}"
            )


def _assign_charges(field: "ForceField", species: Species, molecule: "Molecule", name: str) -> str:
    """Set the partial charges of a molecule unless the force field's library has them; what they were made by."""
    from openff.toolkit.utils.toolkits import AmberToolsToolkitWrapper, NAGLToolkitWrapper, OpenEyeToolkitWrapper

    where = f"species {species.name!r}"
    matches = [molecule.chemical_environment_matches(one.smirks) for one in field["LibraryCharges"].parameters]
    if {i for match in matches for atoms in match for i in atoms} == set(range(molecule.n_atoms)):
        return "library of the force field"
    if molecule.n_atoms == 1:
        raise InputError(
            f"{where}: neither {name} nor {WATER_AND_IONS} has parameters of this ion (they have those of alkali metal "
            f"and halide ions); {OPLS}"
        )
    has_model = "NAGLCharges" in field.registered_parameter_handlers
    if NAGLToolkitWrapper.is_available():
        method = field["NAGLCharges"].model_file if has_model else NAGL_MODEL
        wrapper, text = NAGLToolkitWrapper(), f"NAGL {method}"
    elif has_model:
        raise InputError(
            f"{where}: {name} takes its charges from a NAGL model, and openff-nagl is not installed: {INSTALL}"
        )
    elif OpenEyeToolkitWrapper.is_available():
        wrapper, method, text = OpenEyeToolkitWrapper(), "am1bccelf10", "AM1-BCC ELF10 by OpenEye"
    elif AmberToolsToolkitWrapper.is_available():
        wrapper, method, text = AmberToolsToolkitWrapper(), "am1bcc", "AM1-BCC by AmberTools"
    else:
        raise InputError(
            f"{where}: partial charges need openff-nagl with openff-nagl-models, or AmberTools, and none is installed: "
            f"{INSTALL}"
        )
    try:
        molecule.assign_partial_charges(method, toolkit_registry=wrapper)
    # The toolkits raise exceptions of many kinds, down to ValueError, for a molecule outside what they know.
    except Exception as error:
        raise InputError(f"{where}: no partial charges by {text} ({_short(error)}); {OPLS}") from error
    _check_equivalent(where, molecule, text)
    return text


def _check_equivalent(where: str, molecule: "Molecule", method: str) -> None:
    """Raise InputError where atoms that only their number tells apart have different charges."""
    from rdkit.Chem import CanonicalRankAtoms

    charges = molecule.partial_charges.m_as("elementary_charge")
    ranks = np.array(CanonicalRankAtoms(molecule.to_rdkit(), breakTies=False))
    for rank in np.unique(ranks):
        same = np.flatnonzero(ranks == rank)
        if np.ptp(charges[same]) > UNEQUAL_CHARGE_E:
            atoms = ", ".join(f"{molecule.atom(int(i)).symbol}{i} {charges[i]:+.3f} e" for i in same)
            raise InputError(
                f"{where}: {method} gave equivalent atoms different charges ({atoms}); install openff-nagl, whose "
                "charges depend on the bonds alone"
            )


def _parametrise_alone(field: "ForceField", species: Species, molecule: "Molecule", name: str) -> list[float]:
    """Partial charges of a molecule alone, e; finds out whether the force field has all its terms."""
    from openff.interchange.exceptions import InterchangeException
    from openff.toolkit.utils.exceptions import OpenFFToolkitException

    try:
        system = field.create_openmm_system(molecule.to_topology(), charge_from_molecules=_with_charges([molecule]))
    except (InterchangeException, OpenFFToolkitException) as error:
        raise InputError(
            f"species {species.name!r}: {name} lacks terms of SMILES {species.smiles!r} ({_short(error)}); {OPLS}"
        ) from error
    nonbonded = _nonbonded(system)
    charges = [nonbonded.getParticleParameters(i)[0]._value for i in range(molecule.n_atoms)]
    return [round(charge, 6) for charge in charges]


def _box_system(field: "ForceField", settings: Box, molecules: dict[str, "Molecule"]) -> openmm.System:
    from openff.toolkit import Quantity, Topology

    topology = Topology.from_molecules(
        [molecules[one.name] for one, count in settings.amounts.items() for _ in range(count)]
    )
    if settings.length_angstrom is not None:
        topology.box_vectors = Quantity(np.eye(3) * settings.length_angstrom / NM_TO_ANGSTROM, "nanometer")
    interchange = field.create_interchange(topology, charge_from_molecules=_with_charges(molecules.values()))
    return interchange.to_openmm_system(combine_nonbonded_forces=True, ewald_tolerance=EWALD_ERROR_TOLERANCE)


def _with_charges(molecules: Iterable["Molecule"]) -> list["Molecule"]:
    return [molecule for molecule in molecules if molecule.partial_charges is not None]


def _nonbonded(system: openmm.System) -> openmm.NonbondedForce:
    return next(force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))


def _scale_ions(system: openmm.System, amounts: dict[Species, int], scale: float) -> None:
    """Multiply the charges of all molecules that carry a net charge, those of their 1-4 pairs too."""
    nonbonded = _nonbonded(system)
    ionic = [one.charge != 0 for one, count in amounts.items() for _ in range(count * len(one.elements))]
    for i in np.flatnonzero(ionic):
        charge, sigma, epsilon = nonbonded.getParticleParameters(int(i))
        nonbonded.setParticleParameters(int(i), scale * charge, sigma, epsilon)
    for n in range(nonbonded.getNumExceptions()):
        i, j, product, sigma, epsilon = nonbonded.getExceptionParameters(n)
        if ionic[i]:
            nonbonded.setExceptionParameters(n, i, j, scale**2 * product, sigma, epsilon)


def _short(error: Exception, n_characters: int = 300) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= n_characters else text[:n_characters] + " ..."
