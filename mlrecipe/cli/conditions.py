"""Conditions by which runs are chosen: `valid/accuracy>0.9 and status=finished`; none is ever executed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from mlrecipe.cli import amounts, naming
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.runs.index import Entry
from mlrecipe.runs.run import Status

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
            comparison.key: naming.values_of(comparison.key, entries, text)
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


def _bare(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
