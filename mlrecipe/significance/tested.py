"""Tested rows: labels and predictions of a table as numbers; rows without labels are left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance.words import Words, ids_of, words_of

Flags = NDArray[np.bool_]
ONE, SEVERAL, NUMBER = "single_label_classification", "multi_label_classification", "regression"
OUTPUTS, TAGS, FRAMES = "multi_output_classification", "token_classification", "intent_and_slots"

OWN = ("row", "label", "prediction", "probabilities")
"""The columns of predictions that a test makes; the others are those of the tested rows."""


@dataclass(frozen=True, slots=True)
class OneLabel:
    """Rows with one label each."""

    labels: tuple[str, ...]
    there: Ids
    """Ids of the right labels, (rows,)."""

    given: Ids
    scores: Numbers | None
    """Probabilities, (rows, labels); None where the table has none."""


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """Rows with any number of labels."""

    labels: tuple[str, ...]
    there: Flags
    """Whether a row has a label, (rows, labels)."""

    given: Flags
    scores: Numbers | None


@dataclass(frozen=True, slots=True)
class Values:
    """Rows with a number each."""

    there: Numbers
    given: Numbers


@dataclass(frozen=True, slots=True)
class Tested:
    """The labelled rows of a table of predictions, part by part."""

    kind: str
    """The head's problem type."""

    parts: Mapping[str, OneLabel | SeveralLabels | Values | Words]
    """Of several outputs each by its column, else the only one by an empty name."""

    rows: int


def load(path: Path) -> pa.Table:
    """The predictions in a file, without the columns of the tested rows.

    Raises:
        DataError: it is no file of predictions.
    """
    return _loaded(path, lambda name: name in OWN)


def kept(path: Path) -> pa.Table:
    """The numbers of the rows in a file of predictions, and the columns that were kept of them.

    Raises:
        DataError: it is no file of predictions.
    """
    return _loaded(path, lambda name: name == "row" or name not in OWN)


def _loaded(path: Path, is_wanted: Callable[[str], bool]) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            names = [name for name in stream.schema.names if is_wanted(name)]
            parts = [batch.select(names) for batch in stream]
            schema = stream.schema.empty_table().select(names).schema
            return pa.Table.from_batches(parts, schema=schema.with_metadata(stream.schema.metadata))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path.name!r} cannot be read as predictions: {error}") from error


def head_of(table: pa.Table) -> dict[str, Any]:
    """What is said of the predictions in a table; of older files what their columns show.

    Raises:
        DataError: it holds no predictions.
    """
    missing = [name for name in ("label", "prediction") if name not in table.column_names]
    if missing:
        message = f"there is no column {missing[0]!r}: these are no predictions"
        hint = f"columns: {', '.join(table.column_names)}"
        raise DataError(message, key="predictions", hint=hint)
    facts = table.schema.metadata or {}
    head: dict[str, Any] = json.loads(facts.get(b"head", b"{}"))
    if head.get("problem_type"):
        return head
    return {"problem_type": _kind(table), "labels": json.loads(facts.get(b"labels", b"[]"))}


def read(table: pa.Table, *, head: Mapping[str, Any] | None = None) -> Tested:
    """The labelled rows of a table of predictions; `head` gives another order of the labels.

    Raises:
        DataError: it holds no predictions, or none with a label.
    """
    own = head_of(table)
    head = own if head is None else head
    table = table.filter(_has_label(table["label"]))
    if not len(table):
        raise DataError("no row has a label: there is nothing to measure", key="predictions")
    kind = str(own["problem_type"])
    label, given = (table[name].combine_chunks() for name in ("label", "prediction"))
    label, given = (_whole(column) for column in (label, given))
    if kind == NUMBER:
        return Tested(kind, {"": Values(_numbers(label), _numbers(given))}, len(table))
    if kind == TAGS:
        return Tested(kind, {"": words_of(label, given, head)}, len(table))
    if kind == SEVERAL:
        return Tested(
            kind, {"": _several(label, given, _scores(table, own), own, head)}, len(table)
        )
    if kind in (OUTPUTS, FRAMES):
        return Tested(kind, _parts(label, given, _scores(table, own), own, head), len(table))
    parts = {"": _one(label, given, _scores(table, own), own["labels"], head["labels"])}
    return Tested(ONE, parts, len(table))


