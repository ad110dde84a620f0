"""The report of a test: `report.json`, made of the predictions alone, so that it can be made again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.classification import OneLabel
from mlrecipe.reporting.examples import Words
from mlrecipe.reporting.multi_label import SeveralLabels
from mlrecipe.reporting.part import Account, Part
from mlrecipe.reporting.regression import Number
from mlrecipe.reporting.tagging import Frames, Tags

FILE = "report.json"
"""The report's name in a test run's directory."""


def write(
    folder: Path, splits: Mapping[str, Path], *, words: Mapping[str, Words | None] | None = None
) -> Path:
    """Write the report of the predictions of each split, by its name, into `folder`.

    `words` gives the words of a split's rows, where they have tags.
    """
    known = words or {}
    content = {
        "splits": {name: report(path, words=known.get(name)) for name, path in splits.items()}
    }
    path = folder / FILE
    fresh = path.with_name(f".{FILE}.part")
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    fresh.write_text(text + "\n", encoding="utf-8")
    os.replace(fresh, path)
    return path


def report(path: Path, *, words: Words | None = None) -> dict[str, Any]:
    """What the predictions in the Arrow stream at `path` come to, computed in float64.

    Says `rows`, how many of them are `labelled`, and `kind`, the head's problem type; the rest hangs on that.
    Of rows without a label only the predictions are counted. `words` gives the words of rows, for the worst
    rows of tags.
    """
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return _counted(stream, tables.head_of(stream.schema), words)


def facts(table: pa.Table, *, words: Words | None = None) -> dict[str, Any]:
    """What predictions in memory come to, as `report` says it of a file.

    Raises:
        DataError: these are no predictions.
    """
    return _counted(tables.batches(table), tables.head_of(table.schema), words)


def _counted(parts: Iterable[pa.RecordBatch], head: Head, words: Words | None) -> dict[str, Any]:
    account = _account(head, words)
    width = 0 if head.problem_type in (tables.TAGS, tables.FRAMES) else len(head.labels)
    for batch in parts:
        account.add(
            Part(label=batch.column("label"), prediction=batch.column("prediction"),
                 scores=tables.scores(batch.column("probabilities"), width).astype("float64"),
                 rows=batch.column("row").to_numpy())
        )  # fmt: skip
    return account.facts()


def _account(head: Head, words: Words | None) -> Account:
    if head.problem_type == tables.TAGS:
        return Tags(head.labels, scheme=head.scheme, words=words)
    if head.problem_type == tables.FRAMES:
        return Frames(head.outputs, scheme=head.scheme, words=words)
    if head.outputs:
        return _Outputs(head.outputs)
    if head.problem_type == tables.NUMBER:
        return Number()
    several = head.problem_type == tables.SEVERAL
    return SeveralLabels(head.labels) if several else OneLabel(head.labels)


class _Outputs:
    """An account of each output."""

    def __init__(self, outputs: Mapping[str, Sequence[str]]) -> None:
        self._accounts = {column: OneLabel(labels) for column, labels in outputs.items()}
        self._widths = [len(labels) for labels in outputs.values()]

    def add(self, part: Part) -> None:
        start = 0
        for (column, account), width in zip(self._accounts.items(), self._widths, strict=True):
            has_label = part.label.is_valid()
            label = pa.compute.if_else(has_label, part.label.field(column), None)
            account.add(
                Part(label=label, prediction=part.prediction.field(column),
                     scores=part.scores[:, start : start + width])
            )  # fmt: skip
            start += width

    def facts(self) -> dict[str, Any]:
        outputs = {column: account.facts() for column, account in self._accounts.items()}
        first = next(iter(outputs.values()))
        return {
            "kind": "multi_output_classification",
            "rows": first["rows"],
            "labelled": first["labelled"],
            "outputs": outputs,
        }
