"""docs/configuration.md: every key of config.yaml with its type, default and meaning, from the settings themselves."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gpip.config.project import Project

INTRODUCTION = """# Every key of config.yaml

Made from the settings in `src/gpip/config` by `gpip schema --markdown`. An unknown key is an error. Units are in
the names: `_angstrom`, `_kelvin`, `_fs`, `_ps`, `_ev`. `name:` stands for a name of your own choosing (letters,
digits, `.`, `_`, `-`), which becomes part of paths under `results/`. Settings in *italics* hold keys of their own,
listed below them.
"""


def markdown() -> str:
    """The page, one section for each group of settings."""
    sections: dict[type[BaseModel], str] = {}
    _collect(Project, "top level", sections)
    return INTRODUCTION + "".join(_section(model, place) for model, place in sections.items())


def _collect(model: type[BaseModel], place: str, sections: dict[type[BaseModel], str]) -> None:
    if model in sections:
        sections[model] += f", `{place}`" if f"`{place}`" not in sections[model] else ""
        return
    sections[model] = place if place == "top level" else f"`{place}`"
    for name, field in model.model_fields.items():
        key = field.alias or name
        inside = key if place == "top level" else f"{place}.{key}"
        named = get_origin(_plain(field.annotation)) is dict
        for inner in _models(field.annotation):
            _collect(inner, f"{inside}.name" if named else inside, sections)


def _section(model: type[BaseModel], place: str) -> str:
    lines = [f"\n## {place}\n", f"{_text(model.__doc__)}\n", "| key | value | default | |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        value, meaning = _value(field), _text(field.description)
        lines.append(f"| `{field.alias or name}` | {value} | {_default(field)} | {meaning} |")
    presets = getattr(model, "presets", None)
    for name, values in (presets or {}).items():
        lines.append(f"\nPreset `{name}`: " + ", ".join(f"{key} {_flow(value)}" for key, value in values.items()))
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A group of settings on one line, as in YAML."""
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()}`" if type(value) is dict else value


def _text(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _plain(annotation: Any) -> Any:
    """An annotation without what surrounds it: Annotated, and None of an optional value."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return _plain(parts[0]) if len(parts) == 1 else annotation
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    annotation = _plain(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _value(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for kind, name, sign in ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))
        if isinstance(limit, kind)
    ]
    return " ".join([_type(field.annotation), ", ".join(limits)]).strip()


def _type(annotation: Any) -> str:
    annotation = _plain(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is dict:
        return f"name: {_type(parts[1])}" if parts[1] is not Any else "settings"
    if origin in (list, tuple):
        return f"list of {_type(parts[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"*{annotation.__name__}*"
    return {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}[annotation.__name__]


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "**needed**"
    if isinstance(field.default, BaseModel | dict | list):
        return ""
    if field.default is None:
        return "null"
    return f"{field.default}".lower() if isinstance(field.default, bool) else f"{field.default}"
