"""Settings given once for many systems, and named variants of a whole configuration."""

from collections.abc import Mapping
from typing import Any

from gpip.core.errors import InputError, unknown_name


def merged(base: Any, change: Any) -> Any:
    """`change` laid over `base`: mappings key by key, null takes a key out, anything else replaces."""
    if not (isinstance(base, Mapping) and isinstance(change, Mapping)):
        return change
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(base.get(key), value)
    return result


def resolved(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with its scale laid over it and the defaults of its systems under each system.

    Raises:
        InputError: `scale` names none of `scales`, or one of these three settings is no mapping.
    """
    for key in ("scales", "system_defaults"):
        if not isinstance(raw.get(key) or {}, Mapping):
            raise InputError(f"{key}: expected a mapping, got {raw[key]!r}")
    scale, scales = raw.get("scale"), raw.get("scales") or {}
    if scale is not None:
        if scale not in scales:
            raise unknown_name("scale", str(scale), scales)
        raw = merged(raw, scales[scale])
    defaults, systems = raw.get("system_defaults") or {}, raw.get("systems") or {}
    result = dict(raw)
    if isinstance(systems, Mapping):
        result["systems"] = {
            name: merged(defaults, one) if isinstance(one, Mapping) else one for name, one in systems.items()
        }
    return result
