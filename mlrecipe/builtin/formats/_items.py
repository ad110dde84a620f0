"""Items of lists: cutting a list into runs, and putting such runs together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlrecipe.errors import DataError


class Items:
    """Shards of a list; other plain values have no rows."""

    def part(self, value: Any, rows: Callable[[int], range]) -> list[Any]:
        """A run of items.

        Raises:
            DataError: the value is no list.
        """
        if type(value) is not list:
            raise DataError(f"a value of type {type(value).__name__!r} has no rows", key="shards")
        return [value[row] for row in rows(len(value))]

    def join(self, parts: Sequence[Any]) -> list[Any]:
        """All items in order.

        Raises:
            DataError: a part is no list.
        """
        for number, part in enumerate(parts, 1):
            if type(part) is not list:
                kind = type(part).__name__
                raise DataError(f"shard {number} gave a value of type {kind!r}, which has no rows")
        return [item for part in parts for item in part]
