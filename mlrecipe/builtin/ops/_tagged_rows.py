"""Rows of words with their tags: from any reader to one data set that does not show where they came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from mlrecipe import events
from mlrecipe.builtin.ops import _reading
from mlrecipe.builtin.ops._files import Source, check_same_columns
from mlrecipe.errors import DataError
from mlrecipe.tagging.convert import IllegalTagError, convert
from mlrecipe.tagging.layouts import TAGS, check_conversion, in_order
from mlrecipe.tagging.schemes import scheme_of

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetDict

CHUNK = 10_000
"""Rows that are held as Python objects at a time."""

Row: TypeAlias = Sequence[Any]
"""A row's value of each column: a list with a text for each word, or a plain value."""

Rows: TypeAlias = Iterator[Row]

Kinds: TypeAlias = Mapping[str, str]
"""Column → `words`, for a list with a text for each word, or the name of a plain Arrow type."""

_WORD = re.compile(r"[^ \t\r\n\f\v]+")


def words(text: str) -> list[str]:
    """What stands between white space; a space that does not break a line is part of a word."""
    return _WORD.findall(text)


def table(
    sources: Sequence[Source],
    read: Callable[[Source], tuple[Kinds, Rows]],
    limit: int | None,
) -> pa.Table:
    """The rows of a split's files on end, at most `limit`; `read` gives the columns and rows of one.

    Raises:
        DataError: a file has no rows, or other columns than the first.
    """
    import pyarrow as pa

    tables: list[pa.Table] = []
    first: Kinds = {}
    done = 0
    for source in sources:
        kinds, rows = read(source)
        first = first or kinds
        check_same_columns(sources[0], list(first), source, list(kinds))
        before = done
        for some in _chunks(rows, kinds, None if limit is None else limit - done):
            done += some.num_rows
            tables.append(some)
            events.progress(done)  # the limit is each split's, and this is one of them
        if done == before and limit != 0:
            raise source.error("it has no row")
        if limit is not None and done >= limit:
            break
    return pa.concat_tables(some.select(list(first)) for some in tables)


def data(
    tables: Mapping[str, pa.Table],
    *,
    scheme: str | None,
    to: str | None,
    classes: Mapping[str, Sequence[str]] | None = None,
) -> DatasetDict:
    """The splits, words and tags first, with tags in the scheme `to`.

    Args:
        tables: split to its rows.
        scheme: how the tags are written; by default found.
        to: how they are to be; by default as they are.
        classes: column to the names of its classes, for those that have such.

    Raises:
        DataError: tags are not legal in their scheme, or have no equal in the other.
    """
    from datasets import DatasetDict

    check_conversion(scheme, to)
    if to is not None:
        tables = _converted(tables, scheme, to)
    return DatasetDict(
        {
            name: _reading.dataset(rows.select(in_order(rows.column_names)), classes or {})
            for name, rows in tables.items()
        }
    )


def with_tags(rows: pa.Table, tags: list[list[str]]) -> pa.Table:
    """The rows with other tags."""
    import pyarrow as pa

    array = pa.array(tags, pa.list_(pa.string()))
    return rows.set_column(rows.column_names.index(TAGS), TAGS, array)


def counted(count: int, what: str) -> str:
    """`1 word`, `2 words`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _chunks(rows: Rows, kinds: Kinds, limit: int | None) -> Iterator[pa.Table]:
    import pyarrow as pa

    types = {name: _type(kind) for name, kind in kinds.items()}
    wanted = islice(rows, limit)
    is_first = True
    while (chunk := list(islice(wanted, CHUNK))) or is_first:
        columns = list(zip(*chunk, strict=True)) or [()] * len(types)
        arrays = [pa.array(c, t) for c, t in zip(columns, types.values(), strict=True)]
        yield pa.Table.from_arrays(arrays, names=list(types))
        is_first = False


def _type(kind: str) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.string()) if kind == "words" else pa.type_for_alias(kind)


def _converted(tables: Mapping[str, pa.Table], scheme: str | None, to: str) -> dict[str, pa.Table]:
    tags = {
        name: rows[TAGS].to_pylist() for name, rows in tables.items() if TAGS in rows.schema.names
    }
    if not tags:
        raise DataError(f"there is no column {TAGS!r} to write as {to}", key="to")
    source = scheme or _found(tags)
    return {
        name: with_tags(rows, _in_scheme(tags[name], name, source, to)) if name in tags else rows
        for name, rows in tables.items()
    }


def _found(tags: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """The scheme of the tags of all splits."""
    found = scheme_of(row for some in tags.values() for row in some)
    events.emit(events.Note(f"the tags are read as {found}"))
    return found


def _hint(error: DataError) -> str | None:
    if not isinstance(error, IllegalTagError):
        return error.hint
    return "another scheme? `scheme` says it; else load without `to`, and see the op convert-tags"


def _in_scheme(rows: Iterable[Sequence[str]], split: str, source: str, to: str) -> list[list[str]]:
    """The tags of a split in another scheme; a row that cannot be is named by its number, from 1."""
    # A B in IOB1 begins a span wherever it stands, and CoNLL-2003 has some where none is needed.
    is_clear = source == "IOB1"
    remembered = lru_cache(maxsize=CHUNK)(lambda tags: convert(tags, source, to, repair=is_clear))
    found = []
    for number, tags in enumerate(rows, start=1):
        try:
            found.append(remembered(tuple(tags)))
        except DataError as error:
            key = {"source": "scheme", "target": "to"}.get(error.key or "", error.key)
            message = f"row {number:,} of split {split!r}, {error.message}"
            raise DataError(message, key=key, hint=_hint(error)) from None
    return found
