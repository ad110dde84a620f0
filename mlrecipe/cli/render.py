"""Printing: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback as tracebacks
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from mlrecipe.errors import MlrecipeError, RecipeError
from mlrecipe.secrecy import redact

_COLORS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "dim": 2, "bold": 1}


class ReaderGone(Exception):
    """Whoever read the results has enough: `mlrecipe show x | head`."""


def out(text: str = "") -> None:
    """A line of the result.

    Raises:
        ReaderGone: nobody reads it any more, and there is nothing else to do.
        MlrecipeError: it cannot be written.
    """
    try:
        sys.stdout.write(f"{redact(text)}\n")
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
    try:
        sys.stderr.write(f"{redact(text)}\n")
        sys.stderr.flush()
    except OSError:  # a terminal that is gone, a pipe that nobody reads, a full disk
        _lose(sys.stderr)


def document(data: Any) -> None:
    """One JSON document as the whole result."""
    out(json.dumps(_finite(data), indent=2, ensure_ascii=False, default=str, allow_nan=False))


def _finite(data: Any) -> Any:
    """The data with null for the numbers that JSON does not have."""
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, (list, tuple)) else data


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
        say(f"{label} {problem}")
        return
    count = len(problem.problems)
    if count == 1:
        say(f"{label} {problem.problems[0]}")
        return
    say(f"{label} {problem.subject} has {count} problems; nothing was run")
    width = max(len(p.where) for p in problem.problems)
    for item in problem.problems:
        text = f"{item.key}: {item.message}" if item.key else item.message
        say(f"  {item.where:<{width}}  {text}")


def traceback() -> None:
    """The Python traceback of the error that is being handled."""
    say(tracebacks.format_exc().rstrip())


def interrupted() -> None:
    """What Ctrl-C left."""
    say(styled("interrupted: what was finished is kept", "yellow", to=sys.stderr))


def warn(text: str) -> None:
    """Something that deserves attention."""
    say(f"{styled('warning:', 'yellow', to=sys.stderr)} {text}")


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


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `1 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: int) -> str:
    """`312 B`, `4.1 kB`, `27 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
