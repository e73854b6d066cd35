"""Errors that a user can act on: where, what was given, what was expected, what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used. The message is shown without a traceback."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is close."""
    known = list(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return lowered[matches[0]] if matches else None


def unknown_name(where: str, name: str, known: Iterable[str]) -> InputError:
    """Error for a name that is none of the known ones, with the nearest one suggested."""
    known = sorted(known)
    guess = nearest(name, known)
    hint = f"did you mean {guess!r}? " if guess else ""
    place = f"{where}: " if where else ""
    return InputError(f"{place}{name!r} is not known; {hint}known: {', '.join(known) or 'none'}")
