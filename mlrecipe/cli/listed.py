"""The table of runs: what tells each from the others, in as many columns as there is room for."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlrecipe.cli import amounts, naming, render
from mlrecipe.runs import index, varying
from mlrecipe.runs.index import Entry

GAP = 2
"""Spaces between columns."""

_WIDEST = 24
"""Letters of a recipe's value that are shown."""

_ALWAYS = ("run", "status", "metric", "age")
"""Columns that stay, however alike their cells are."""

_DROPPED = ("stage", "recipe", "git")
"""Columns that go first where they say the same of all runs and there is no room."""

_LEAST = 2
"""Keys for which facts are shortened, where there is no room for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that fits, and what did not."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    same: Mapping[str, str]
    """Column that was left out for want of room → the one value that all runs have."""

    left_out: Sequence[str]
    """Keys that differ and found no room."""

    dropped: Sequence[str]
    """Facts that gave way to keys."""


def table(
    entries: Sequence[Entry], *, width: int | None, has_all: bool = False,
    sizes: Mapping[str, int] | None = None, first: Sequence[str] = (), taken: Collection[str] = (),
) -> Table:  # fmt: skip
    """What is known of the runs, a row each, with the keys of their recipes that differ between them.

    Args:
        entries: the runs.
        width: letters of a line; None: as many as it takes, and nothing is cut.
        has_all: whether every key that differs has a column, whatever that takes.
        sizes: run → bytes, where they are wanted.
        first: keys that have a column before others, and where they do not differ, too.
        taken: names that mean something else than a key which ends so.
    """
    columns = _columns(entries, sizes)
    wanted = _wanted(entries, first, widest=None if width is None else _WIDEST)
    names = short_names(list(wanted), taken=taken)
    widths = {key: _width(names[key], cells) for key, cells in wanted.items()}
    same: dict[str, str] = {}
    dropped: list[str] = []
    has_all = has_all or width is None
    if width is not None and not has_all:
        same = _common(columns, width - sum(widths.values()))
        dropped = _shorten(columns, entries, width - _room(widths, max(_LEAST, len(first))))
    left, left_out = (width or 0) - _used(columns), []
    for key in wanted:
        if has_all or widths[key] <= left:
            left -= widths[key]
            columns[names[key]] = wanted[key]
        else:
            left_out.append(key)
    kept = {name: cells for name, cells in columns.items() if any(cells) or name in _ALWAYS}
    return Table(
        header=list(kept), rows=list(zip(*kept.values(), strict=True)), left_out=left_out,
        dropped=dropped, same={name: value for name, value in same.items() if value},
    )  # fmt: skip


def short_names(keys: Sequence[str], *, taken: Collection[str] = ()) -> dict[str, str]:
    """Key → as few of its last parts as tell it from the other keys: `lr`, `model.use`.

    Args:
        keys: all that are shown.
        taken: names that mean something else, and so are none of a key but itself.
    """
    ends = {key: _ends(key) for key in keys}
    counts = Counter(end for each in ends.values() for end in each)
    counts.update((*_COLUMNS, *taken))
    return {key: next((e for e in each if counts[e] == 1), key) for key, each in ends.items()}


def facts(entry: Entry, folder: str, size: int | None = None) -> dict[str, Any]:
    """All that is known of a run, as JSON has it; `folder` is where it is, seen from the project."""
    run, best = entry.run, entry.headline
    return {
        "run": run.id, "folder": folder,
        **{key: run.facts.get(key) for key in ("name", "stage", "recipe")},
        "status": run.status, "tags": entry.tags,
        **{key: run.facts.get(key) for key in ("parent", "group", "started", "ended")},
        "seconds": naming.seconds(run), "metric": {"name": best[0], "value": best[1]} if best else None,
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
    took = naming.seconds(run)
    return {
        "run": run.id, "stage": str(run.facts.get("stage", "")),
        "recipe": str(run.facts.get("recipe", "")), "status": run.status,
        "metric": f"{best[0]} {best[1]:.4f}" if best else "",
        "duration": "" if took is None else render.duration(took),
        "age": amounts.ago(naming.age(run)), "git": commit(entry),
        "size": render.size((sizes or {}).get(run.id, 0)), "tags": ", ".join(entry.tags),
    }  # fmt: skip


def _wanted(
    entries: Sequence[Entry], first: Sequence[str], *, widest: int | None
) -> dict[str, list[str]]:
    """Key → its cells: those to show first, then those that tell most in the least room."""
    recipes = [entry.recipe for entry in entries]
    ranked: dict[str, tuple[bool, bool, int, int]] = {}
    cells: dict[str, list[str]] = {}
    keys = dict.fromkeys([*first, *index.differing(entries)])
    for key, values in varying.values(recipes, keys).items():
        texts = [_text(value) for value in values]
        cells[key] = [_cut(text, widest) for text in texts]
        ranked[key] = (
            key not in first, any(isinstance(v, list | dict) for v in values)
            or max(map(len, texts)) > _WIDEST, -sum(map(bool, texts)), -len(set(texts)),
        )  # fmt: skip
    return {key: cells[key] for key in sorted(cells, key=ranked.__getitem__)}


def _common(columns: dict[str, list[str]], width: int) -> dict[str, str]:
    """Take columns that say one thing of all runs out until the rest fits; which, and what they say."""
    same = {}
    for name in _DROPPED:
        cells = columns[name]
        if _used(columns) > width and len(cells) > 1 and len(set(cells)) == 1:
            same[name] = columns.pop(name)[0]
    return same


def _shorten(columns: dict[str, list[str]], entries: Sequence[Entry], width: int) -> list[str]:
    """Make facts shorter, those first of which the least is lost, until they fit; which went altogether.

    The end of a run's id is enough for every command; its age stands beside it, and its stage and recipe
    are in most ids: these go without a word.
    """
    if _used(columns) > width and "recipe" in columns:
        columns["recipe"] = [cell.removesuffix(".toml") for cell in columns["recipe"]]
    if _used(columns) > width:
        columns["metric"] = [cell.rpartition("/")[2] for cell in columns["metric"]]
    for name in ("stage", "recipe"):
        cells = columns.get(name, ())
        if _used(columns) > width and all(
            cell.rpartition("/")[2] in entry.id for cell, entry in zip(cells, entries, strict=False)
        ):
            columns.pop(name, None)
    if _used(columns) > width:
        short = [_TIME.sub("", entry.id) for entry in entries]
        columns["run"] = short if len(set(short)) == len(short) else columns["run"]
    return [
        name for name in ("git", "recipe", "stage", "duration", "tags")
        if _used(columns) > width and any(columns.pop(name, ()))
    ]  # fmt: skip


def _room(widths: Mapping[str, int], count: int) -> int:
    return sum(islice(widths.values(), count))


def _used(columns: Mapping[str, Sequence[str]]) -> int:
    return sum(_width(name, cells) for name, cells in columns.items())


def _text(value: Any) -> str:
    """A recipe's value in a cell; nothing where the recipe has none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, widest: int | None) -> str:
    return text if widest is None or len(text) <= widest else f"{text[: widest - 1]}…"


_TIME = re.compile(r"^\d{8}T\d{6}Z-")
"""What an id begins with, where the run has no name of its own."""


def _ends(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def _width(name: str, cells: Sequence[str]) -> int:
    """Letters that a column takes: none where all of its cells are empty."""
    return max(len(name), *map(len, cells)) + GAP if any(cells) else 0
