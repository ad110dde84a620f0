"""Recorders as inputs of ops: what else has rows is taken for one, and columns are looked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlrecipe.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


def recorder(value: Any) -> Recorder:
    """The recorder; of a data set without splits or of a table of Arrow one with its rows.

    Raises:
        DataError: it is none of these.
    """
    import pyarrow as pa

    from mlrecipe.recorder.recorder import Recorder

    if isinstance(value, Recorder):
        return value
    datasets = sys.modules.get("datasets")  # who holds a data set has imported it
    if datasets is not None and isinstance(value, datasets.Dataset):
        value = value.with_format("arrow")[:]
        return Recorder(value.replace_schema_metadata(None))
    if isinstance(value, pa.Table):
        return Recorder(value)
    raise DataError(
        f"expected a recorder, such as predictions, got {type(value).__name__}",
        key="inputs",
        hint='of a data set take one split: "NODE.test"',
    )


def check_column(found: Recorder, name: str, *, key: str) -> None:
    """Raise a DataError at a parameter, unless there is the column that it names."""
    if name not in found.column_names:
        hint = did_you_mean(name, found.column_names)
        raise DataError(f"there is no column {name!r}", key=key, hint=hint)
