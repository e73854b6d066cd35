"""What is called available builds: OpenFF is asked where it is installed, and else not called checked."""

from importlib.util import find_spec

import pytest

from gpip.config import Project, project_from
from gpip.core.errors import InputError
from gpip.forcefields import openff
from gpip.forcefields.available import check_force_fields

has_openff = bool(find_spec("openff") and find_spec("openff.interchange"))


def project(species: dict, force_field: str = "openff-2.2.1") -> Project:
    return project_from({"systems": {"a": {"species": species, "force_field": force_field, "density": "npt"}}})


REFUSED = {
    "boron": ({"Na+": 3, "BF4-": 3, "EC": 60}, r"systems\.a: species 'BF4-': openff-2\.2\.1 has no parameters of B;"),
    "silicon": ({"X": {"smiles": "C[Si](C)(C)C", "count": 60}}, r"species 'X': .* no parameters of Si"),
    "an ion of one atom": (
        {"Zn+2": 3, "Cl-": 6, "EC": 60},
        r"species 'Zn\+2': .* no parameters of Zn\+2; .*Li\+, Na\+",
    ),
    "six neighbours": ({"Li+": 3, "PF6-": 3, "EC": 60}, r"species 'PF6-': .*has 6 neighbours"),
    "perchlorate": ({"Li+": 3, "ClO4-": 3, "EC": 60}, r"species 'ClO4-': .*no terms for Cl with 4 neighbours"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_openff_force_field_knows_is_refused_without_openff(name):
    species, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        check_force_fields(project(species))


@pytest.mark.skipif(has_openff, reason="OpenFF is installed, and asked")
def test_without_openff_its_systems_are_not_called_checked():
    (warning,) = check_force_fields(project({"Li+": 3, "TFSI-": 3, "EC": 60}))
    assert "systems.a: openff-2.2.1 is not installed here" in warning
    assert "--software-deployment-method conda" in warning
    (warning,) = check_force_fields(project({"Li+": 3, "TFSI-": 3, "EC": 60}), openff_by_conda=True)
    assert "--software-deployment-method" not in warning


def test_where_openff_is_installed_it_is_asked(monkeypatch):
    """What building would refuse, here said by a stand-in for its packages, `check` refuses."""
    asked = []

    def refuse(box):
        asked.append(box)
        raise InputError("species 'X': no partial charges")

    monkeypatch.setattr(openff, "is_installed", lambda: True)
    monkeypatch.setattr(openff, "check_with_openff", refuse)
    with pytest.raises(InputError, match=r"systems\.a: species 'X': no partial charges"):
        check_force_fields(project({"X": {"smiles": "CCO", "count": 60}}))
    assert len(asked) == 1
    assert check_force_fields(project({"EC": 60}, "opls-aa")) == []


@pytest.mark.skipif(not has_openff, reason="OpenFF is not installed (envs/openff.yaml has it)")
def test_openff_itself_is_asked():
    with pytest.raises(InputError, match="did you mean"):
        check_force_fields(project({"EC": 60}, "openff-9.9.9"))
    assert check_force_fields(project({"EC": 60})) == []


def test_open_stereocentres_are_a_warning():
    species = {"X": {"smiles": "CC(O)C#N", "count": 60}}
    assert any("leaves 1 stereocentre open" in one for one in check_force_fields(project(species)))
    species = {"X": {"smiles": "C[C@H](O)C#N", "count": 60}}
    assert not any("stereocentre" in one for one in check_force_fields(project(species)))
