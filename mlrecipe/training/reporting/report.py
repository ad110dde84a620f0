"""The report of a test: `report.json`, made of the predictions alone, so that it can be made again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.training.reporting.classification import OneLabel
from mlrecipe.training.reporting.multi_label import SeveralLabels
from mlrecipe.training.reporting.part import Account, Part
from mlrecipe.training.reporting.regression import Number

FILE = "report.json"
"""The report's name in a test run's directory."""


def write(folder: Path, splits: Mapping[str, Path]) -> Path:
    """Write the report of the predictions of each split, by its name, into `folder`."""
    content = {"splits": {name: report(path) for name, path in splits.items()}}
    path = folder / FILE
    fresh = path.with_name(f".{FILE}.part")
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    fresh.write_text(text + "\n", encoding="utf-8")
    os.replace(fresh, path)
    return path


def report(path: Path) -> dict[str, Any]:
    """What the predictions in the Arrow stream at `path` come to, computed in float64.

    Says `rows`, how many of them are `labelled`, and `kind`, the head's problem type; the rest hangs on that.
    Of rows without a label only the predictions are counted.
    """
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        labels: list[str] = json.loads(stream.schema.metadata[b"labels"])
        kind = stream.schema.field("prediction").type
        account = _outputs(kind, labels) if pa.types.is_struct(kind) else _account(kind, labels)
        for batch in stream:
            account.add(
                Part(label=batch.column("label"), prediction=batch.column("prediction"),
                     scores=_scores(batch.column("probabilities"), len(labels)))
            )  # fmt: skip
    return account.facts()


def _account(kind: pa.DataType, labels: Sequence[str]) -> Account:
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
    values = column.flatten().to_numpy(zero_copy_only=False).astype("float64")
    return values.reshape(len(column), width)
