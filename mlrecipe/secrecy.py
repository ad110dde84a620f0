"""Secrecy: values that were read from secrets, kept out of everything that is printed or written."""

from __future__ import annotations

import json

_SHORTEST = 4
"""Shorter ones are no secrets, and hiding them would make every text unreadable."""

_concealed: set[str] = set()


def conceal(value: str) -> str:
    """Note a value that must never be shown; gives it back."""
    if len(value) >= _SHORTEST:
        from urllib.parse import quote, quote_plus

        escaped = (json.dumps(value, ensure_ascii=each)[1:-1] for each in (True, False))
        shown = repr(value.encode("utf-8", "surrogateescape"))[2:-1]
        _concealed.update(
            (value, *escaped, quote(value), quote(value, safe=""), quote_plus(value), shown)
        )
    return value


def redact(text: str) -> str:
    """The text with `***` in place of every concealed value."""
    for value in sorted(_concealed, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
