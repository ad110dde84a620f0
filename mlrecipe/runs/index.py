"""The index of a project's runs: what a list of them needs, so that few files are read; it can be rebuilt."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.code.stamps import is_settled, stamp
from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.recipe.project import MARKERS
from mlrecipe.runs import facts as kinds
from mlrecipe.runs import run as running
from mlrecipe.runs import varying
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import FOLDER, Run, tags_of, write_text

PLACE = Path(MARKERS[0]) / "runs.json"
"""Where it is kept, seen from the project. Files of the runs are the truth; this only saves reading them."""

_VERSION = 2
_FILES = ("run.json", "metrics.json", "env.json", RECIPE)
"""What an entry is made from. A run without the first is none."""

_SILENT = ("name", "plugins")
"""Keys that tell nothing of what was computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run, and what its small files say."""

    run: Run

    metrics: Mapping[str, float]
    """What `metrics.json` says, numbers only."""

    recipe: Mapping[str, Any]
    """Dotted key of the resolved recipe → its value as JSON has it; nothing of how the run is called."""

    git: Mapping[str, Any]
    """`commit` and `dirty`; empty outside a repository."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def tags(self) -> list[str]:
        """The run's tags."""
        return tags_of(self.run)

    @property
    def headline(self) -> tuple[str, float] | None:
        """The one metric that says most: what the recipe monitors, in the run's own stage."""
        return headline(self.metrics, self.run.facts, str(self.recipe.get("train.monitor", "")))


def entries(project: Path, *, keeps: bool = True) -> list[Entry]:
    """All runs of a project, newest first, as their files are now.

    Args:
        project: its root.
        keeps: whether the index is written where it was out of date. One that cannot be read or written
            changes nothing but the time that this takes.
    """
    place = project / PLACE
    known, recipes = _read(place)
    found: list[tuple[Entry, Sequence[str | None]]] = []
    fresh = 0
    for folder in _folders(project / FOLDER):
        stamps = [stamp(f"{folder}/{name}") for name in _FILES]
        if stamps[0] is None:
            continue
        kept = known.get(os.path.basename(folder))
        if kept is not None and kept[0] == _joined(stamps):
            entry: Entry | None = _kept(Path(folder), kept, recipes)
        else:
            entry, fresh = read(Path(folder)), fresh + 1
        if entry is not None:
            found.append((entry, stamps))
    if keeps and (fresh or len(found) != len(known)):
        _write(place, found)
    ordered = [entry for entry, _ in found]
    return sorted(ordered, key=lambda e: str(e.run.facts.get("started", "")), reverse=True)


def read(folder: Path) -> Entry | None:
    """The entry of one run's folder, from its files alone; None where it holds no run."""
    run = running.read(folder)
    if run is None:
        return None
    git = _json(folder / "env.json").get("git", {})
    return Entry(
        run=run, metrics=kinds.numbers(_json(folder / "metrics.json")),
        recipe=_flat(folder / RECIPE),
        git={k: git[k] for k in ("commit", "dirty") if k in git} if isinstance(git, dict) else {},
    )  # fmt: skip


def headline(
    metrics: Mapping[str, float], facts: Mapping[str, Any], monitor: str
) -> tuple[str, float] | None:
    """The one metric that says most of a run: what its recipe monitors, in the run's own stage.

    Args:
        metrics: the run's, by name.
        facts: what its `run.json` says.
        monitor: `train.monitor` of its recipe.
    """
    last = monitor.rpartition("/")[2]
    wanted = [monitor, f"{facts.get('stage')}/{last}"]
    splits = facts.get("splits")
    wanted += [f"{split}/{last}" for split in splits] if isinstance(splits, Mapping) else []
    others = [name for name in metrics if not name.endswith("loss") and not name.startswith("lr-")]
    name = next((n for n in [*wanted, *others, *metrics] if n in metrics), None)
    return None if name is None else (name, metrics[name])


def differing(entries: Sequence[Entry]) -> list[str]:
    """Keys of the runs' recipes whose values are not the same in all; those that most of them have come first.

    A table that only some have is one key. Runs whose recipe cannot be read are passed over.
    """
    recipes = {id(e.recipe): e.recipe for e in entries if e.recipe}
    counts = Counter(id(entry.recipe) for entry in entries)
    found: dict[str, int] = {}
    keys = varying.varying(list(recipes.values()))
    for key, values in varying.values(recipes.values(), keys).items():
        if key not in _SILENT:
            held = (n for n, value in zip(recipes, values, strict=True) if value is not None)
            found[key] = -sum(counts[number] for number in held)
    return sorted(found, key=found.__getitem__)


def _folders(parent: Path) -> Iterator[str]:
    """Run directories by name, the last first; hidden ones are on their way in or out."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    start = str(parent)
    yield from (f"{start}/{name}" for name in sorted(names, reverse=True) if name[0] != ".")


def _joined(stamps: Sequence[str | None]) -> str:
    return " ".join(map(str, stamps))


def _is_settled(stamps: Sequence[str | None]) -> bool:
    """Whether a file that changes again would be seen."""
    return all(text is None or is_settled(text) for text in stamps)


def _read(place: Path) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    """Run → stamps, facts, metrics, number of its recipe, git; and the recipes. Damaged: nothing."""
    found = _json(place)
    if found.get("version") != _VERSION:
        return {}, []
    try:
        keys, values = found["keys"], found["values"]
        recipes = [{keys[k]: values[v] for k, v in pairs} for pairs in found["recipes"]]
        runs = {
            name: row for name, row in found["runs"].items()
            if 0 <= row[3] < len(recipes) and all(isinstance(row[n], dict) for n in (1, 2, 4))
        }  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return {}, []
    return runs, recipes


def _kept(folder: Path, row: Sequence[Any], recipes: Sequence[Mapping[str, Any]]) -> Entry:
    _, facts, metrics, number, git = row[:5]
    known, odd = kinds.sound(facts)
    return Entry(
        run=Run(folder=folder, facts=known, odd=odd), metrics=kinds.numbers(metrics),
        recipe=recipes[number], git=git,
    )  # fmt: skip


def _write(place: Path, found: Sequence[tuple[Entry, Sequence[str | None]]]) -> None:
    """Keep the entries; equal recipes, keys and values once, for most of a sweep's are."""
    keys: dict[str, int] = {}
    values: dict[str, int] = {}
    recipes: dict[str, int] = {}
    rows = {}
    for entry, stamps in found:
        pairs = [
            [keys.setdefault(k, len(keys)), values.setdefault(json.dumps(v), len(values))]
            for k, v in entry.recipe.items()
        ]
        number = recipes.setdefault(json.dumps(pairs), len(recipes))
        text = _joined(stamps) if _is_settled(stamps) else ""
        rows[entry.id] = [text, dict(entry.run.facts), dict(entry.metrics), number, dict(entry.git)]
    data = {
        "version": _VERSION, "keys": list(keys), "values": [json.loads(v) for v in values],
        "recipes": [json.loads(r) for r in recipes], "runs": rows,
    }  # fmt: skip
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        write_text(place, json.dumps(data))


def _flat(path: Path) -> dict[str, Any]:
    """A recipe's values by dotted key, as they are after a way through JSON."""
    import tomli

    try:
        values = tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    flat = {dotted(key): value for key, value in leaves(values) if key}
    left = {k: v for k, v in flat.items() if k != "relative_to" and not k.startswith("run.")}
    return dict(json.loads(json.dumps(left, default=str)))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
