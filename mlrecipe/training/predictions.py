"""Predictions: a row of Arrow for each tested row, in the order of the file, written while testing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch import Tensor

from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.runs import kept
from mlrecipe.training import tagged
from mlrecipe.training.companions import Companions
from mlrecipe.training.streams import Stream
from mlrecipe.training.streams import finished as finished  # noqa: PLC0414  # part of this module

_KINDS: Mapping[str, pa.DataType] = {
    "regression": pa.float32(), "multi_label_classification": pa.list_(pa.string()),
    "token_classification": pa.list_(pa.string()),
}  # fmt: skip


def schema(problem_type: str, *, outputs: Iterable[str] = ()) -> pa.Schema:
    """The columns: of one label each its name, of several a list of names, of a number the number.

    Of several outputs a struct, column → name; of words with tags a list, a tag for each word. `label` is null
    where a row has none. `probabilities`, for a number the scores, are in the order of the label names in the
    metadata `labels`, a JSON list; where words have tags those of the tags that are predicted, after that of
    the intent where there is one. The metadata `head` is the whole head, a JSON object, and `split` the split's
    name. Behind these columns stand some of the tested rows' own.
    """
    kind = _kind(problem_type, outputs)
    return pa.schema(
        {"row": pa.int64(), "label": kind, "prediction": kind,
         "probabilities": pa.list_(pa.float32())}
    )  # fmt: skip


def decided(head: Head, scores: NDArray[Any]) -> pa.Array:
    """The prediction for each row of scores, (rows, labels): what the column `prediction` holds."""
    if head.problem_type in tagged.KINDS:
        return tagged.decided(head, scores)
    if head.problem_type == "regression":
        return pa.array(scores.reshape(-1), pa.float32())
    if head.problem_type == "multi_label_classification":
        return _several(scores > head.threshold, head.labels)
    if head.outputs:
        ids = [scores[:, part].argmax(1) for part in parts(head).values()]
        return _structs(np.stack(ids, axis=1), head)
    return pa.array(head.labels, pa.string()).take(pa.array(scores.argmax(1)))


def given(head: Head, targets: NDArray[Any]) -> pa.Array:
    """The targets of rows as the column `label` holds them."""
    if head.problem_type in tagged.KINDS:
        return tagged.given(head, targets)
    if head.problem_type == "regression":
        return pa.array(targets.reshape(-1), pa.float32())
    if head.problem_type == "multi_label_classification":
        return _several(targets > 0, head.labels)
    if head.outputs:
        return _structs(targets, head)
    return pa.array(head.labels, pa.string()).take(pa.array(targets))


def probabilities(head: Head, scores: NDArray[Any]) -> pa.Array:
    """What the column `probabilities` holds of rows of scores."""
    if head.problem_type in tagged.KINDS:
        return tagged.probabilities(head, scores)
    offsets = np.arange(len(scores) + 1, dtype=np.int32) * np.int32(scores.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(scores.reshape(-1), pa.float32()))


def parts(head: Head) -> dict[str, slice]:
    """Of a head with several outputs: column → its places among the scores."""
    ends = np.cumsum([len(labels) for labels in head.outputs.values()]).tolist()
    starts = [0, *ends[:-1]]
    return {
        column: slice(start, end)
        for column, start, end in zip(head.outputs, starts, ends, strict=True)
    }


class Predictions:
    """An Arrow IPC stream, `<path>.part` until it is whole; its batches come in the order of the rows.

    Each is in the file before the next is made: what was written stays, whatever ends the process.
    """

    def __init__(
        self, path: Path, head: Head, *, split: str = "", beside: Companions | None = None,
        batches: int = 0, sampled_of: int | None = None,
    ) -> None:  # fmt: skip
        """Write the predictions of a split.

        Args:
            path: where they are once they are whole.
            head: of the model.
            split: its name.
            beside: columns of its rows that stand beside them.
            batches: so many that are there already stay.
            sampled_of: rows of the split, where these are only some of them: the metadata `rows`.
        """
        self._path = path
        self._head = head
        self._beside = beside
        self._batches = batches
        columns = schema(head.problem_type, outputs=head.outputs)
        for field in beside.fields if beside is not None else ():
            columns = columns.append(field)
        facts = {
            "labels": json.dumps(list(head.labels)), "head": json.dumps(asdict(head)),
            "split": split, **({} if sampled_of is None else {"rows": str(sampled_of)}),
        }  # fmt: skip
        self._schema = columns.with_metadata(facts)

    def __enter__(self) -> Predictions:
        self._stream = Stream(unfinished(self._path), self._schema, batches=self._batches)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close(is_whole=error is None)
        if error is None:
            os.replace(unfinished(self._path), self._path)

    def add(self, scores: Tensor, targets: Tensor | None, *, rows: NDArray[np.int64]) -> None:
        """Write rows with their numbers, (rows,), and what `StepOutput` has of them; no targets: no labels."""
        values = scores.float().cpu().numpy()
        if self._head.problem_type not in tagged.KINDS:
            values = values.reshape(len(rows), -1)
        predicted = decided(self._head, values)
        columns = [
            pa.array(rows, pa.int64()),
            pa.nulls(len(rows), predicted.type) if targets is None
            else given(self._head, targets.cpu().numpy()),
            predicted,
            probabilities(self._head, values),
            *(self._beside.of(rows) if self._beside is not None else ()),
        ]  # fmt: skip
        self._stream.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def _kind(problem_type: str, outputs: Iterable[str]) -> pa.DataType:
    if problem_type == tagged.FRAMES:
        return tagged.kind(outputs)
    columns = [pa.field(name, pa.string()) for name in outputs]
    return pa.struct(columns) if columns else _KINDS.get(problem_type, pa.string())


def _several(has: NDArray[np.bool_], labels: Sequence[str]) -> pa.Array:
    """The names of each row's labels."""
    ends = np.concatenate([[0], has.sum(axis=1).cumsum()]).astype(np.int32)
    names = pa.array(labels, pa.string()).take(pa.array(has.nonzero()[1]))
    return pa.ListArray.from_arrays(pa.array(ends), names)


