"""A potential as calculator of ASE (Hjorth Larsen et al., J. Phys.: Condens. Matter 29, 273002, 2017)."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator, PropertyNotImplementedError, all_changes
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from gpip.core.errors import InputError, unknown_name
from gpip.graphs.batching import check_species
from gpip.graphs.graph import Graph
from gpip.graphs.skin import SkinNeighbours
from gpip.models.checkpoint import load_potential
from gpip.models.potential import Potential


class CompositionWarning(UserWarning):
    """The energy of a configuration is less certain than its training suggests, by its composition."""


DTYPES = {"float32": torch.float32, "float64": torch.float64}


def calculator(
    path: str | Path,
    dtype: str | None = None,
    device: str = "auto",
    skin_angstrom: float = 0.5,
    require_reference_energies: bool = True,
) -> "PotentialCalculator":
    """The potential of a checkpoint as ASE calculator.

    Args:
        path: a checkpoint of pre-training or fine-tuning.
        dtype: `float32` or `float64`; without it the precision that the file has.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`: a GPU where there is one.
        skin_angstrom: the neighbour list is kept until an atom has moved half of this.
        require_reference_energies: refuse elements that no label of the training had. False: theirs count as zero.

    Raises:
        InputError: the file cannot be used, or an unknown dtype, or a device that is not there.
    """
    result = PotentialCalculator(load_potential(path), dtype, device, skin_angstrom, require_reference_energies)
    result.parameters["checkpoint"] = str(path)
    return result


class PotentialCalculator(Calculator):
    """Energy and free energy (eV, the same), energies of atoms (eV), forces (eV/Å), stress (eV/Å^3, Voigt: xx, yy, zz,
    yz, xz, xy; positive where the box wants to shrink).

    Any directions may be periodic, atoms may lie outside the cell, cells may be smaller than twice the cutoff. Stress
    needs three lattice vectors and a periodic direction. The energies of atoms are the terms of the network's sum, with
    the reference energies. Charges, magnetic moments and constraints are not seen.

    A composition that is no mixture of those of the training frames gives a CompositionWarning, once for each
    composition.
    """

    name = "gpip"
    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]
    ignored_changes = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        potential: Potential,
        dtype: str | None = None,
        device: str = "auto",
        skin_angstrom: float = 0.5,
        require_reference_energies: bool = True,
    ) -> None:
        """`potential` itself is converted and moved; the other arguments are those of `calculator`."""
        super().__init__()
        if dtype is None:
            dtype = str(next(potential.parameters()).dtype).removeprefix("torch.")
        if dtype not in DTYPES:
            raise unknown_name("dtype of the calculator", str(dtype), DTYPES)
        if skin_angstrom < 0:
            raise InputError(f"skin_angstrom: {skin_angstrom}, expected zero or more")
        self.device, self.dtype = _device(device), DTYPES[dtype]
        self.potential = potential.to(self.device, self.dtype).eval().requires_grad_(False)
        self.skin_angstrom, self.require_reference_energies = skin_angstrom, require_reference_energies
        self.neighbours: SkinNeighbours | None = None
        self._judged: set[bytes] = set()
        self._stress_wanted = False
        self.parameters.update(dtype=dtype, device=str(self.device), skin_angstrom=skin_angstrom)

    def set(self, **changes: Any) -> dict[str, Any]:
        """Settings cannot be changed. Raises InputError."""
        if changes:
            raise InputError(
                f"{', '.join(changes)}: a calculator keeps its settings; make a new one with gpip.calculator"
            )
        return {}

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and forces always; stress from the first time on that it is asked for; energies of atoms on demand.

        Raises:
            InputError: no atoms, an element that the potential does not know, positions that are not finite, or
                periodic directions without independent lattice vectors.
            PropertyNotImplementedError: stress of atoms that are not in a box.
            CalculationFailed: energy or forces are not finite.
        """
        super().calculate(atoms, properties, system_changes)
        boxed = self.atoms.cell.rank == 3 and bool(self.atoms.pbc.any())
        if "stress" in properties:
            if not boxed:
                raise PropertyNotImplementedError("stress needs three lattice vectors and a periodic direction")
            self._stress_wanted = True
        graph = self._graph(self.atoms)
        if system_changes or "stress" in properties or "forces" not in self.results:
            self._evaluate(graph, self._stress_wanted and boxed)
        if "energies" in properties:
            self.results["energies"] = self._energies(graph)

    def _evaluate(self, graph: Graph, with_stress: bool) -> None:
        result = self.potential(graph, compute_stress=with_stress)
        energy, forces = float(result["energy"]), result["forces"].double().cpu().numpy()
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise CalculationFailed("energy or forces are not finite; do two atoms lie upon each other?")
        self.results.update(energy=energy, free_energy=energy, forces=forces)
        if with_stress:
            self.results["stress"] = full_3x3_to_voigt_6_stress(result["stress"][0].double().cpu().numpy())

    def _energies(self, graph: Graph) -> np.ndarray:
        """[n_atoms]: the terms of the sum."""
        with torch.no_grad():
            return self.potential.energies_of_atoms(graph).cpu().numpy()

    def _graph(self, atoms: Atoms) -> Graph:
        numbers, cell, pbc, known = atoms.numbers, atoms.cell.array, atoms.pbc, self.neighbours
        if known is None or not (
            np.array_equal(numbers, known.species)
            and np.array_equal(cell, known.cells[0])
            and np.array_equal(pbc, known.pbc)
        ):
            self._check(numbers)
            cutoff = self.potential.cutoff_angstrom
            self.neighbours = SkinNeighbours(
                numbers.copy(), cell.copy()[None], pbc.copy(), cutoff, self.skin_angstrom, self.dtype
            )
        return self.neighbours.graph(torch.from_numpy(atoms.positions[None]).to(self.device))

    def _check(self, numbers: np.ndarray) -> None:
        if not len(numbers):
            raise InputError("there are no atoms to calculate")
        check_species(numbers, "atoms")
        energies = self.potential.reference_energies.cpu().numpy()
        missing = [chemical_symbols[z] for z in np.unique(numbers) if energies[z] == 0]
        if missing and self.require_reference_energies:
            known = ", ".join(chemical_symbols[z] for z in np.flatnonzero(energies))
            raise InputError(
                f"the potential has reference energies for {known or 'no element'}, none for {', '.join(missing)}: its "
                "energies and forces have not been trained there; fine-tune it on labels with these elements, or give "
                "require_reference_energies=False"
            )
        self._warn_of_composition(numbers)

    def _warn_of_composition(self, numbers: np.ndarray) -> None:
        """Once for each composition; a box that changes at every step is checked at every step."""
        if self.potential.reference is None or (counts := np.bincount(numbers).tobytes()) in self._judged:
            return
        self._judged.add(counts)
        doubt = self.potential.reference.doubt_about(numbers)
        if doubt:
            warnings.warn(doubt, CompositionWarning, stacklevel=2)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device of the calculator: {name!r}, expected cpu, cuda, cuda:0, ... or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise InputError(f"device of the calculator: {name!r}, but PyTorch finds {found} GPUs; give cpu or auto")
    return device
