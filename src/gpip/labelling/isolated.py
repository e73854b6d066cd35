"""Energies of isolated atoms at the level of theory of labels: computed by the engine, tabulated, or given."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase.data import ground_state_magnetic_moments

from gpip.config.labels import ComputedLabels, LabelSettings
from gpip.core.errors import InputError
from gpip.core.frame import Frame
from gpip.core.provenance import provenance
from gpip.core.reference_energies import Anchors, symbols_of, write_anchors
from gpip.datasets.reader import Dataset
from gpip.labelling.levels import level_in_table, tabulated_energies
from gpip.labelling.process import EngineProcess
from gpip.labelling.run import Labeller, label_frame


def write_isolated_atoms(settings: LabelSettings, labels: str | Path, output: str | Path) -> None:
    """Write the anchors of the reference energies (JSON) for the elements of a labels file.

    Raises:
        InputError: an element cannot be computed or is not in the table.
    """
    species = [system.species for system in Dataset(labels).systems.values()]
    elements = sorted({int(z) for one in species for z in one})
    anchors = anchors_of(settings, elements)
    if anchors.source is None:
        print("reference energies are fitted to the training frames alone: energies of isolated atoms are not known")
    else:
        print(f"isolated atoms: {anchors.source}")
        for symbol, energy in anchors.energies_ev.items():
            print(f"  {symbol}: {energy:.6f} eV")
    write_anchors(output, anchors, provenance("isolated_atoms", settings, inputs=[labels]))


def anchors_of(settings: LabelSettings, elements: Iterable[int]) -> Anchors:
    """The energies of isolated atoms that settings of labels ask for, by atomic numbers; none where they are fitted.

    Raises:
        InputError: an element cannot be computed, is not in the table, or is not among the energies given.
    """
    elements, choice = list(elements), settings.reference_energies
    if choice == "fitted":
        return Anchors()
    if isinstance(choice, dict):
        anchors = Anchors({symbol: choice[symbol] for symbol in symbols_of(elements) if symbol in choice}, "as given")
        if not anchors.energies_ev:
            raise InputError(
                f"reference_energies: {', '.join(choice)} given, but the labels have {', '.join(symbols_of(elements))}"
            )
        anchors.check_elements(elements, "reference_energies")
        return anchors
    if isinstance(settings, ComputedLabels):
        with EngineProcess(settings) as engine:
            energies = isolated_atom_energies(engine, elements)
        return Anchors(energies, f"computed by {' '.join(filter(None, (settings.source, method_of(settings))))}")
    level = level_in_table(settings)
    if level is None:
        return Anchors()
    source = f"{level}, tabulated"
    tabulated = tabulated_energies()[level]
    anchors = Anchors({s: tabulated[s] for s in symbols_of(elements) if s in tabulated} or tabulated, source)
    anchors.check_elements(elements, f"level_of_theory {level}")
    return anchors


def isolated_atom_energies(labeller: Labeller, elements: Iterable[int]) -> dict[str, float]:
    """Energies of neutral atoms without a box in eV by symbol, in their ground state by Hund's rules.

    Raises:
        InputError: the engine fails.
    """
    energies = {}
    for z in elements:
        atom = Frame(np.array([z]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
        (symbol,) = symbols_of([z])
        n_unpaired = int(ground_state_magnetic_moments[z])
        result = label_frame(labeller, atom, charge=0, n_unpaired=n_unpaired)
        if result.failed:
            raise InputError(
                f"isolated atom {symbol} ({n_unpaired} unpaired electrons): {result.reason}; give reference_energies: "
                f"{{{symbol}: ...}} in eV for all elements, or fitted"
            )
        energies[symbol] = float(result.energy)
    return energies


def method_of(settings: ComputedLabels) -> str:
    """What the settings of an engine call its level of theory."""
    return str(getattr(settings, "method", ""))
