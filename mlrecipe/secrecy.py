"""Secrecy: values that were read from secrets, kept out of everything that is printed or written."""

from __future__ import annotations

import json

_SHORTEST = 4
"""Shorter ones are no secrets, and hiding them would make every text unreadable."""

_concealed: set[str] = set()


def conceal(value: str) -> str:
    """Note a value that must never be shown; gives it back."""
    if len(value) >= _SHORTEST:
        _concealed.update(
            (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        )
    return value


def redact(text: str) -> str:
    """The text with `***` in place of every concealed value."""
    for value in sorted(_concealed, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
