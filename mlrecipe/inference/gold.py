"""Gold: the metrics of rows that come with their labels, as the test stage reports them."""

from __future__ import annotations

from collections.abc import Mapping

from datasets import Dataset
from torch import Tensor

from mlrecipe.errors import DataError
from mlrecipe.inference.replay import SPLIT, of_input
from mlrecipe.interfaces import Head, Predicting, Task


class Gold:
    """Counts for metrics as long as every row has a label."""

    def __init__(self, task: Task, head: Head) -> None:
        self.reason = ""
        """Why there are no metrics, where some rows have labels."""

        self._task = task
        self._head = head
        self._meters = task.meters(head)
        self._is_open = True
        self._rows = 0

    def encode(self, rows: Dataset, *, start: int, refused: str = "") -> Dataset | None:
        """The rows with targets; None where they are not needed or not there.

        Args:
            rows: prepared.
            start: number of the first.
            refused: why an op has left their labels out, where it has.
        """
        if not self._is_open:
            return None
        try:
            if not isinstance(self._task, Predicting):  # only trying tells
                return self._task.encode(rows, self._head, split=SPLIT)
            if self._task.is_labelled(rows, self._head):
                return self._task.encode(rows, self._head, split=SPLIT)
            reason = refused or (f"rows from {start} on have no label" if self._rows else "")
        except DataError as error:
            reason = of_input(error.message)
        self._is_open, self.reason = False, reason
        return None

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count rows, in the order of the file."""
        self._rows += len(targets)
        for meter in self._meters.values():
            meter.update(scores, targets)

    def metrics(self) -> Mapping[str, float]:
        """Metrics by name; none where a row had no label."""
        if not self._is_open or not self._rows:
            return {}
        return {name: float(meter.compute()) for name, meter in self._meters.items()}
