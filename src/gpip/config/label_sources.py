"""The settings of labels by their `source`: every engine and every file format."""

from typing import Annotated, Union

from pydantic import Field

from gpip.config.engines import ENGINES
from gpip.config.labels import ComputedLabels, FileLabels
from gpip.config.readers import READERS
from gpip.core.errors import unknown_name

Labels = Annotated[Union[tuple({**ENGINES, **READERS}.values())], Field(discriminator="source")]  # noqa: UP007


def label_settings(given: dict) -> ComputedLabels | FileLabels:
    """The settings of one entry of `labels`, from plain values as a rule's params hold them."""
    known = ENGINES | READERS
    if given.get("source") not in known:
        raise unknown_name("labels: source", str(given.get("source")), known)
    return known[given["source"]].model_validate(given)
