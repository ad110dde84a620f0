"""Types of columns: inferred from texts, agreed on between files, whatever the files' format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops._json import as_text
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGER = r"^-?(0|[1-9][0-9]*)$"
_NUMBER = r"^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_HEAD = 100


def inferred(column: pa.ChunkedArray) -> pa.DataType:
    """The type of a column of texts: int64 or float64 if every cell with something in it is one.

    String otherwise; null when all cells are empty. Nothing else is guessed: `true`, `NA`, `null`,
    `nan` and dates are texts, and so are codes with leading zeros and numbers too large for int64.
    """
    import pyarrow as pa

    head = _numeric(column.slice(0, _HEAD))
    if head is not None and pa.types.is_string(head):
        return head
    return _numeric(column) or pa.null()


def canonical(kind: pa.DataType) -> pa.DataType:
    """The one type for all like it: string, int64, float64; lists without large offsets."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return canonical(kind.value_type)
    if types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    if types.is_large_binary(kind) or str(kind) == "binary_view":
        return pa.binary()
    if types.is_large_list(kind):
        return pa.list_(_nested(kind.value_type))
    if types.is_integer(kind):
        return pa.int64()
    return pa.float64() if types.is_floating(kind) else kind


def agreed(kinds: Iterable[pa.DataType]) -> pa.DataType | None:
    """The type that holds the values of all these; None when only Arrow can tell (lists, dates).

    Integers among floats are floats; numbers and truth values among texts are texts; nothing at all
    is a string.
    """
    import pyarrow as pa

    found = set(kinds) - {pa.null()}
    if not found:
        return pa.string()
    if len(found) == 1:
        return found.pop()
    if found == {pa.int64(), pa.float64()}:
        return pa.float64()
    simple = {pa.int64(), pa.float64(), pa.bool_(), pa.string()}
    return pa.string() if found <= simple else None


def converted(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column as another type.

    Texts are parsed, an empty one is null; numbers become texts as JSON writes them.

    Raises:
        pyarrow.ArrowInvalid: a value has no equal of that type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == kind:
        return column
    if pa.types.is_string(kind) and _is_simple(column.type):
        return pa.chunked_array([[as_text(value) for value in column.to_pylist()]], kind)
    if pa.types.is_string(column.type):
        trimmed = pc.ascii_trim_whitespace(column)
        empty = pc.equal(trimmed, "")
        return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed).cast(kind)
    # Above 2**53 an integer among floats loses digits, as it does when CSV is read as floats.
    return column.cast(kind, safe=not pa.types.is_floating(kind))


def asked_for(column: pa.ChunkedArray, name: str, kind: str) -> pa.ChunkedArray:
    """The column as the type that `types` names.

    Raises:
        DataError: a value is none of that type; with the value and its row.
    """
    import pyarrow as pa

    target = {"bool": pa.bool_()}.get(kind) or pa.type_for_alias(kind)
    try:
        return converted(column, target)
    except pa.ArrowException:
        row, value = _first_misfit(column, target)
        raise DataError(
            f"column {name!r} has {value!r} in row {row + 1}, which is no {kind}", key="types"
        ) from None


def _numeric(column: pa.ChunkedArray) -> pa.DataType | None:
    """Int64, float64 or string; None when all cells are empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.ascii_trim_whitespace(column)
    cells = trimmed.filter(pc.not_equal(trimmed, ""))
    if not len(cells):
        return None
    if pc.all(pc.match_substring_regex(cells, _INTEGER)).as_py():
        return pa.int64() if _fits(cells) else pa.string()
    is_number = pc.all(pc.match_substring_regex(cells, _NUMBER)).as_py()
    return pa.float64() if is_number else pa.string()


def _fits(cells: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    try:
        cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def _is_simple(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _nested(kind: pa.DataType) -> pa.DataType:
    """Values inside lists keep their width: token ids may be int32."""
    import pyarrow as pa

    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return kind if is_number else canonical(kind)


def _first_misfit(column: pa.ChunkedArray, kind: pa.DataType) -> tuple[int, Any]:
    import pyarrow as pa

    for row in range(len(column)):
        try:
            converted(column.slice(row, 1), kind)
        except pa.ArrowException:
            return row, column[row].as_py()
    return 0, None