def check_same_labels(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raise unless two heads speak of the same labels, in whatever order.

    Raises:
        DataError: they do not.
    """
    if first["problem_type"] != second["problem_type"]:
        message = (
            f"one predicts {first['problem_type']!r}, the other {second['problem_type']!r}: "
            "there is nothing to compare"
        )
        raise DataError(message)
    if first["problem_type"] == NUMBER:
        return
    ours, theirs = ({*map(str, head["labels"])} for head in (first, second))
    if ours != theirs:
        odd = sorted(ours ^ theirs)
        shown = ", ".join(map(repr, odd[:5])) + (", …" if len(odd) > 5 else "")
        raise DataError(
            f"the labels differ: only one of the two knows {shown}",
            hint="compare runs that predict the same labels",
        )


def _kind(table: pa.Table) -> str:
    kind = table.schema.field("prediction").type
    if pa.types.is_struct(kind):
        return OUTPUTS
    if pa.types.is_floating(kind):
        return NUMBER
    return SEVERAL if _is_list(kind) else ONE


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _has_label(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Rows that have one; of several outputs all of them."""
    if pa.types.is_struct(column.type):
        there = column.is_valid()
        for number in range(column.type.num_fields):
            there = pc.and_(there, pc.is_valid(pc.struct_field(column, [number])))
        return there
    return column.is_valid()


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array: a chunked one without chunks stays chunked in some versions of Arrow."""
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _numbers(column: pa.Array) -> Numbers:
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _scores(table: pa.Table, head: Mapping[str, Any]) -> Numbers | None:
    """The probabilities, (rows, labels); None where there are none of each label."""
    width = len(head["labels"])
    if "probabilities" not in table.column_names or head["problem_type"] in (TAGS, FRAMES):
        return None
    column = _whole(table["probabilities"].combine_chunks())
    values = _numbers(column.flatten())
    return values.reshape(-1, width) if len(values) == width * len(table) else None


def _order(own: Sequence[str], wanted: Sequence[str]) -> Ids:
    """The place of each wanted label among a table's own."""
    place = {label: number for number, label in enumerate(own)}
    return np.array([place[label] for label in wanted], np.int64)


def _one(
    label: pa.Array, given: pa.Array, scores: Numbers | None, own: Sequence[str],
    wanted: Sequence[str],
) -> OneLabel:  # fmt: skip
    scores = None if scores is None else scores[:, _order(own, wanted)]
    return OneLabel(tuple(wanted), ids_of(label, wanted), ids_of(given, wanted), scores)


def _several(
    label: pa.Array, given: pa.Array, scores: Numbers | None, own: Mapping[str, Any],
    head: Mapping[str, Any],
) -> SeveralLabels:  # fmt: skip
    wanted = head["labels"]
    scores = None if scores is None else scores[:, _order(own["labels"], wanted)]
    return SeveralLabels(tuple(wanted), _flags(label, wanted), _flags(given, wanted), scores)


def _flags(column: pa.ListArray, labels: Sequence[str]) -> Flags:
    """Whether each row has each label, (rows, labels)."""
    table = np.zeros((len(column), len(labels)), np.bool_)
    rows = pc.list_parent_indices(column).to_numpy()
    table[rows, ids_of(column.flatten(), labels)] = True
    return table


def _parts(
    label: pa.StructArray, given: pa.StructArray, scores: Numbers | None,
    own: Mapping[str, Any], head: Mapping[str, Any],
) -> dict[str, OneLabel | SeveralLabels | Values | Words]:  # fmt: skip
    """Each output's rows, in the order of `head`; the last of intent and slots has tags."""
    outputs = _outputs(own, [field.name for field in label.type])
    wanted = _outputs(head, list(outputs))
    found: dict[str, OneLabel | SeveralLabels | Values | Words] = {}
    start = 0
    for number, (column, labels) in enumerate(outputs.items()):
        there, said = pc.struct_field(label, [number]), pc.struct_field(given, [number])
        if own["problem_type"] == FRAMES and number:
            found[column] = words_of(there, said, {**head, "labels": wanted[column]})
            continue
        part = None if scores is None else scores[:, start : start + len(labels)]
        found[column] = _one(there, said, part, labels, wanted[column])
        start += len(labels)
    return {column: found[column] for column in wanted}


def _outputs(head: Mapping[str, Any], columns: Sequence[str]) -> dict[str, list[str]]:
    """Each output's labels; an older file has them only as `column=label`, one output after the other."""
    if head.get("outputs"):
        return {column: list(labels) for column, labels in head["outputs"].items()}
    return {
        column: [label.removeprefix(f"{column}=") for label in head["labels"]
                 if label.startswith(f"{column}=")]
        for column in columns
    }  # fmt: skip
