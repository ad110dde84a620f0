"""The op `top-rows`: the rows with the largest or smallest values of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _recorders
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("top-rows")
def top_rows(rows: Recorder, *, by: Column, n: int = 50, largest: bool = True) -> Recorder:
    """Keep the rows with the largest, or smallest, values of a column, the most extreme first.

    Rows without a value come last; of equal ones the first in the input.

    Args:
        rows: a recorder, a data set without splits or a table.
        by: column with numbers, texts or times.
        n: how many rows to keep; all where there are fewer.
        largest: whether the largest values come first, or the smallest.
    """
    found = _recorders.recorder(rows)
    _recorders.check_column(found, by, key="by")
    return found.top(n, by, largest=largest)
