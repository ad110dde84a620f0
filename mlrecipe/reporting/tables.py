"""Tables of predictions: what their head says, and their rows in parts of bounded size."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head

OWN = ("row", "label", "prediction", "probabilities")
"""The columns of predictions that the test makes; the others are those of the tested rows."""

ONE, SEVERAL, OUTPUTS, NUMBER, TAGS, FRAMES = (
    "single_label_classification", "multi_label_classification", "multi_output_classification",
    "regression", "token_classification", "intent_and_slots",
)  # fmt: skip
"""The problem types of a head."""

IN_WORDS = {
    ONE: "one label for each row", SEVERAL: "any number of labels for each row",
    OUTPUTS: "several outputs for each row", NUMBER: "numbers (regression)",
    TAGS: "tags of words", FRAMES: "an intent and the tags of words",
}  # fmt: skip

_ROWS = 8192
"""Rows of a part."""

_PLACES = 1 << 22
"""Probabilities of a part, at most, unless a row has more."""


def head_of(schema: pa.Schema) -> Head:
    """What predictions are of, by the metadata `head` of their file; of older files by their columns.

    Raises:
        DataError: these are no predictions.
    """
    metadata = schema.metadata or {}
    if b"labels" not in metadata or not {*OWN} <= {*schema.names}:
        shown = ", ".join(schema.names) or "none"
        message = f"these rows are no predictions: their columns are {shown}"
        raise DataError(message, key="inputs", hint='take the input "predictions"')
    labels = tuple(json.loads(metadata[b"labels"]))
    kind = schema.field("prediction").type
    said = json.loads(metadata.get(b"head", b"{}"))
    if said.get("problem_type") not in IN_WORDS:  # an older file, or a task of someone's own
        return _by_type(kind, labels)
    outputs = {name: tuple(own) for name, own in said.get("outputs", {}).items()}
    known = {field.name for field in fields(Head)} - {"labels", "outputs", "targets"}
    return Head(
        labels=labels, outputs=outputs, targets=tuple(said.get("targets", ())),
        **{name: value for name, value in said.items() if name in known},
    )  # fmt: skip


def require(table: pa.Table, kinds: Collection[str], what: str) -> Head:
    """The head of predictions that are of one of `kinds`, some of whose rows have a label.

    Args:
        table: predictions.
        kinds: problem types.
        what: what asks, as a message begins with it: `"a confusion matrix"`.

    Raises:
        DataError: they are of another kind, no row has a label, or labels are not those of the head.
    """
    head = of_kind(table, kinds, what)
    if table.column("label").null_count == len(table):
        rows = f"none of the {len(table):,} rows has a label" if len(table) else "there are no rows"
        raise DataError(f"{what} needs labels: {rows}", key="inputs")
    return head


def of_kind(table: pa.Table, kinds: Collection[str], what: str) -> Head:
    """As `require`, of rows that need no label."""
    head = head_of(table.schema)
    if head.problem_type not in kinds:
        of = " or ".join(IN_WORDS[kind] for kind in kinds)
        own = IN_WORDS[head.problem_type]
        raise DataError(f"{what} is of {of}; these predictions are {own}", key="inputs")
    _check_labels(table, head)
    if head.problem_type != NUMBER and table.column("probabilities").null_count:
        raise DataError(f"{what} needs probabilities, and some rows have none", key="inputs")
    return head


def batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows in their order, in parts of bounded size."""
    lists = table.column("probabilities") if "probabilities" in table.column_names else None
    places = sum(len(chunk.flatten()) for chunk in lists.chunks) if lists is not None else 0
    wide = places // max(len(table), 1) + 1
    yield from table.to_batches(max_chunksize=max(1, min(_ROWS, _PLACES // wide)))


def labelled(table: pa.Table) -> pa.Table:
    """The rows with a label."""
    column = table.column("label")
    return table.filter(column.is_valid()) if column.null_count else table


def scores(column: pa.Array, width: int) -> NDArray[np.float32]:
    """Probabilities as they are stored, (rows, width); of width 0 all on end."""
    values: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), width) if width else values


def places(head: Head) -> dict[str, slice]:
    """Of a head with several outputs: column → its places among the probabilities."""
    found, start = {}, 0
    for column, labels in head.outputs.items():
        found[column] = slice(start, start + len(labels))
        start += len(labels)
    return found


def kept(table: pa.Table) -> list[str]:
    """The columns of the tested rows."""
    return [name for name in table.column_names if name not in OWN]


def _by_type(kind: pa.DataType, labels: tuple[str, ...]) -> Head:
    """A head as the type of the predictions tells it."""
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return Head(problem_type=OUTPUTS, labels=labels, outputs=_outputs(names, labels))
    if pa.types.is_floating(kind):
        return Head(problem_type=NUMBER, labels=labels)
    return Head(problem_type=SEVERAL if pa.types.is_list(kind) else ONE, labels=labels)


def _outputs(names: list[str], labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Of each output its labels, which stand as `column=label`, one output after the other."""
    rest = list(labels)
    found: dict[str, tuple[str, ...]] = {}
    for column in names:
        start = f"{column}="
        count = next((i for i, label in enumerate(rest) if not label.startswith(start)), len(rest))
        found[column] = tuple(label.removeprefix(start) for label in rest[:count])
        rest = rest[count:]
    return found


def _check_labels(table: pa.Table, head: Head) -> None:
    """Raise for labels or predictions that the head does not know: counting them would be wrong."""
    if head.problem_type == NUMBER:
        return
    for name in ("label", "prediction"):
        for known, column in _named(table.column(name), head):
            values = column.unique().drop_null().to_pylist()
            if strange := sorted(set(values) - set(known)):
                shown = ", ".join(map(repr, strange[:3]))
                message = f"column {name!r} has what is no label of these predictions: {shown}"
                raise DataError(message, key="inputs")


def _named(column: pa.ChunkedArray, head: Head) -> Iterator[tuple[Any, pa.ChunkedArray]]:
    """The labels that there are, and the values that should be such."""
    if pa.types.is_struct(column.type):
        names = (column.type.field(i).name for i in range(column.type.num_fields))
        parts = dict(zip(names, column.flatten(), strict=True))
        each = [(head.outputs[name], part) for name, part in parts.items() if name in head.outputs]
    else:
        each = [(head.labels, column)]
    for known, part in each:
        yield known, pc.list_flatten(part) if pa.types.is_list(part.type) else part
