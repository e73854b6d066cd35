"""Repulsion of screened nuclei, which keeps atoms apart where no training frame has them."""

from collections.abc import Callable

import torch
from ase.data import covalent_radii
from torch import Tensor, nn

from gpip.core.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from gpip.graphs.graph import Graph
from gpip.models.blocks.spherical import polynomial_envelope
from gpip.models.interface import N_SPECIES

COULOMB_EV_ANGSTROM = HARTREE_TO_EV * BOHR_TO_ANGSTROM
"""e²/(4 π ε0)."""
SCREENING_LENGTH_ANGSTROM, SCREENING_EXPONENT = 0.46850, 0.23
COEFFICIENTS = (0.18175, 0.50986, 0.28022, 0.02817)
DECAYS = (3.19980, 0.94229, 0.40290, 0.20162)
"""Of the universal screening function, to the digits that LAMMPS has, with which it is 1 at zero distance."""
ENVELOPE_EXPONENT = 6


class ZBLRepulsion(nn.Module):
    """Z_i Z_j e²/(4 π ε0 r) φ(r/a), with φ(x) = Σ c exp(-d x) and a = 0.4685 Å / (Z_i^0.23 + Z_j^0.23).

    Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Solids (Pergamon, 1985). A polynomial envelope
    (Gasteiger et al., ICLR 2020, Eq. 8, p = 6) brings it to zero, with two continuous derivatives, at the sum of the
    covalent radii of the two atoms, as in MACE (Batatia et al., arXiv:2401.00096). It has no parameters to train and is
    computed in double precision.
    """

    def __init__(self, cutoff_angstrom: float) -> None:
        """`cutoff_angstrom` of the graphs ends pairs with larger sums of covalent radii."""
        super().__init__()
        self.cutoff_angstrom = cutoff_angstrom
        charges = torch.arange(N_SPECIES, dtype=torch.float64)
        # Not saved: they are constants, the same in every file.
        self.register_buffer("charges", charges, persistent=False)
        self.register_buffer("powers", charges**SCREENING_EXPONENT, persistent=False)
        self.register_buffer("radii", torch.from_numpy(covalent_radii[:N_SPECIES].copy()), persistent=False)

    def forward(self, graph: Graph) -> Tensor:
        """Energies of atoms [n_atoms], float64, eV: half of each of their pairs."""
        centre, neighbour = graph.species[graph.pairs.centre], graph.species[graph.pairs.neighbour]
        reach = (self.radii[centre] + self.radii[neighbour]).clamp(max=self.cutoff_angstrom)
        vectors = graph.pair_vectors()
        near = vectors.detach().double().square().sum(-1) < reach.square()
        centre, neighbour, reach = centre[near], neighbour[near], reach[near]
        distance = vectors[near].double().norm(dim=1)
        screened = distance * (self.powers[centre] + self.powers[neighbour]) / SCREENING_LENGTH_ANGSTROM
        screening = sum(c * torch.exp(-d * screened) for c, d in zip(COEFFICIENTS, DECAYS, strict=True))
        coulomb = COULOMB_EV_ANGSTROM * self.charges[centre] * self.charges[neighbour] / distance
        half = 0.5 * coulomb * screening * polynomial_envelope(distance / reach, ENVELOPE_EXPONENT)
        energies = half.new_zeros(graph.n_atoms)
        for end in (graph.pairs.centre, graph.pairs.neighbour):
            energies = energies.index_add(0, end[near], half)
        return energies

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ZBLRepulsion":
        """Conversions such as `.float()` move the constants, but leave them in double precision."""
        kept = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, before in kept.items():
            setattr(self, name, before.to(getattr(self, name).device))
        return self
