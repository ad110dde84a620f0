"""What a name means of runs: a fact, a metric, a key of the recipe, also by its last part alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.runs import index, varying
from mlrecipe.runs.index import Entry
from mlrecipe.runs.run import Run

FACTS = (
    "id", "status", "stage", "recipe", "name", "tags", "age", "seconds", "started", "ended", "parent",
    "group", "commit", "dirty", "host", "run", "duration", "metric", "git",
)  # fmt: skip
"""Facts by their names; no column of a recipe's key is called so."""

_OWN = ("run.epochs", "run.steps", "run.rows", "run.checkpoint")
"""Facts that are called otherwise than keys of a recipe, such as `epochs`."""


def values_of(key: str, entries: Sequence[Entry], asked: str) -> dict[str, Any]:
    """Run → what it has of that name: a fact, a metric or a value of its recipe.

    A column of the list is what its name says here: `listed.table` leaves other names to these.

    The last part of a metric's name is enough where a run has one such metric: `accuracy` is a training's
    `valid/accuracy` and a test's `test/accuracy`; that of a recipe's key
    where only one ends so, or only one of these differs between the runs: `lr`.

    Args:
        key: the name.
        entries: the runs.
        asked: what named it, for messages.

    Raises:
        RequestError: no run has it, or it could be more than one thing.
    """
    if key in FACTS or key in _OWN:
        return {entry.id: _fact(entry, key) for entry in entries}
    metrics = {name for entry in entries for name in entry.metrics}
    if key in metrics:
        return {entry.id: entry.metrics.get(key) for entry in entries}
    near = {} if key in _keys(entries) else {e.id: _ending(key, e.metrics, "/") for e in entries}
    if any(near.values()):
        _check_one(key, near.values(), asked)
        return {e.id: e.metrics[near[e.id][0]] if near[e.id] else None for e in entries}
    found = key_of(key, entries, asked)
    if found is not None:
        values = varying.values((entry.recipe for entry in entries), [found])[found]
        return {entry.id: value for entry, value in zip(entries, values, strict=True)}
    recipe = _keys(entries)
    names = {*FACTS, *_OWN, *metrics, *recipe}
    names |= {
        name.rpartition(sep)[2] for each, sep in ((metrics, "/"), (recipe, ".")) for name in each
    }
    hint = did_you_mean(key, names) if entries else "there are no runs"
    raise RequestError(f"{asked!r}: no run has {key!r}", hint=hint)


def key_of(key: str, entries: Sequence[Entry], asked: str) -> str | None:
    """The recipes' key that a name means, as `values_of` has it; None where it means none.

    Raises:
        RequestError: it could be more than one.
    """
    recipe = _keys(entries)
    metrics = {name for entry in entries for name in entry.metrics}
    if key in FACTS or key in _OWN or key in metrics:
        return None
    if key in recipe:
        return key
    if _ending(key, metrics, "/"):
        return None
    keys = _ending(key, recipe, ".")
    has_table = any(f".{key}." in f".{name}" for name in recipe)
    if len(keys) != 1 or has_table:  # as in the list's columns, of which such a table may be one
        differing = index.differing(entries)
        keys = [key] if key in differing else _ending(key, differing, ".") or keys
    _check_one(key, [keys], asked)
    return keys[0] if keys else None


def taken(entries: Sequence[Entry]) -> set[str]:
    """Names that mean something else than a longer key that ends so: facts, metrics, whole keys."""
    metrics = {name for entry in entries for name in entry.metrics}
    parts = {"/".join(name.split("/")[n:]) for name in metrics for n in range(name.count("/") + 1)}
    return {*FACTS, *_OWN, *parts, *_keys(entries)}


def age(run: Run) -> float:
    """Seconds since a run began."""
    began = moment(run.facts.get("started"))
    return 0.0 if began is None else (datetime.now(timezone.utc) - began).total_seconds()


def seconds(run: Run) -> float | None:
    """How long a run took, in all its parts; None while it goes on or where it does not say."""
    began, ended = (moment(run.facts.get(key)) for key in ("started", "ended"))
    known = run.facts.get("seconds")
    if isinstance(known, int | float) and not isinstance(known, bool):
        return float(known)
    return None if began is None or ended is None else (ended - began).total_seconds()


def moment(text: Any) -> datetime | None:
    """A time as a run's facts have it."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _keys(entries: Sequence[Entry]) -> set[str]:
    recipes = {id(entry.recipe): entry.recipe for entry in entries}
    return {key for recipe in recipes.values() for key in recipe}


def _fact(entry: Entry, key: str) -> Any:
    run, key = entry.run, _SAME.get(key, key.removeprefix("run."))
    if key == "metric":
        return entry.headline[1] if entry.headline else None
    if key == "id":
        return entry.id
    if key == "status":
        return run.status
    if key == "tags":
        return entry.tags
    if key == "age":
        return age(run)
    if key == "seconds":
        return seconds(run)
    return entry.git.get(key) if key in ("commit", "dirty") else run.facts.get(key)


_SAME = {"run": "id", "duration": "seconds", "git": "commit"}
"""Column of the list → the fact that it shows."""


def _ending(key: str, names: Iterable[str], sep: str) -> list[str]:
    return sorted(name for name in names if name.endswith(f"{sep}{key}"))


def _check_one(key: str, found: Iterable[Sequence[str]], asked: str) -> None:
    """Raise where a short name could be more than one thing of a run."""
    for names in found:
        if len(names) > 1:
            raise RequestError(f"{asked!r}: {key!r} may be any of {', '.join(names[:6])}")
