import pytest
from opls_formulas import SMILES

from gpip.forcefields.opls.assign import type_molecule
from gpip.forcefields.terms import TypedMolecule


@pytest.fixture(scope="session")
def typed():
    """Typed molecule of a species of `SMILES`."""
    cache = {}

    def of(name: str) -> TypedMolecule:
        if name not in cache:
            cache[name] = type_molecule(name, SMILES[name])
        return cache[name]

    return of
