"""Settings of the programs that compute labels: one class each, named in ENGINES and in `gpip.labelling.registry`."""

from typing import Literal

from gpip.config.base import Count, Positive
from gpip.config.labels import ComputedLabels


class TBLiteLabels(ComputedLabels):
    """GFN-xTB by tblite, in process."""

    source: Literal["tblite"]
    method: Literal["GFN1-xTB", "GFN2-xTB"] = "GFN1-xTB"
    accuracy: Positive = 1.0
    max_iterations: Count = 250
    electronic_temperature_kelvin: Positive = 300.0


ENGINES: dict[str, type[ComputedLabels]] = {"tblite": TBLiteLabels}
"""Settings of each engine by the name that config.yaml gives in `source`."""