def _structs(ids: NDArray[Any], head: Head) -> pa.Array:
    """Of ids, (rows, outputs), each output's label by its column."""
    columns = [
        pa.array(labels, pa.string()).take(pa.array(ids[:, number]))
        for number, labels in enumerate(head.outputs.values())
    ]
    return pa.StructArray.from_arrays(columns, names=list(head.outputs))


def unfinished(path: Path) -> Path:
    """Where predictions are until they are whole."""
    return path.with_name(f"{path.name}{kept.PART}")


def part(path: Path, rank: int) -> Path:
    """Where a process of several keeps its predictions until all are there."""
    return path.with_name(f"{path.name}.{rank}")


def merge(path: Path, *, world_size: int, rows: int) -> None:
    """Put the processes' parts together in the order of the rows, and remove them.

    The batches were dealt in turn: never more than one of each part is in memory.

    Raises:
        TrainingError: a row is missing, or there twice.
    """
    parts = [part(path, rank) for rank in range(world_size)]
    fresh = path.with_name(f".{path.name}.new")
    with ExitStack() as stack:
        streams = [stack.enter_context(pa.ipc.open_stream(stack.enter_context(pa.memory_map(str(p)))))
                   for p in parts]  # fmt: skip
        done = 0
        with closing(Stream(fresh, streams[0].schema)) as whole:
            for batch in _in_turn(streams):
                numbers = batch.column("row").to_numpy()
                if not np.array_equal(numbers, np.arange(done, done + len(numbers))):
                    raise TrainingError(
                        f"predictions of rows after {done} are missing or there twice"
                    )
                whole.write(batch)
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
