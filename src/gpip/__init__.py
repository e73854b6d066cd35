"""Pre-trained machine-learned interatomic potentials for molecules and liquid electrolytes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpip.models.ase_calculator import calculator

__version__ = "0.1.0"
__all__ = ["__version__", "calculator"]


def __getattr__(name: str) -> Any:
    """`gpip.calculator`, loaded when it is asked for: PyTorch and ASE take seconds."""
    if name != "calculator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gpip.models.ase_calculator import calculator

    return calculator
