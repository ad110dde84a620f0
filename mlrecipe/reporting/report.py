"""The report of a test: `report.json`, made of the predictions alone, so that it can be made again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

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
        labels: list[str] = json.loads(stream.schema.metadata[b"labels"])
        account = _of_tags(stream.schema, words)
        width = 0 if account else len(labels)
        account = account or _account(stream.schema.field("prediction").type, labels)
        for batch in stream:
            account.add(
                Part(label=batch.column("label"), prediction=batch.column("prediction"),
                     scores=_scores(batch.column("probabilities"), width),
                     rows=batch.column("row").to_numpy())
            )  # fmt: skip
    return account.facts()


def _of_tags(schema: pa.Schema, words: Words | None) -> Account | None:
    """An account of words with tags, where the head says that they have some; older files have none."""
    head = json.loads(schema.metadata.get(b"head", b"{}"))
    if head.get("problem_type") == "token_classification":
        return Tags(head["labels"], scheme=head["scheme"], words=words)
    if head.get("problem_type") == "intent_and_slots":
        return Frames(head["outputs"], scheme=head["scheme"], words=words)
    return None


def _account(kind: pa.DataType, labels: Sequence[str]) -> Account:
    if pa.types.is_struct(kind):
        return _outputs(kind, labels)
    if pa.types.is_floating(kind):
        return Number()
    return SeveralLabels(labels) if pa.types.is_list(kind) else OneLabel(labels)


def _outputs(kind: pa.StructType, labels: Sequence[str]) -> _Outputs:
    """Of each output its labels, which stand as `column=label`, one output after the other."""
    rest = list(labels)
    found: dict[str, list[str]] = {}
    for column in [kind.field(i).name for i in range(kind.num_fields)]:
        start = f"{column}="
        count = next((i for i, label in enumerate(rest) if not label.startswith(start)), len(rest))
        found[column] = [label.removeprefix(start) for label in rest[:count]]
        rest = rest[count:]
    return _Outputs(found)


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


def _scores(column: pa.ListArray, width: int) -> Any:
    """Shape (rows, width); of width 0 all on end."""
    values = column.flatten().to_numpy(zero_copy_only=False).astype("float64")
    return values.reshape(len(column), width) if width else values
