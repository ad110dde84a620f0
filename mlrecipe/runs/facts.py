"""Facts: what a `run.json` may say, and of what kind; the file of one run never ends a look at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

ENDS = ("finished", "failed", "interrupted", "crashed")
"""How a run may have ended."""

DAMAGED = "damaged"
"""Status of a run of which nobody can say how it ended, or of what it is one."""

_HIGHEST = 2**63
_MOST_PIDS = 2**31


def sound(said: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The facts that are what they should be, and the names of the others, which are left out.

    `status` is always among them: `damaged` where it, stage or recipe is nothing that a run has. A fact that is
    null, and a parent without a name, is no fact; those that only others know stay as they are.
    """
    facts, odd = {}, []
    for name, value in said.items():
        if _KINDS.get(name, _is_any)(value):
            facts[name] = value
        elif name == "status" or value not in (None, ""):
            odd.append(name)
    if "status" not in facts or not {"stage", "recipe"}.isdisjoint(odd):
        facts["status"] = DAMAGED
    return facts, tuple(odd)


def numbers(said: Mapping[str, Any]) -> dict[str, float]:
    """The entries that are numbers; NaN and infinity are some."""
    return {name: value for name, value in said.items() if _is_number(value)}


def is_text(value: Any) -> bool:
    """Whether it is a text that can be written."""
    if not isinstance(value, str):
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:  # half a character, which JSON can say
        return False


def _is_any(value: Any) -> bool:
    return not isinstance(value, str) or is_text(value)


def _is_status(value: Any) -> bool:
    return isinstance(value, str) and value in ("running", *ENDS)


def _is_name(value: Any) -> bool:
    """Whether it can be the name of a folder beside, or in, the run's own."""
    return is_text(value) and value not in ("", ".", "..") and not set(value) & set("/\\\0")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < _HIGHEST


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 0


def _is_pid(value: Any) -> bool:
    return _is_count(value) and 0 < value < _MOST_PIDS


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def _is_split(value: Any) -> bool:
    return is_text(value) or _are_texts(value)


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(is_text(k) and _is_count(v) for k, v in value.items())


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_table, value))


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "status": _is_status,
    **dict.fromkeys(("parent", "group", "checkpoint", "replay_of"), _is_name),
    **dict.fromkeys(
        ("id", "name", "stage", "recipe", "started", "ended", "host", "born", "fingerprint", "member",
         "cause", "stopped", "precision"), is_text,
    ),
    **dict.fromkeys(("rows", "steps", "best_step"), _is_count),
    **dict.fromkeys(("epochs", "seconds", "examples_per_second", "batch_fill"), _is_finite),
    **dict.fromkeys(("tags", "unlabelled", "runs"), _are_texts),
    "pid": _is_pid, "split": _is_split, "splits": _are_counts, "imported": _is_table,
    "resumed": _are_tables,
}  # fmt: skip
"""Fact → whether a value is of its kind."""
