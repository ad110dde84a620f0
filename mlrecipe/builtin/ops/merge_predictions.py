"""The op `merge-predictions`: the columns of several recorders side by side."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _recorders
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("merge-predictions")
def merge_predictions(*predictions: Recorder, suffixes: list[str] | None = None) -> Recorder:
    """Put the columns of several recorders side by side, by the column `row`.

    All must have the same rows, each once; they come in the order of the first. What is alike in
    two is there once. Where a column or a statistic of one name differs, that of the later input
    gets its suffix: without one that is an error, and nothing is dropped in silence.

    Args:
        *predictions: two recorders or more, such as `predictions` and those of other runs.
        suffixes: for each input after the first what is put after a name that it shares with an
            earlier one, such as `["_small"]`.
    """
    if len(predictions) < 2:
        raise DataError("two inputs or more can be merged", key="inputs")
    given = suffixes or [""] * (len(predictions) - 1)
    if len(given) != len(predictions) - 1:
        raise DataError(
            f"{len(given)} suffixes for {len(predictions)} inputs",
            key="suffixes",
            hint="give one for each input after the first",
        )
    first, *others = map(_recorders.recorder, predictions)
    try:
        return reduce(
            lambda one, pair: one.merge(pair[0], suffix=pair[1]),
            zip(others, given, strict=True),
            first,
        )
    except DataError as error:
        key = "suffixes" if error.key == "suffix" else "inputs"
        raise DataError(error.message, key=key, hint=error.hint) from error
