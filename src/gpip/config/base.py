"""Strict settings: an unknown key is an error that names the nearest known one."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from gpip.core.errors import nearest

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""A name the user gives: it becomes part of a path, so letters, digits, dot, dash and underscore only."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]

CELSIUS_ZERO_KELVIN = 273.15
_WITH_UNIT = re.compile(r"^\s*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*([^\d\s.,].*?)\s*$")


def number_with_unit(raw: Any) -> tuple[float, str] | None:
    """Number and unit of a text such as "25 °C"; None for anything else."""
    found = _WITH_UNIT.match(raw) if isinstance(raw, str) else None
    return (float(found[1]), found[2]) if found else None


def _kelvin(raw: Any) -> Any:
    """Refuse what is plainly not in kelvin, and say what it would be."""
    given = number_with_unit(raw)
    if given:
        value, unit = given
        if unit.lower().lstrip("°º").strip() in {"c", "celsius", "degc"}:
            value += CELSIUS_ZERO_KELVIN
        elif unit.lower() not in {"k", "kelvin"}:
            return raw
        raise ValueError(f"temperatures are plain numbers in kelvin: write {value:g}")
    if isinstance(raw, int | float) and raw <= 0:
        degrees = f"; {raw:g} °C would be {raw + CELSIUS_ZERO_KELVIN:g}" if raw > -CELSIUS_ZERO_KELVIN else ""
        raise ValueError(f"temperatures are in kelvin and above 0{degrees}")
    return raw


Kelvin = Annotated[Positive, BeforeValidator(_kelvin)]
"""A temperature."""


class Strict(BaseModel):
    """Base of all settings: frozen, no unknown keys, no silent conversion of text to numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        shown = [field.alias or name for name, field in cls.model_fields.items()]
        for key in given:
            if key not in shown and not (key in cls.model_fields and cls.model_config.get("populate_by_name")):
                guess = nearest(str(key), shown)
                hint = f"did you mean {guess!r}? " if guess else ""
                raise ValueError(f"unknown key {key!r}; {hint}known keys: {', '.join(shown)}")
        for key in _never_boolean(cls):
            if key in given:
                _refuse_booleans(key, given[key])
        return given

    def without_effect(self) -> set[str]:
        """Names of the settings that change nothing, given the values of the others."""
        return set()

    def used(self) -> dict[str, Any]:
        """The settings that have an effect, as plain values: what a record of a run lists."""
        unused = self.without_effect()
        return {name: _used(getattr(self, name)) for name in type(self).model_fields if name not in unused}


def _used(value: Any) -> Any:
    if isinstance(value, Strict):
        return value.used()
    if isinstance(value, Mapping):
        return {key: _used(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_used(one) for one in value]
    return value


@cache
def _never_boolean(settings: type[Strict]) -> tuple[str, ...]:
    return tuple(key for key, field in settings.model_fields.items() if not _takes_booleans(field.annotation))


def _takes_booleans(annotation: Any) -> bool:
    """Whether a field may hold true or false, or settings that check themselves."""
    if annotation in (bool, Any) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return True
    return any(_takes_booleans(one) for one in get_args(annotation) if not isinstance(one, str | list))


def _refuse_booleans(where: str, raw: Any) -> None:
    """YAML reads yes, no, on and off as true and false, and Python counts these as 1 and 0."""
    if isinstance(raw, bool):
        word = "true, yes or on" if raw else "false, no or off"
        raise ValueError(f"{where}: expected a number or a text, got {word}; put a text such as 'NO' in quotes")
    if isinstance(raw, list):
        for one in raw:
            _refuse_booleans(where, one)
    if isinstance(raw, dict):
        for key, one in raw.items():
            _refuse_booleans(f"{where}.{key}", one)


def whole_steps(what: str, duration: float, step: float, unit: str) -> int:
    """How many `step` fit into `duration`; ValueError when it is not a whole number of at least one."""
    n = round(duration / step)
    if n < 1 or abs(n * step - duration) > 1e-6 * duration:
        raise ValueError(f"{what}: {duration} {unit} is not a whole number of steps of {step} {unit}")
    return n
