"""Which format a value is stored with."""

from __future__ import annotations

from typing import Any

from mlrecipe.errors import DataError
from mlrecipe.registry import registries


def choose(value: Any) -> str:
    """The name of the format for the value's type, or for the nearest of its bases that has one.

    Raises:
        DataError: there is none; the hint lists what there is.
    """
    names = {kind: entry.name for entry in registries["format"] for kind in entry.types}
    for base in type(value).__mro__:
        found = names.get(_qualified(base))
        if found is not None:
            return found
    known = sorted({kind.rpartition(".")[2] for kind in names})
    raise DataError(
        f"a node cannot return a value of type {_qualified(type(value))!r}",
        hint=f"return one of: {', '.join(known)}",
    )


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
