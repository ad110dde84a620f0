"""Texts of tested rows: which columns hold them, by their names and types, and how long they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.columns import find_texts, find_words
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.reporting import tables
from mlrecipe.reporting.part import Numbers

_SHOWN = 300
"""Characters of a text that are shown, by default."""


def text_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The column of the tested rows with texts, two where they are pairs, or that with lists of words.

    Empty where there is none, or none that is plain to be it.
    """
    names = [name for name in schema.names if name not in tables.OWN]
    kinds = {name: kind_of(schema.field(name).type) for name in names}
    # The label's own column is not among them, and so what is left is taken for the texts more readily.
    lists = {n: kind_of(_inner(schema.field(n).type)) for n in names if kinds[n] == "list"}
    for find, of in ((find_texts, kinds), (_words, lists)):
        try:
            return find(of)
        except DataError:
            continue
    return ()


def texts_of(table: pa.Table, columns: tuple[str, ...] = ()) -> pa.ChunkedArray | None:
    """The text of each row, of pairs and of words put together by spaces; None where no column has it.

    A missing text is empty.

    Raises:
        DataError: a named column is not there, or has no texts.
    """
    named = columns or text_columns(table.schema)
    if not named:
        return None
    parts = [_text(table.column(check(table, name)), name) for name in named]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")


def of(table: pa.Table, columns: tuple[str, ...] = ()) -> pa.ChunkedArray:
    """As `texts_of`, where there must be some.

    Raises:
        DataError: no column is plain to have texts; and as `texts_of`.
    """
    found = texts_of(table, columns)
    if found is None:
        raise _none(table, key="text")
    return found


def words_of(table: pa.Table) -> Callable[[int], list[str]] | None:
    """What gives a row's words, by its place; None where no column is plain to have them."""
    lists = [name for name in text_columns(table.schema) if is_list(table.schema.field(name).type)]
    if not lists:
        return None
    column = table.column(lists[0])
    return lambda place: column[place].as_py() or []


def lengths(table: pa.Table, column: str | None = None) -> tuple[Numbers, str]:
    """The length of each row and in what: words of texts, items of lists, NaN where there is none.

    Words are what ASCII white space separates.

    Args:
        table: predictions.
        column: texts or lists; by default the texts, of pairs both together, else the tags of each row.

    Raises:
        DataError: the column is not there or has no length, or no column is plain to have texts.
    """
    names = (check(table, column),) if column else text_columns(table.schema)
    if not names and is_list(table.schema.field("prediction").type):
        names = ("prediction",)
    if not names:
        raise _none(table, key="length")
    found = sum(_length(table.column(name), name) for name in names)
    is_text = kind_of(table.schema.field(names[0]).type) == "text"
    return np.asarray(found, np.float64), "words" if is_text or names[0] != column else "items"


def check(table: pa.Table, name: str, *, key: str = "text", also: tuple[str, ...] = ()) -> str:
    """The name of a column that is there; `also` are names that are no columns and might be meant.

    Raises:
        DataError: it is not; with what there is.
    """
    if name not in table.column_names:
        hint = did_you_mean(name, [*table.column_names, *also])
        hint += "; the recipe's `test.keep` says which columns of the tested rows are kept"
        raise DataError(f"the predictions have no column {name!r}", key=key, hint=hint)
    return name


def shortened(text: str, longest: int = _SHOWN) -> str:
    """A text of at most `longest` characters, on one line."""
    plain = " ".join(text[: 2 * longest].split())
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def kind_of(kind: pa.DataType) -> str:
    """What a column of this type holds, in the words of `mlrecipe.columns`."""
    if pa.types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if is_list(kind) or pa.types.is_struct(kind):
        return "list"
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return "class"
    return "number" if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else "other"


def is_list(kind: pa.DataType) -> bool:
    """Whether values of the type are lists."""
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _none(table: pa.Table, *, key: str) -> DataError:
    message = "no column of the predictions is plain to hold the texts"
    shown = ", ".join(tables.kept(table)) or "none"
    hint = f"name it; columns of the tested rows: {shown} (`test.keep` says which are kept)"
    return DataError(message, key=key, hint=hint)


def _words(lists: dict[str, str]) -> tuple[str, ...]:
    return (find_words(lists),)


def _inner(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if is_list(kind) else kind


def _text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = column.type
    if is_list(kind) and kind_of(kind.value_type) == "text":
        column = pc.binary_join(column, " ")
    elif kind_of(kind) != "text":
        raise DataError(f"column {name!r} holds no texts, but {kind}", key="text")
    elif pa.types.is_dictionary(kind):
        column = column.cast(pa.string())
    return pc.fill_null(column, "")


def _length(column: pa.ChunkedArray, name: str) -> Numbers:
    if is_list(column.type):
        found = pc.list_value_length(column)
    elif kind_of(column.type) == "text":
        found = pc.if_else(column.is_valid(), _words_in(_text(column, name)), None)
    else:
        message = f"column {name!r} holds {column.type}: it has no length"
        raise DataError(message, key="length", hint=f'for its values take `by = "{name}"`')
    values: Numbers = found.to_numpy().astype(np.float64)
    return values


def _words_in(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The number of words of each text, as the op `statistics` counts them."""
    trimmed = pc.ascii_trim_whitespace(texts)
    count = pc.list_value_length(pc.ascii_split_whitespace(trimmed))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(0, pa.int32()), count)
