"""How deep tables and arrays of a recipe may lie in each other: whatever goes through them may recurse."""

from __future__ import annotations

from typing import Any

DEEPEST = 100
"""Levels; Python itself gives up at about 300 of them where each takes three calls."""

TOO_DEEP = f"nested too deeply, more than {DEEPEST} levels"


def is_too_deep(value: Any) -> bool:
    """Whether tables and arrays of the value lie in each other more than `DEEPEST` times."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [below for above in level for below in _inside(above)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
