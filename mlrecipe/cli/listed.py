"""The table of runs: what tells each from the others, in as many columns as there is room for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlrecipe.cli import amounts, conditions, render
from mlrecipe.runs import index
from mlrecipe.runs.index import Entry

GAP = 2
"""Spaces between columns."""

_WIDEST = 24
"""Letters of a recipe's value that are shown."""

_ALWAYS = ("run", "status", "metric", "age")
"""Columns that stay, however alike their cells are."""

_DROPPED = ("stage", "recipe", "git")
"""Columns that go first where they say the same of all runs and there is no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that fits, and what did not."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    same: Mapping[str, str]
    """Column that was left out for want of room → the one value that all runs have."""

    left_out: Sequence[str]
    """Keys that differ and found no room."""


def table(
    entries: Sequence[Entry], *, width: int, has_all: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Table:  # fmt: skip
    """What is known of the runs, a row each, with the keys of their recipes that differ between them.

    Args:
        entries: the runs.
        width: letters of a line.
        has_all: whether every key that differs has a column, whatever that takes.
        sizes: run → bytes, where they are wanted.
    """
    columns = _columns(entries, sizes)
    keys = index.differing(entries)
    names = short_names(keys)
    wanted = {key: [_value(entry, key) for entry in entries] for key in keys}
    widths = {key: _width(names[key], cells) for key, cells in wanted.items()}
    used = sum(_width(name, cells) for name, cells in columns.items())
    same: dict[str, str] = {}
    for name in () if has_all else _DROPPED:
        cells = columns[name]
        if used + sum(widths.values()) > width and len(cells) > 1 and len(set(cells)) == 1:
            used -= _width(name, cells)
            same[name] = columns.pop(name)[0]
    left_out = []
    for key in keys:
        if has_all or used + widths[key] <= width:
            used += widths[key]
            columns[names[key]] = wanted[key]
        else:
            left_out.append(key)
    kept = {name: cells for name, cells in columns.items() if any(cells) or name in _ALWAYS}
    return Table(
        header=list(kept), rows=list(zip(*kept.values(), strict=True)), left_out=left_out,
        same={name: value for name, value in same.items() if value},
    )  # fmt: skip


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Key → as few of its last parts as tell it from the other keys: `lr`, `model.use`."""
    ends = {key: _ends(key) for key in keys}
    counts = Counter(end for each in ends.values() for end in each)
    counts.update(_COLUMNS)
    return {key: next((e for e in each if counts[e] == 1), key) for key, each in ends.items()}


def facts(entry: Entry, folder: str, size: int | None = None) -> dict[str, Any]:
    """All that is known of a run, as JSON has it; `folder` is where it is, seen from the project."""
    run, best = entry.run, entry.headline
    return {
        "run": run.id, "folder": folder,
        **{key: run.facts.get(key) for key in ("name", "stage", "recipe")},
        "status": run.status, "tags": entry.tags,
        **{key: run.facts.get(key) for key in ("parent", "group", "started", "ended")},
        "seconds": conditions.seconds(run), "metric": {"name": best[0], "value": best[1]} if best else None,
        "metrics": dict(entry.metrics), "git": dict(entry.git), "values": dict(entry.recipe),
        **({} if size is None else {"bytes": size}),
    }  # fmt: skip


def commit(entry: Entry) -> str:
    """The commit in seven digits, with a `+` where there was more than it."""
    found = str(entry.git.get("commit", ""))[:7]
    return found + "+" if found and entry.git.get("dirty") else found


_COLUMNS = (
    "run", "stage", "recipe", "status", "metric", "duration", "age", "git", "size", "tags",
)  # fmt: skip


def _columns(entries: Sequence[Entry], sizes: Mapping[str, int] | None) -> dict[str, list[str]]:
    cells = [_cells(entry, sizes) for entry in entries]
    found = {name: [row[name] for row in cells] for name in _COLUMNS}
    if sizes is None:
        del found["size"]
    return found


def _cells(entry: Entry, sizes: Mapping[str, int] | None) -> dict[str, str]:
    run, best = entry.run, entry.headline
    took = conditions.seconds(run)
    return {
        "run": run.id, "stage": str(run.facts.get("stage", "")),
        "recipe": str(run.facts.get("recipe", "")), "status": run.status,
        "metric": f"{best[0]} {best[1]:.4f}" if best else "",
        "duration": "" if took is None else render.duration(took),
        "age": amounts.ago(conditions.age(run)), "git": commit(entry),
        "size": render.size((sizes or {}).get(run.id, 0)), "tags": ", ".join(entry.tags),
    }  # fmt: skip


def _value(entry: Entry, key: str) -> str:
    """A recipe's value in a cell; nothing where the recipe has none."""
    if key not in entry.recipe:
        return ""
    value = entry.recipe[key]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _ends(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def _width(name: str, cells: Sequence[str]) -> int:
    """Letters that a column takes: none where all of its cells are empty."""
    return max(len(name), *map(len, cells)) + GAP if any(cells) else 0
