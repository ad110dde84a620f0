"""Conditions by which runs are chosen: `valid/accuracy>0.9 and status=finished`; none is ever executed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, get_args

from mlrecipe.cli import amounts
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.runs import index, varying
from mlrecipe.runs.index import Entry
from mlrecipe.runs.run import Run, Status

_SIGNS = ("<=", ">=", "!=", "==", "=", "<", ">", "~")
_COMPARISON = re.compile(
    r"""\s*(?P<key>"[^"]*"|'[^']*'|[^\s<>=!~"']+)\s*(?P<sign><=|>=|!=|==|[=<>](?!=)|~)\s*"""
    r"""(?P<value>"[^"]*"|'[^']*'|[^\s"']+)\s*"""
)
_VALUELESS = re.compile(
    r"""\s*(?P<key>"[^"]*"|'[^']*'|[^\s<>=!~"']+)\s*(?P<sign>[<>=!]=|[<>=~])\s*($|(and|or)\b)"""
)
_JOINED = re.compile(r"(and|or)\s+")
_TIMES = ("age", "seconds", "duration")
_STAGES = ("train", "test", "repeat")

FACTS = (
    "id", "status", "stage", "recipe", "name", "tags", "age", "seconds", "started", "ended", "parent",
    "group", "commit", "dirty", "host", "run", "duration", "metric", "git",
)  # fmt: skip
"""Facts by their names; no column of a recipe's key is called so."""

_OWN = ("run.epochs", "run.steps", "run.rows", "run.checkpoint")
"""Facts that are called otherwise than keys of a recipe, such as `epochs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison of a run's value with a given one."""

    key: str
    sign: str
    value: str

    def holds(self, found: Any) -> bool:
        """Whether it holds for a run's value; of a list, whether it does for one of its items."""
        if found is None:
            return self.sign == "!="
        if isinstance(found, list):
            if self.sign == "!=":
                return all(self.holds(item) for item in found)
            return any(self.holds(item) for item in found)
        if self.sign == "~":
            return self.value.lower() in _text(found).lower()
        if self.sign in ("=", "==", "!="):
            return self._is_equal(found) == (self.sign != "!=")
        return self._is_ordered(found)

    def _is_equal(self, found: Any) -> bool:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return _number(self.value) == found
        return self.value == _text(found)

    def _is_ordered(self, found: Any) -> bool:
        wanted = _number(self.value)
        if isinstance(found, bool) or (isinstance(found, int | float) and wanted is None):
            return False
        if isinstance(found, int | float):
            assert wanted is not None
            return _ORDERS[self.sign](found, wanted)
        if self.key not in ("started", "ended"):
            return False
        return _ORDERS[self.sign](str(found)[: len(self.value)], self.value)


Condition = Sequence[Sequence[Comparison]]
"""Comparisons all of which hold, in alternatives one of which does."""

_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def chosen(entries: Sequence[Entry], texts: Iterable[str]) -> list[Entry]:
    """Those of the runs for which every condition holds.

    Args:
        entries: the runs.
        texts: conditions as typed: comparisons joined by `and` and `or`, of which `and` binds closer.

    Raises:
        RequestError: one cannot be read, or no run has what it names.
    """
    found = list(entries)
    for text in texts:
        condition = parse(text)
        values = {
            comparison.key: values_of(comparison.key, entries, text)
            for alternative in condition
            for comparison in alternative
        }
        for alternative in condition:
            for comparison in alternative:
                _check_value(comparison, values[comparison.key].values(), text)
                _check_word(comparison, text)
        found = [entry for entry in found if _holds(condition, values, entry.id)]
    return found


def parse(text: str) -> Condition:
    """The comparisons that a text is made of.

    Raises:
        RequestError: it is made of something else.
    """
    alternatives: list[list[Comparison]] = [[]]
    place = 0
    while True:
        match = _COMPARISON.match(text, place)
        if match is None:
            raise _unreadable(text, place)
        alternatives[-1].append(_comparison(match, text))
        if match.end() == len(text):
            return alternatives
        joined = _JOINED.match(text, match.end())
        if joined is None:
            raise _unreadable(text, place)
        place = joined.end()
        if joined[1] == "or":
            alternatives.append([])


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


def names_in(texts: Iterable[str]) -> list[str]:
    """What conditions compare, in their order."""
    return [c.key for text in texts for alternative in parse(text) for c in alternative]


def _comparison(match: re.Match[str], whole: str) -> Comparison:
    key, value = (_bare(match[name]) for name in ("key", "value"))
    sign = match["sign"]
    if key in _TIMES and sign != "~" and _number(value) is None:
        value = repr(amounts.seconds(value, whole))
    return Comparison(key=key, sign=sign, value=value)


def _unreadable(text: str, place: int) -> RequestError:
    """Of a condition that goes wrong in what begins at a place."""
    if (open_ := _VALUELESS.match(text, place)) is not None:
        start = f"{_bare(open_['key'])}{open_['sign']}"
        return RequestError(
            f"{text!r} has no value behind {start!r}", hint=f"such as {f'{start}0.9'!r}"
        )
    return RequestError(
        f"{text!r} is no condition",
        hint="such as 'valid/accuracy>0.9' or 'status=finished and lr<=1e-4'; "
        f"signs: {' '.join(_SIGNS)}",
    )


def _check_value(comparison: Comparison, values: Iterable[Any], text: str) -> None:
    """Raise where a text would be compared with a number, or anything with NaN, and so never hold."""
    wanted, is_ordered = _number(comparison.value), comparison.sign in _ORDERS
    known = [v for v in values if v is not None]
    has_numbers = any(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
    if wanted is not None and math.isnan(wanted) and (is_ordered or has_numbers):
        raise RequestError(f"{text!r}: {comparison.value!r} is no number to compare with")
    if not is_ordered or comparison.key in ("started", "ended"):
        return
    if wanted is None:
        raise RequestError(f"{text!r}: {comparison.sign} needs a number, not {comparison.value!r}")
    if known and not has_numbers:
        raise RequestError(
            f"{text!r}: {comparison.key!r} is no number, such as {known[0]!r}",
            hint="compare it with =, != or ~ (contains)",
        )


def _check_word(comparison: Comparison, text: str) -> None:
    """Raise where a fact of a few known words is compared with another one."""
    known = {"status": get_args(Status), "stage": _STAGES}.get(comparison.key, ())
    if known and comparison.sign in ("=", "==", "!=") and comparison.value not in known:
        said = f"{text!r}: there is no {comparison.key} {comparison.value!r}"
        raise RequestError(said, hint=did_you_mean(comparison.value, known))


def _holds(condition: Condition, values: Mapping[str, Mapping[str, Any]], run: str) -> bool:
    return any(
        all(comparison.holds(values[comparison.key].get(run)) for comparison in alternative)
        for alternative in condition
    )


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


def _bare(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
