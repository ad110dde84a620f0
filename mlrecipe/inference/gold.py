"""Gold: the metrics of rows that come with their labels, as the test stage reports them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from datasets import Dataset
from torch import Tensor
from torchmetrics import Metric

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
        self._meters: Mapping[str, Metric] | None = None
        self._is_open = True
        self._is_closed = False
        self._rows = 0

    def encode(self, rows: Dataset, *, start: int, refused: str = "") -> Dataset | None:
        """The rows with targets; None where they are not needed or not there.

        Args:
            rows: prepared.
            start: number of the first.
            refused: why an op has left their labels out, where it has.
        """
        if not self._is_open:
            self._look_again(rows, start=start)
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

    def close(self) -> None:
        """Look at no labels, whatever comes."""
        self._is_open, self._is_closed = False, True

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count rows, in the order of the file."""
        self._rows += len(targets)
        if self._meters is None:
            self._meters = self._task.meters(self._head)
        for meter in self._meters.values():
            meter.update(scores, targets)

    def metrics(self) -> Mapping[str, float]:
        """Metrics by name; none where a row had no label."""
        if not self._is_open or self._meters is None:
            return {}
        return {name: float(meter.compute()) for name, meter in self._meters.items()}

    def _look_again(self, rows: Dataset, *, start: int) -> None:
        """Say why there are no metrics, where labels come after rows without any."""
        if self.reason or self._is_closed or not isinstance(self._task, Predicting):
            return
        with suppress(DataError):  # of labels that cannot be read nothing more is said
            if self._task.is_labelled(rows, self._head):
                self.reason = f"rows before {start} have no label"
