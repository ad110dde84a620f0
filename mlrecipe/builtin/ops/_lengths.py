"""Lengths of texts and lists, for whole columns at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def lengths(values: pa.ChunkedArray, *, unit: str, key: str) -> pa.ChunkedArray:
    """Words or characters of texts, items of lists; null where the value is missing.

    Words are what ASCII white space separates.

    Raises:
        DataError: the column has neither texts nor lists; `key` is the parameter at fault.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(values.type):
        return words(values) if unit == "words" else pc.utf8_length(values)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return pc.list_value_length(values)
    raise DataError(f"a column of {values.type} has no length", key=key)


def words(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The number of words of each text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.ascii_trim_whitespace(texts)
    count = pc.list_value_length(pc.ascii_split_whitespace(trimmed))
    # An empty text splits into one empty part.
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(0, pa.int32()), count)
