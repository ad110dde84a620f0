"""Predictions: a row of Arrow for each tested row, in the order of the file, written while testing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from mlrecipe.errors import TrainingError

_KINDS: Mapping[str, pa.DataType] = {
    "regression": pa.float32(), "multi_label_classification": pa.list_(pa.string()),
}  # fmt: skip
_THRESHOLD = 0.5
"""A text has a label, of those of which it may have several, from this probability on."""


def schema(problem_type: str) -> pa.Schema:
    """The columns: of one label each its name, of several a list of names, of a number the number.

    `probabilities`, for a number the scores, are in the order of the label names in the metadata `labels`, a
    JSON list.
    """
    kind = _KINDS.get(problem_type, pa.string())
    return pa.schema(
        {"row": pa.int64(), "label": kind, "prediction": kind,
         "probabilities": pa.list_(pa.float32())}
    )  # fmt: skip


class Predictions:
    """An Arrow IPC stream that takes its name once it is whole; rows come in their order."""

    def __init__(
        self,
        path: Path,
        labels: Sequence[str],
        *,
        problem_type: str = "single_label_classification",
    ) -> None:
        self.rows = 0
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._names = pa.array(list(labels), pa.string())
        self._problem_type = problem_type
        self._schema = schema(problem_type).with_metadata({"labels": json.dumps(list(labels))})

    def __enter__(self) -> Predictions:
        self._file = self._part.open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._file.close()
        if error is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)

    def add(self, scores: Tensor, targets: Tensor, *, rows: NDArray[np.int64]) -> None:
        """Write rows with their numbers, (rows,): probabilities, (rows, labels), and label ids, (rows,).

        Where a row has several labels the targets are 0 and 1, (rows, labels); a number's are (rows,).
        """
        probabilities = scores.float().cpu().numpy().reshape(len(rows), -1)
        count, width = probabilities.shape
        offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
        columns = [
            pa.array(rows, pa.int64()),
            *self._answers(targets.cpu().numpy(), probabilities),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(probabilities.reshape(-1))),
        ]
        self._stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self.rows += count

    def _answers(self, targets: NDArray[Any], scores: NDArray[Any]) -> list[pa.Array]:
        """The columns `label` and `prediction`."""
        if self._problem_type == "regression":
            return [pa.array(each.reshape(-1), pa.float32()) for each in (targets, scores)]
        if self._problem_type == "multi_label_classification":
            return [self._several(each >= _THRESHOLD) for each in (targets, scores)]
        return [self._names.take(pa.array(targets)), self._names.take(pa.array(scores.argmax(1)))]

    def _several(self, has: NDArray[np.bool_]) -> pa.Array:
        """The names of each row's labels."""
        ends = np.concatenate([[0], has.sum(axis=1).cumsum()]).astype(np.int32)
        names = self._names.take(pa.array(has.nonzero()[1]))
        return pa.ListArray.from_arrays(pa.array(ends), names)


def part(path: Path, rank: int) -> Path:
    """Where a process of several keeps its predictions until all are there."""
    return path.with_name(f".{path.name}.{rank}")


def merge(path: Path, *, world_size: int, rows: int) -> None:
    """Put the processes' parts together in the order of the rows, and remove them.

    The batches were dealt in turn: never more than one of each part is in memory.

    Raises:
        TrainingError: a row is missing, or there twice.
    """
    parts = [part(path, rank) for rank in range(world_size)]
    fresh = path.with_name(f".{path.name}.part")
    with ExitStack() as stack:
        streams = [stack.enter_context(pa.ipc.open_stream(stack.enter_context(pa.memory_map(str(p)))))
                   for p in parts]  # fmt: skip
        with pa.ipc.new_stream(str(fresh), streams[0].schema) as whole:
            done = 0
            for batch in _in_turn(streams):
                numbers = batch.column("row").to_numpy()
                if not np.array_equal(numbers, np.arange(done, done + len(numbers))):
                    raise TrainingError(
                        f"predictions of rows after {done} are missing or there twice"
                    )
                whole.write_batch(batch)
                done += len(numbers)
    if done != rows:
        raise TrainingError(f"there are predictions of {done} rows instead of {rows}")
    os.replace(fresh, path)
    for file in parts:
        file.unlink()


def _in_turn(streams: Sequence[pa.RecordBatchStreamReader]) -> Iterator[pa.RecordBatch]:
    """A batch of each, again and again, until one has no more; then the others have none either."""
    while True:
        for stream in streams:
            try:
                yield stream.read_next_batch()
            except StopIteration:
                return
