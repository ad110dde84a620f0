"""Labels of a report: how a name is shortened, and which of many are shown."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from mlrecipe.cli import render

_WIDTH = 24
"""Characters of a label that are shown."""


def worst(
    classes: Mapping[str, Mapping[str, float]], count: int, *, unit: str = "rows"
) -> list[str]:
    """The labels of the lowest F1 that there are any of, so many, in their order."""
    there = [label for label, one in classes.items() if one[unit]]
    found = set(islice(sorted(there, key=lambda label: classes[label]["f1"]), max(count, 0)))
    return [label for label in classes if label in found]


def short(label: str) -> str:
    """The label in few characters, all of them visible."""
    text = render.visible(label)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
