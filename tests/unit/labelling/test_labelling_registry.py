"""Every source of the configuration has its engine or reader, and the reverse."""

import subprocess
import sys

import pytest

from gpip.config.engines import ENGINES as ENGINE_SETTINGS
from gpip.config.label_sources import label_settings
from gpip.config.readers import READERS as READER_SETTINGS
from gpip.core.errors import InputError
from gpip.labelling import registry
from gpip.labelling.engines.base import Engine
from gpip.labelling.readers.base import Reader


def test_settings_and_registry_name_the_same_sources() -> None:
    assert list(registry.ENGINES) == list(ENGINE_SETTINGS)
    assert list(registry.READERS) == list(READER_SETTINGS)
    for name, settings in (ENGINE_SETTINGS | READER_SETTINGS).items():
        assert settings.model_fields["source"].annotation.__args__ == (name,)


@pytest.mark.parametrize("name", registry.ENGINES)
def test_every_engine_is_there(name: str) -> None:
    engine = registry.engine_class(name)
    assert issubclass(engine, Engine)
    assert engine.name == name


@pytest.mark.parametrize("name", registry.READERS)
def test_every_reader_is_there(name: str) -> None:
    reader = registry.make_reader(READER_SETTINGS[name](source=name, path="x"), "x")
    assert isinstance(reader, Reader)


def test_an_unknown_source_names_the_nearest() -> None:
    with pytest.raises(InputError, match="'tblit' is not known; did you mean 'tblite'"):
        registry.engine_class("tblit")
    with pytest.raises(InputError, match="'deepms' is not known; did you mean 'deepmd'"):
        label_settings({"source": "deepms"})


def test_engines_are_looked_up_without_importing_their_programs() -> None:
    code = (
        "import sys; from gpip.labelling.registry import ENGINES, engine_class\n"
        "[engine_class(name) for name in ENGINES]\n"
        "heavy = {'ase', 'tblite', 'torch', 'pyscf', 'scipy'} & {name.split('.')[0] for name in sys.modules}\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
