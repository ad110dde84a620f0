"""Amounts: sizes and times as a user types and reads them."""

from __future__ import annotations

import re

from mlrecipe.errors import RequestError
from mlrecipe.runs.run import Run

_SIZES = {
    "": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9,
    "t": 10**12, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_TIMES = {
    "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "day": 86_400, "days": 86_400,
    "w": 604_800, "week": 604_800, "weeks": 604_800,
}  # fmt: skip


def size(text: str, option: str) -> int:
    """Bytes of `10GB`, `500 MB`, `2GiB`.

    Raises:
        RequestError: it is no size; the message names `option`.
    """
    number, unit = _split(text)
    if number is None or unit not in _SIZES:
        raise RequestError(f"{option}: {text!r} is no size", hint="such as 10GB, 500MB or 2GiB")
    return round(number * _SIZES[unit])


def seconds(text: str, option: str) -> float:
    """Seconds of `30d`, `12h`, `15 min`.

    Raises:
        RequestError: it is no time; the message names `option`.
    """
    number, unit = _split(text)
    if number == 0 and not unit:
        return 0.0
    if number is None or unit not in _TIMES:
        raise RequestError(f"{option}: {text!r} is no time", hint="such as 30d, 12h or 15min")
    return number * _TIMES[unit]


def ago(seconds_: float) -> str:
    """`now`, `5 min`, `3 h`, `12 days`."""
    for unit, length, many in (("days", 86_400, 2), ("h", 3600, 1), ("min", 60, 1)):
        if seconds_ >= many * length:
            return f"{seconds_ / length:.0f} {unit}"
    return "now"


def counted(number: int, noun: str) -> str:
    """`1 result`, `2 results`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def tested(run: Run) -> str:
    """What a test run tested, and on how many rows, as far as it says so."""
    facts = run.facts
    of = f" of {facts['parent']}" if "parent" in facts else ""
    parts = [f"{facts['checkpoint']} checkpoint{of}"] if "checkpoint" in facts else []
    parts += [f"{facts['rows']:,} rows"] if "rows" in facts else []
    return ", ".join(parts)


def _split(text: str) -> tuple[float | None, str]:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    return (float(found[1]), found[2].lower()) if found else (None, "")
