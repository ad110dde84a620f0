"""The draft of a recipe: tables and comments as they come, then TOML text."""

from __future__ import annotations

import datetime
import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlrecipe.migration.ledger import Dropped, by_reason
from mlrecipe.migration.secrets import Reference

_WIDTH = 100
_SHOWN = 40
_NO_HEADER = ("nodes", "train.callbacks", "train.loggers", "evaluate.nodes")
"""Tables that only hold tables."""


@dataclass(slots=True)
class Draft:
    """A recipe that is being written."""

    values: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    """Dotted key of a table or a value → sentences to put above it."""

    def set(self, key: str, value: Any) -> None:
        """Give a dotted key a value, tables in between made as needed."""
        *tables, last = key.split(".")
        table = self.values
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value

    def get(self, key: str) -> Any:
        """The value of a dotted key, None where it has none."""
        found: Any = self.values
        for name in key.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def comment(self, key: str, *sentences: str) -> None:
        """Put sentences above a table or a value; it need not be there yet."""
        self.comments.setdefault(key, []).extend(sentences)

    def text(self, head: Sequence[str], dropped: Sequence[Dropped]) -> str:
        """The whole recipe: what it comes from, what is not in it, and the tables."""
        lines = [*_wrapped(head), *_listed(dropped), "", *self._table("", self.values)]
        known = set(self._keys("", self.values))
        for key, sentences in self.comments.items():
            if key not in known:  # of something that is still to be written
                lines += ["", *_wrapped(sentences)]
        return "\n".join(lines) + "\n"

    def _table(self, key: str, table: Mapping[str, Any]) -> Iterator[str]:
        prefix = f"{key}." if key else ""
        below = {name: v for name, v in table.items() if _is_section(f"{prefix}{name}", v)}
        for name, value in table.items():
            if name not in below:
                yield from _wrapped(self.comments.get(f"{prefix}{name}", ()))
                yield f"{_key(name)} = {toml(value)}"
        for name, value in below.items():
            path = f"{prefix}{name}"
            if path not in _NO_HEADER:
                yield ""
                yield from _wrapped(self.comments.get(path, ()))
                yield f"[{'.'.join(_key(part) for part in path.split('.'))}]"
            yield from self._table(path, value)

    def _keys(self, key: str, table: Mapping[str, Any]) -> Iterator[str]:
        for name, value in table.items():
            path = f"{key}.{name}" if key else name
            yield path
            if _is_section(path, value):
                yield from self._keys(path, value)


def _is_section(path: str, value: Any) -> bool:
    """Whether a table gets a header of its own, rather than braces."""
    if not isinstance(value, Mapping):
        return False
    first, _, rest = path.partition(".")
    if first == "train":
        depth = 2 if rest.startswith(("callbacks.", "loggers.")) else 1
        return not rest or len(rest.split(".")) <= depth
    if first == "evaluate":
        return len(path.split(".")) <= 3
    return len(path.split(".")) <= (2 if first == "nodes" else 1)


def _listed(dropped: Sequence[Dropped]) -> list[str]:
    """What was not carried over, as a comment: grouped by reason."""
    lines: list[str] = []
    if dropped:
        lines += ["#", "# Not carried over:"]
    for reason, items in by_reason(dropped).items():
        lines += ["#", f"# {reason}"]
        for item, detail in items:
            lines += [
                f"#   {item.key} = {shown(item.value)}",
                *([f"#       {detail}"] if detail else []),
            ]
    return lines


def shown(value: Any) -> str:
    """A value in few characters and one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _wrapped(sentences: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for sentence in sentences:
        clean = "".join(char if char.isprintable() else " " for char in sentence)
        lines += [f"# {line}" for line in _fold(clean)] or ["#"]
    return lines


def _fold(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False, break_long_words=False)


def toml(value: Any) -> str:
    """A value as TOML writes it, and as a recipe takes it literally: `${` would be replaced.

    A `Reference` is to be replaced.

    Raises:
        TypeError: TOML has nothing like it.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, (int, datetime.date)):
        return str(value)
    if isinstance(value, str):
        # JSON's text is TOML's, but for the delete character, which TOML wants escaped.
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace("\x7f", "\\u007f")
        return text if isinstance(value, Reference) else text.replace("${", "$${")
    if isinstance(value, (list, tuple)):
        return _list([toml(item) for item in value])
    if isinstance(value, Mapping):
        items = (f"{_key(key)} = {toml(below)}" for key, below in value.items())
        return f"{{ {', '.join(items)} }}" if value else "{}"
    raise TypeError(type(value).__name__)


def is_toml(value: Any) -> bool:
    """Whether TOML can write the value: it has no null."""
    if isinstance(value, Mapping):
        return all(is_toml(below) for below in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_toml(item) for item in value)
    return isinstance(value, (bool, int, float, str, datetime.date))


def _list(items: Sequence[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDTH - 10:
        return line
    return "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key).replace("$${", "${")
