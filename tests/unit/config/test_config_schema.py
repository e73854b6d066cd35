"""What is generated from the settings, for editors, Snakemake and readers, is up to date."""

import json
from pathlib import Path

import jsonschema
import yaml

from gpip.config.project import json_schema
from gpip.config.reference import markdown

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"


def test_schema_file_is_up_to_date():
    assert SCHEMA.read_text() == json_schema(), "write it anew: gpip schema > workflow/schemas/config.schema.json"


def test_reference_page_is_up_to_date():
    assert (ROOT / "docs/configuration.md").read_text() == markdown(), (
        "write it anew: gpip schema --markdown > docs/configuration.md"
    )


def test_every_configuration_fits_the_schema():
    schema = json.loads(SCHEMA.read_text())
    files = [ROOT / "config.yaml", *ROOT.glob("experiments/*/config.yaml")]
    for path in files:
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
