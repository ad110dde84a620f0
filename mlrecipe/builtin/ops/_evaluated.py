"""What ops of an evaluation share: rows of predictions in, a recorder out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlrecipe.recorder import Recorder


def rows_of(predictions: Any) -> pa.Table:
    """The rows of a recorder, with what they are predictions of.

    Raises:
        DataError: it is no recorder.
    """
    from mlrecipe.recorder.recorder import Recorder

    if not isinstance(predictions, Recorder):
        message = f"expected predictions, got {type(predictions).__name__}"
        raise DataError(message, key="inputs", hint='take the input "predictions"')
    return predictions.table


def fitted_on(fit: tuple[Any, ...]) -> pa.Table | None:
    """The rows of the one input more that an op may have; None where there is none.

    Raises:
        DataError: there are several, or it is no recorder.
    """
    if len(fit) > 1:
        message = f"expected predictions and at most one input more, got {len(fit)} more"
        raise DataError(message, key="inputs")
    return rows_of(fit[0]) if fit else None


def recorder(rows: pa.Table, statistics: Mapping[str, Any], of: Recorder) -> Recorder:
    """A recorder of rows that are no predictions, made of predictions."""
    from mlrecipe.recorder.recorder import Recorder

    plain = rows.replace_schema_metadata(None)
    return Recorder(plain, statistics=statistics, split=of.split)
