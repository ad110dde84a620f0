"""Printing: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import traceback as tracebacks
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TextIO

from mlrecipe.errors import MlrecipeError, RecipeError
from mlrecipe.pages.amounts import duration as duration  # noqa: PLC0414  # part of this module
from mlrecipe.pages.amounts import size as size  # noqa: PLC0414
from mlrecipe.secrecy import redact
from mlrecipe.store.values import DECIMAL_BITS

_COLORS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "dim": 2, "bold": 1}
_OWN = re.compile("(\x1b\\[(?:0|" + "|".join(map(str, _COLORS.values())) + ")m)")
_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n"}


class ReaderGone(Exception):
    """Whoever read the results has enough: `mlrecipe show x | head`."""


def out(text: str = "") -> None:
    """A line of the result.

    Raises:
        ReaderGone: nobody reads it any more, and there is nothing else to do.
        MlrecipeError: it cannot be written.
    """
    _Lines.count += 1 + text.count("\n")
    try:
        sys.stdout.write(f"{_safe(redact(text), sys.stdout)}\n")
    except BrokenPipeError:
        _lose(sys.stdout)
        if not _Work.is_going_on:
            raise ReaderGone from None
    except OSError as error:
        _lose(sys.stdout)
        raise MlrecipeError(f"cannot write to standard output: {error.strerror}") from None


def flush() -> None:
    """See to it that every result has been written.

    Raises:
        MlrecipeError: it cannot be.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _lose(sys.stdout)
    except OSError as error:
        _lose(sys.stdout)
        raise MlrecipeError(f"cannot write to standard output: {error.strerror}") from None


class _Lines:
    """How many lines the command has written."""

    count = 0


def begin() -> None:
    """A command begins: nothing has been written yet."""
    _Lines.count = 0


def written() -> int:
    """Lines that the command has written so far, bars on a terminal left out."""
    return _Lines.count


class _Work:
    """Whether there is work that goes on without readers."""

    is_going_on = False


@contextmanager
def working() -> Iterator[None]:
    """Go on with the block whoever stops reading: what it does is worth more than what it says."""
    before, _Work.is_going_on = _Work.is_going_on, True
    try:
        yield
    finally:
        _Work.is_going_on = before


def _lose(stream: TextIO) -> None:
    """Write into nothing from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """A line about the work; nobody need read it."""
    _Lines.count += 1 + text.count("\n")
    try:
        sys.stderr.write(f"{_safe(redact(text), sys.stderr)}\n")
        sys.stderr.flush()
    except OSError:  # a terminal that is gone, a pipe that nobody reads, a full disk
        _lose(sys.stderr)


def visible(text: str) -> str:
    r"""The text with its control characters written out, lest they command the terminal: `\x1b`."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def _safe(text: str, stream: TextIO) -> str:
    """The text, of whose control characters only our own colours are left, where they are wanted."""
    if text.isprintable():
        return text
    if not has_color(stream):
        return visible(text)
    return "".join(part if _OWN.fullmatch(part) else visible(part) for part in _OWN.split(text))


def document(data: Any) -> None:
    """One JSON document as the whole result."""
    text = json.dumps(as_json(data), indent=2, ensure_ascii=False, default=str, allow_nan=False)
    out(text.translate(_ESCAPES))


_ESCAPES = {n: f"\\u{n:04x}" for n in range(127, 160)}
"""Control characters that JSON may have in a text."""


def as_json(data: Any, *, has_nan: bool = False) -> Any:
    """The data in what JSON has, as far as it can be told what that is.

    A tuple is a list, and so is a set, in order; a dict with other keys than JSON's is a list of pairs; a
    number that is not finite is null, unless `has_nan`; one too long for decimal digits is hexadecimal text.
    """
    inner = partial(as_json, has_nan=has_nan)
    if isinstance(data, float):
        return data if has_nan or math.isfinite(data) else None
    if isinstance(data, int):
        return hex(data) if _is_long(data) else data
    if isinstance(data, Mapping):
        if all(_is_key(key) for key in data):
            return {key: inner(value) for key, value in data.items()}
        return [[inner(key), inner(value)] for key, value in data.items()]
    if isinstance(data, (set, frozenset)):
        return sorted(map(inner, data), key=_order)
    return [inner(value) for value in data] if isinstance(data, (list, tuple)) else data


def _is_key(key: Any) -> bool:
    is_plain = key is None or isinstance(key, (str, int, float))
    return is_plain and not (isinstance(key, int) and _is_long(key))


def _is_long(number: int) -> bool:
    return number.bit_length() >= DECIMAL_BITS


def _order(item: Any) -> tuple[bool, Any, str]:
    """Numbers by size, then the rest by their text."""
    is_number = isinstance(item, (int, float))
    text = json.dumps(item, ensure_ascii=False, default=str)
    return not is_number, item if is_number else 0, text


def styled(text: str, color: str, *, to: TextIO | None = None) -> str:
    """The text in a colour, where the stream is a terminal that wants colours."""
    if not has_color(to or sys.stdout):
        return text
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"


def has_color(stream: TextIO) -> bool:
    """Whether colours may be written: a terminal, and `NO_COLOR` not set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def error(problem: MlrecipeError) -> None:
    """An error as the user sees it: what, where, what to do."""
    label = styled("error:", "red", to=sys.stderr)
    if not isinstance(problem, RecipeError):
        say(f"{label} {visible(str(problem))}")
        return
    count = len(problem.problems)
    if count == 1:
        say(f"{label} {visible(str(problem.problems[0]))}")
        return
    say(f"{label} {problem.subject} has {count} problems; nothing was run")
    width = max(len(p.where) for p in problem.problems)
    for item in problem.problems:
        text = f"{item.key}: {item.message}" if item.key else item.message
        say(visible(f"  {item.where:<{width}}  {text}"))


def traceback() -> None:
    """The Python traceback of the error that is being handled."""
    say(visible(tracebacks.format_exc().rstrip()))


def interrupted(*, is_kept: bool = True) -> None:
    """What Ctrl-C left."""
    text = (
        "interrupted: what was finished is kept" if is_kept else "interrupted: no file was written"
    )
    say(styled(text, "yellow", to=sys.stderr))


def warn(text: str) -> None:
    """Something that deserves attention."""
    say(f"{styled('warning:', 'yellow', to=sys.stderr)} {visible(text)}")


def columns(rows: Iterable[Sequence[str]], *, gap: str = "  ", indent: str = "  ") -> list[str]:
    """Rows of cells as aligned lines; the last cell is not padded."""
    table = [list(row) for row in rows]
    if not table:
        return []
    widths = [
        max((len(row[i]) for row in table if i < len(row)), default=0)
        for i in range(max(map(len, table)))
    ]
    lines = []
    for row in table:
        cells = [cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])]
        lines.append((indent + gap.join([*cells, row[-1]])).rstrip())
    return lines


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with a header on standard output; cells but the first of a row stand right."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for number, row in enumerate(table):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        line = ("  " + "  ".join(cells)).rstrip()
        out(line if number else styled(line, "bold"))


def metrics(values: Mapping[str, float]) -> list[Sequence[str]]:
    """Metrics as name and value, four decimals."""
    return [(name, f"{value:.4f}") for name, value in values.items()]
