"""What a run is made of, as trackers want it: each of the resolved recipe's keys with a plain value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli

from mlrecipe.runs.manifest import RECIPE


def parameters(folder: Path) -> dict[str, Any]:
    """The resolved recipe of a run, flat: `train.optimizer.lr` → 2e-05; empty where there is none.

    Secrets are there as the references that the recipe has. Lists are JSON.
    """
    try:
        recipe = tomli.loads((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(_flat(recipe, ""))


def nested(params: Mapping[str, Any]) -> dict[str, Any]:
    """The values in tables again, as their dotted keys say."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        *path, last = key.split(".")
        table = found
        for part in path:
            below = table.setdefault(part, {})
            if not isinstance(below, dict):  # a key that has a value cannot be a table too
                table, last = found, key
                break
            table = below
        table[last] = value
    return found


def _flat(table: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        elif isinstance(value, str | bool | int | float):
            yield path, value
        else:
            yield path, json.dumps(value, ensure_ascii=False, default=str)
