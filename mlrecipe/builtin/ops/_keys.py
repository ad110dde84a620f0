"""Keys of rows: equal for equal rows, small, and made a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from mlrecipe import events
from mlrecipe.builtin.ops import _splits

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.typing import NDArray


def keys(split: Dataset, columns: Sequence[str], *, normalize: bool = False) -> NDArray[np.uint64]:
    """One number for each row, equal where the columns are equal, shape (rows,).

    Two rows that differ share a number with a chance of 1 in 2**64. `normalize` takes texts that
    differ only in case and white space for equal, those in lists too.
    """
    import numpy as np

    change = _normal if normalize else None
    parts = [np.empty(0, dtype=np.uint64)]
    done = 0
    for table in _splits.batches(split, columns):
        parts.append(of_table(table, change))
        done += table.num_rows
        events.progress(done, len(split))
    return np.concatenate(parts)


def of_table(table: pa.Table, change: Callable[[Any], Any] | None = None) -> NDArray[np.uint64]:
    """The keys of a table's rows, `change` done to each value first; shape (rows,)."""
    return of_texts(_texts(table, change))


def of_texts(texts: Iterable[str]) -> NDArray[np.uint64]:
    """One number for each text, shape (texts,)."""
    import numpy as np

    return np.frombuffer(b"".join(map(_digest, texts)), dtype=np.uint64)


def _texts(table: pa.Table, change: Callable[[Any], Any] | None) -> list[str]:
    """A text for each row that has all of its values in it."""
    columns = [column.to_pylist() for column in table.columns]
    if change is not None:
        columns = [[change(value) for value in column] for column in columns]
    if len(columns) == 1:
        # A text as it stands, after a mark that no JSON of a list begins with: that saves the time.
        return [
            f'"{v}' if isinstance(v, str) else json.dumps([v], default=repr) for v in columns[0]
        ]
    return [json.dumps(row, default=repr) for row in zip(*columns, strict=True)]


def _normal(value: Any) -> Any:
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return " ".join(value.casefold().split()) if isinstance(value, str) else value


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
