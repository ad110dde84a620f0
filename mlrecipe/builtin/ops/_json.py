"""JSON: a list of objects or an object a line, as Arrow tables with the types of the values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 10_000
"""Rows that are held as Python objects at a time."""

_NAMES = {
    str: "texts", bool: "truth values", int: "numbers", float: "numbers", list: "lists", dict: "objects",
}  # fmt: skip

_INT64 = range(-(2**63), 2**63)


def read(source: Source, encoding: str, limit: int | None) -> Iterator[pa.Table]:
    """The rows in tables of `CHUNK`; a key that a row lacks is null in it.

    The content decides, not the name: a list of objects, an object that has such a list under one
    of its keys, or an object a line. Of JSON Lines no more than `limit` are read.

    Raises:
        DataError: the text is no JSON, or a row is no object; with its line or row.
    """
    with open_text(source, encoding=encoding, newline="\n") as text:
        found = islice((row for row, _ in _rows(source, text)), limit)
        while chunk := list(islice(found, CHUNK)):
            yield table(source, chunk)


def rows(source: Source, encoding: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects, and the text of each where it is an object a line; else an empty one.

    Raises:
        DataError: as `read`.
    """
    with open_text(source, encoding=encoding, newline="\n") as text:
        yield from _rows(source, text)


def _rows(source: Source, text: TextIO) -> Iterator[tuple[dict[str, Any], str]]:
    lines = enumerate(text, start=1)
    number, first = next(((n, line) for n, line in lines if line.strip()), (0, ""))
    if not number:
        raise source.error("the file is empty")
    if first.lstrip().startswith("[") or (source.format == "json" and not _is_object(first)):
        yield from ((row, "") for row in _listed(source, first + text.read(), number))
        return
    for at, line in chain([(number, first)], lines):
        if line.strip():
            value = _parsed(source, line.rstrip(), at)
            if not isinstance(value, dict):
                raise source.error(_no_object(value), line=at)
            yield value, line.strip()


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _listed(source: Source, text: str, line: int) -> Iterator[dict[str, Any]]:
    whole = _parsed(source, text, line)
    if isinstance(whole, dict):
        whole = next((value for value in whole.values() if isinstance(value, list)), None)
    if not isinstance(whole, list):
        raise source.error("it holds no list of rows")
    for number, value in enumerate(whole, start=1):
        if not isinstance(value, dict):
            raise source.error(f"row {number}: {_no_object(value)}")
        yield value


def _parsed(source: Source, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise source.error(f"no JSON: {getattr(error, 'msg', error)}", line=at) from error


def _no_object(value: Any) -> str:
    return f"{str(value)[:40]!r} is no object with named values"


def table(
    source: Source, rows: list[dict[str, Any]], odd: dict[str, DataError] | None = None
) -> pa.Table:
    """The objects as a table with the types of the values.

    Args:
        source: the file, which errors name.
        rows: the objects.
        odd: where it is given, a column that mixes values is noted in it with its error, and is one of
            texts in JSON.

    Raises:
        DataError: a column mixes values that have no type in common.
    """
    import pyarrow as pa

    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = _column(source, name, values)
        except DataError as error:
            if odd is None:
                raise
            odd[name] = error
            columns[name] = pa.array([None if v is None else json.dumps(v) for v in values])
    return pa.Table.from_arrays(list(columns.values()), names=list(columns))


def _column(source: Source, name: str, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    types = {type(value) for value in values} - {type(None)}
    if types == {int} and not all(value is None or value in _INT64 for value in values):
        types = {int, str}  # as in CSV, numbers too large for a computer's integers are texts
    if len(types & {str, bool}) and len(types) > 1 and types <= {str, int, float, bool}:
        return pa.array([as_text(value) for value in values], pa.string())
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError) as error:
        what = _kinds(values) or str(error)
        raise source.error(f"column {name!r} mixes values of several types: {what}") from error


def _kinds(values: list[Any]) -> str:
    """What the values are, or what is in them where they are lists; empty where that is one only."""
    for some in (values, [item for value in values if isinstance(value, list) for item in value]):
        kinds = {_NAMES.get(type(value), "") for value in some} - {""}
        if len(kinds) > 1:
            return " and ".join(sorted(kinds, reverse=True))
    return ""


def as_text(value: Any) -> str | None:
    """A value among texts: a number or a truth value as JSON writes it."""
    return value if value is None or isinstance(value, str) else json.dumps(value)
