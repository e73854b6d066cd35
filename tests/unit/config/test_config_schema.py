"""The schema file that editors and Snakemake read is the one of the settings."""

from pathlib import Path

import jsonschema
import yaml

from gpip.config.project import json_schema

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"


def test_schema_file_is_up_to_date():
    assert SCHEMA.read_text() == json_schema(), "write it anew: gpip schema > workflow/schemas/config.schema.json"


def test_every_configuration_fits_the_schema():
    import json

    schema = json.loads(SCHEMA.read_text())
    files = [ROOT / "config.yaml", *ROOT.glob("experiments/*/config.yaml")]
    for path in files:
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
