"""Values cut to what fits on a screen; imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

TEXT_LENGTH = 200
LIST_LENGTH = 16

_INT_BITS = 1000


def shorten(value: Any) -> Any:
    """The value as JSON, what is long cut and ended with `…`."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_LENGTH else value[:TEXT_LENGTH] + "…"
    if isinstance(value, Mapping):
        return {_name(key): shorten(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        cut = [shorten(item) for item in value[:LIST_LENGTH]]
        return cut if len(value) <= LIST_LENGTH else [*cut, "…"]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > _INT_BITS:
        return f"{value.bit_length()} bits"
    return value if value is None or isinstance(value, bool | int | float) else shorten(str(value))


def _name(key: Any) -> str:
    try:
        return str(key)
    except ValueError:  # a number in it is too long for decimal digits
        return str(shorten(key))
