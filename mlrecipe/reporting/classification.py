"""The report of predictions of one label for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.reporting.bins import Calibration
from mlrecipe.reporting.part import Ids, Numbers, Part, means, rates


class OneLabel:
    """Counts labels against predictions, and confidence against what is right."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = list(labels)
        self._cells: Counter[int] = Counter()  # label * labels + prediction; most are empty
        self._given = np.zeros(len(labels), np.int64)
        self._calibration = Calibration()
        self._rows = 0

    def add(self, part: Part) -> None:
        """Count a part."""
        names = pa.array(self._labels, pa.string())
        given = pc.index_in(part.prediction, value_set=names).to_numpy().astype(np.int64)
        known = np.asarray(part.label.is_valid())
        found = pc.index_in(part.label.filter(part.label.is_valid()), value_set=names)
        there = found.to_numpy(zero_copy_only=False).astype(np.int64)
        codes, rows = np.unique(there * len(names) + given[known], return_counts=True)
        self._cells.update(dict(zip(codes.tolist(), rows.tolist(), strict=True)))
        self._given += np.bincount(given, minlength=len(names))
        self._calibration.add(part.scores[known].max(axis=1, initial=0), given[known] == there)
        self._rows += len(given)

    def facts(self) -> dict[str, Any]:
        """Rates of each class and over all, the confusion matrix and the calibration."""
        labelled = self._cells.total()
        said = {
            "kind": "single_label_classification", "rows": self._rows, "labelled": labelled,
            "predicted": dict(zip(self._labels, self._given.tolist(), strict=True)),
        }  # fmt: skip
        if not labelled:
            return said
        tp, given, there = self._margins()
        found = rates(tp, given, there)
        return said | {
            "accuracy": float(tp.sum() / labelled),
            "classes": by_label(self._labels, found, there, given),
            "macro": means(found, ((given + there) > 0).astype(np.float64)),
            "weighted": means(found, there),
            "confusion": self._confusion(),
            "calibration": self._calibration.facts(),
        }

    def _margins(self) -> tuple[Ids, Ids, Ids]:
        """Of each label the rows given it rightly, given it, and with it."""
        count = len(self._labels)
        tp, given, there = (np.zeros(count, np.int64) for _ in range(3))
        for code, rows in self._cells.items():
            label, prediction = divmod(code, count)
            there[label] += rows
            given[prediction] += rows
            if label == prediction:
                tp[label] += rows
        return tp, given, there

    def _confusion(self) -> dict[str, dict[str, int]]:
        """Label → prediction → rows, where there are any, in the order of the labels."""
        found: dict[str, dict[str, int]] = {}
        for code, rows in sorted(self._cells.items()):
            label, prediction = divmod(code, len(self._labels))
            found.setdefault(self._labels[label], {})[self._labels[prediction]] = rows
        return found


def by_label(
    labels: Sequence[str], found: dict[str, Numbers], there: Ids, given: Ids, *, unit: str = "rows"
) -> dict[str, dict[str, float | int]]:
    """Rates of each label, the rows (or other units) with it and those given it."""
    return {
        label: {
            **{name: float(values[i]) for name, values in found.items()},
            unit: int(there[i]),
            "predicted": int(given[i]),
        }
        for i, label in enumerate(labels)
    }
