"""The report of predictions of any number of labels for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlrecipe.reporting.classification import by_label
from mlrecipe.reporting.part import Part, means, rates


class SeveralLabels:
    """Counts for each label whether it was given and whether it was there."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = list(labels)
        self._tp, self._there, self._given, self._predicted = (
            np.zeros(len(labels), np.int64) for _ in range(4)
        )
        self._rows = self._labelled = self._matched = 0

    def add(self, part: Part) -> None:
        """Count a part."""
        given = self._table(part.prediction)
        self._predicted += given.sum(axis=0)
        self._rows += len(given)
        known = np.asarray(part.label.is_valid())
        there, given = self._table(part.label.filter(part.label.is_valid())), given[known]
        self._tp += (there & given).sum(axis=0)
        self._there += there.sum(axis=0)
        self._given += given.sum(axis=0)
        self._matched += int((there == given).all(axis=1).sum())
        self._labelled += len(there)

    def facts(self) -> dict[str, Any]:
        """Rates of each label and over all."""
        said = {
            "kind": "multi_label_classification", "rows": self._rows, "labelled": self._labelled,
            "predicted": dict(zip(self._labels, self._predicted.tolist(), strict=True)),
        }  # fmt: skip
        if not self._labelled:
            return said
        found = rates(self._tp, self._given, self._there)
        all_ = rates(*(each.sum(keepdims=True) for each in (self._tp, self._given, self._there)))
        return said | {
            "exact_match": self._matched / self._labelled,
            "classes": by_label(self._labels, found, self._there, self._given),
            "macro": means(found, np.ones(len(self._labels))),
            "weighted": means(found, self._there),
            "micro": {name: float(values[0]) for name, values in all_.items()},
        }

    def _table(self, column: pa.ListArray) -> NDArray[np.bool_]:
        """Whether each row has each label, (rows, labels)."""
        table = np.zeros((len(column), len(self._labels)), np.bool_)
        names = pa.array(self._labels, pa.string())
        rows = pc.list_parent_indices(column).to_numpy()
        table[rows, pc.index_in(column.flatten(), value_set=names).to_numpy()] = True
        return table
