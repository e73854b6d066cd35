"""Strict settings: an unknown key is an error that names the nearest known one."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gpip.core.errors import nearest

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""A name the user gives: it becomes part of a path, so letters, digits, dot, dash and underscore only."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


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
        return given


def whole_steps(what: str, duration: float, step: float, unit: str) -> int:
    """How many `step` fit into `duration`; ValueError when it is not a whole number of at least one."""
    n = round(duration / step)
    if n < 1 or abs(n * step - duration) > 1e-6 * duration:
        raise ValueError(f"{what}: {duration} {unit} is not a whole number of steps of {step} {unit}")
    return n
