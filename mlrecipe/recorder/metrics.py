"""Metrics: the numbers that an op of an evaluation graph gives. Imports nothing heavy."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from mlrecipe.errors import DataError

_LONGEST = 100
"""Characters of a metric's name, without that of its node."""


def metrics_of(value: Any) -> dict[str, float]:
    """What of an op's output are metrics, by name.

    Of a recorder its statistics that are finite numbers; of a dict its numbers, those of dicts inside
    under `outer/inner`; of a number itself under the name `""`; of anything else nothing. True and False
    are no numbers.

    Raises:
        DataError: a number has a name that no metric can have.
    """
    if _is_number(value):
        return {"": float(value)} if math.isfinite(value) else {}
    if isinstance(value, Mapping):
        return _named(_entries(value))
    module = sys.modules.get("mlrecipe.recorder.recorder")
    if module is None or not isinstance(value, module.Recorder):
        return {}
    found: Mapping[str, Any] = value.statistics
    return _named([(name, x) for name, item in found.items() for x in _finite(item)])


def _named(found: list[tuple[str, float]]) -> dict[str, float]:
    """The numbers by their names, which become parts of those of metrics."""
    for name, _ in found:
        if not name or len(name) > _LONGEST or not name.isprintable() or name.strip("/") != name:
            shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
            raise DataError(
                f"a metric cannot be called {shown!r}",
                hint=f"a name has 1 to {_LONGEST} printable characters, the first and the last of them no /",
            )
    return dict(found)


def _entries(found: Mapping[Any, Any]) -> list[tuple[str, float]]:
    """The numbers of a dict and of the dicts inside it, in their order."""
    entries: list[tuple[str, float]] = []
    for name, item in found.items():
        if isinstance(item, Mapping):
            entries += [(f"{name}/{inner}", number) for inner, number in _entries(item)]
        else:
            entries += [(str(name), number) for number in _finite(item)]
    return entries


def _finite(value: Any) -> list[float]:
    """The number, if it is one."""
    return [float(value)] if _is_number(value) and math.isfinite(value) else []


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return False
    if isinstance(value, int | float):
        return True
    # NumPy's scalars that are no floats of Python's own, without importing NumPy.
    return type(value).__module__ == "numpy" and hasattr(value, "__float__") and not getattr(
        value, "shape", None
    )  # fmt: skip
