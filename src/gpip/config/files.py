"""Configuration files: YAML or JSON, read without its silent surprises.

PyYAML, and so Snakemake's own loader, keeps the last of two equal keys, reads NO as false and 3:7 as 187. Such files
are refused here with the line; what passes means the same to both loaders. Merge keys (`<<`) and anchors work.
"""

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from gpip.core.errors import InputError

_BOOLEAN = "tag:yaml.org,2002:bool"
_INTEGER = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
_TEXT = "tag:yaml.org,2002:str"
_KINDS = {
    _BOOLEAN: "true or false",
    _INTEGER: "a number",
    _FLOAT: "a number",
    _NULL: "nothing (null)",
    "tag:yaml.org,2002:timestamp": "a date",
}


class _Refused(InputError):
    """A problem with its line, to which the name of the file is added."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line = node.start_mark.line + 1


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses what is silently read as something other than what is written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode) and not getattr(node, "gpip_checked", False):
            _check_keys(node)
            node.gpip_checked = True  # merging rewrites the node; it may then hold a key and what it replaces
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value = super().construct_yaml_int(node)
        text = node.value.replace("_", "").lstrip("+-")
        if ":" in text or re.fullmatch(r"0\d+", text):
            raise _Refused(node, f"YAML reads {node.value} as the number {value}; {_number_advice(text)}")
        return value

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = super().construct_yaml_float(node)
        if ":" in node.value:
            raise _Refused(node, f"YAML reads {node.value} as the number {value:g}; {_number_advice(node.value)}")
        return value


_Loader.add_constructor(_INTEGER, _Loader.construct_yaml_int)
_Loader.add_constructor(_FLOAT, _Loader.construct_yaml_float)


def _number_advice(text: str) -> str:
    if ":" in text:
        return "write a ratio as a mapping such as {EC: 3, DMC: 7}, and put text in quotes"
    return f"write {text.lstrip('0') or '0'}, or put the text in quotes"


def _check_keys(node: yaml.MappingNode) -> None:
    first: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            continue
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused(key, "a list or mapping stands where a name is expected, in front of a colon")
        if key.tag != _TEXT:
            kind = _KINDS.get(key.tag, "something other than text")
            raise _Refused(key, f"YAML reads the name {key.value or '~'} as {kind}; put it in quotes: '{key.value}'")
        # {DME:10} is one word without a value.
        if key.style is None and value.tag == _NULL and not value.value and re.search(r"\S:\S", key.value):
            name, _, rest = key.value.rpartition(":")
            raise _Refused(key, f"{key.value!r} is one word to YAML; put a space after the colon: {name}: {rest}")
        if key.value in first:
            before = first[key.value].start_mark.line
            elsewhere = f", first in line {before + 1}" if before != key.start_mark.line else " in this line"
            raise _Refused(
                key,
                f"the key {key.value!r} is given twice{elsewhere}, and only one of the two would count; "
                "keep one of them, or give one of them another name",
            )
        first[key.value] = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InputError(f"the key {key!r} is given twice in one object, and only one of the two would count")
        found[key] = value
    return found


def read_config(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML or JSON file; an empty file is an empty one.

    Raises:
        InputError: with file and line: the file is missing, is no text, is not valid YAML, gives a key twice, or has
            keys or numbers that YAML reads as something other than what is written.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run in the folder that holds config.yaml, or name the file") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name the configuration file in it, such as config.yaml") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start})") from None
    try:
        raw = json.loads(text, object_pairs_hook=_unique)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except ValueError:
        raw = _read_yaml(path, text)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected settings such as 'systems:' at the top, got a {type(raw).__name__}")
    return raw


def _read_yaml(path: str | Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except _Refused as error:
        raise InputError(f"{path}, line {error.line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}, line {line}: {_yaml_problem(text, line, error)}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _yaml_problem(text: str, line: int, error: yaml.MarkedYAMLError) -> str:
    lines = text.splitlines()
    # A tab is often noticed one line later, where the parser gives up.
    for number in (line, line - 1):
        if 0 < number <= len(lines) and "\t" in re.match(r"\s*", lines[number - 1])[0]:
            where = "this line is" if number == line else f"line {number} is"
            return f"not valid YAML: {where} indented with a tab; indent with spaces"
    what = error.problem or error.context or "it cannot be read"
    if "\t" in what or "\\t" in what:
        return "not valid YAML: there is a tab in this line; use spaces"
    if "mapping values are not allowed" in what:
        what += " (is a space missing after a colon, or is this line indented differently from its neighbours?)"
    elif "alias" in what:
        what += " (a text that begins with * or & must be in quotes)"
    context = f" {error.context}" if error.context and error.problem else ""
    return f"not valid YAML:{context} {what}"
