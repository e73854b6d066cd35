"""Which atoms of a solution are coordinated by which: pairs of sites, from what its species are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import shortest_path

from gpip.core.errors import InputError
from gpip.core.species import Species, find_species, molecule_of_smiles

OF_ANIONS = ("F", "O", "N")
"""Elements by which an anion coordinates a cation, beside its central atom."""
OF_SOLVENTS = ("O", "N")
"""The first of these that a solvent has."""


class Site(NamedTuple):
    """The atoms of one kind in all molecules of a species."""

    species: str
    element: str
    atoms: tuple[int, ...]
    """Indices in the box."""


class SitePair(NamedTuple):
    """Neighbours of kind `second` are counted around each atom of kind `first`."""

    kind: str
    """`cation-anion`, `cation-solvent`, `cation-cation` or `solvent-solvent`."""
    first: Site
    second: Site

    @property
    def name(self) -> str:
        """Such as "Na+ · F of PF6-"."""
        first, second = (
            site.species if _is_bare(site) else f"{site.element} of {site.species}"
            for site in (self.first, self.second)
        )
        return f"{first} · {second}"


@dataclass(frozen=True)
class Contents:
    """The species of a box, in the order of its atoms."""

    species: tuple[Species, ...]
    counts: tuple[int, ...]

    @classmethod
    def from_settings(cls, given: Mapping[str, Mapping[str, Any]]) -> "Contents":
        """From {name: {count: n, smiles: ...}}. Raises InputError for a species that is neither known nor a SMILES."""
        return cls(
            tuple(find_species("species", name, one.get("smiles")) for name, one in given.items()),
            tuple(int(one["count"]) for one in given.values()),
        )

    @property
    def elements(self) -> list[str]:
        """Of each atom in the box."""
        return [element for one, n in self.numbered() for element in one.elements * n]

    def numbered(self) -> Iterator[tuple[Species, int]]:
        return zip(self.species, self.counts, strict=True)

    def site(self, wanted: Species, atoms_of_molecule: list[int]) -> Site:
        """The given atoms of one molecule, in every molecule of the species."""
        start = 0
        for one, count in self.numbered():
            n_atoms = len(one.elements)
            if one == wanted:
                atoms = [start + n_atoms * i + atom for i in range(count) for atom in atoms_of_molecule]
                return Site(one.name, one.elements[atoms_of_molecule[0]], tuple(atoms))
            start += n_atoms * count
        raise InputError(f"{wanted.name!r} is not in this box")


def site_pairs(contents: Contents) -> list[SitePair]:
    """The pairs whose radial distributions tell how a solution is built.

    Around each cation: the central atom and the coordinating atoms of each anion, the coordinating atoms of each
    solvent, the cations. Without ions: the coordinating atoms of the solvents around each other.
    """
    cations = [one for one in contents.species if one.charge > 0]
    anions = [one for one in contents.species if one.charge < 0]
    solvents = [one for one in contents.species if not one.charge]
    centre = {one: contents.site(one, [central_atom(one)]) for one in cations + anions}
    donors = {one: site for one in solvents if (site := _donor(contents, one))}
    pairs = []
    for cation in cations:
        for anion in anions:
            sites = [centre[anion], *_coordinating(contents, anion, OF_ANIONS)]
            pairs += [SitePair("cation-anion", centre[cation], site) for site in sites]
        pairs += [SitePair("cation-solvent", centre[cation], site) for site in donors.values()]
    pairs += [SitePair("cation-cation", centre[a], centre[b]) for i, a in enumerate(cations) for b in cations[i:]]
    if not cations and not anions:
        sites = list(donors.values())
        pairs += [SitePair("solvent-solvent", a, b) for i, a in enumerate(sites) for b in sites[i:]]
    return pairs


def central_atom(species: Species) -> int:
    """The heavy atom nearest to all others along the bonds, the heaviest of several: P in PF6-, N in TFSI-."""
    molecule = molecule_of_smiles(species.name, species.smiles)
    heavy = [i for i, element in enumerate(species.elements) if element != "H"] or [0]
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()], int).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(bonds)), bonds.T), shape=(len(species.elements),) * 2)
    distance = shortest_path(graph, directed=False, unweighted=True)[np.ix_(heavy, heavy)].sum(axis=1)
    number = [molecule.GetAtomWithIdx(i).GetAtomicNum() for i in heavy]
    return heavy[min(range(len(heavy)), key=lambda i: (distance[i], -number[i]))]


def _coordinating(contents: Contents, species: Species, elements: tuple[str, ...]) -> list[Site]:
    central = central_atom(species) if species.charge else None
    found = []
    for wanted in elements:
        atoms = [i for i, element in enumerate(species.elements) if element == wanted and i != central]
        found += [contents.site(species, atoms)] if atoms else []
    return found


def _donor(contents: Contents, solvent: Species) -> Site | None:
    return next(iter(_coordinating(contents, solvent, OF_SOLVENTS)), None)


def _is_bare(site: Site) -> bool:
    """A single-atom ion is called by its own name."""
    return site.species.rstrip("+-0123456789") == site.element
