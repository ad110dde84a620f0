"""Tasks: what turns rows into batches and a batch into loss and predictions, and what else it may offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlrecipe.interfaces.models import Head

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torchmetrics import Metric


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a task makes of one batch."""

    loss: Tensor
    """Scalar: the mean over the batch's rows, or over what `weight` counts."""

    scores: Tensor
    """Probabilities, shape (rows, labels), of several outputs side by side; of a regression the
    predicted numbers, shape (rows,). Of words with tags shape (rows, words, 1 + labels): the id of the tag that
    is decided on, -1 where a row has no such word, then the probabilities of all tags, 0 there. Of intent and
    slots shape (rows, 1 + words, 1 + labels), the intent in the first place; the fewer labels of the two are
    filled up with 0."""

    targets: Tensor
    """Label ids, shape (rows,); of several outputs (rows, outputs), each an index into its own labels;
    where a row has several labels 0 and 1, shape (rows, labels); of a regression numbers, shape (rows,).
    Of words with tags ids of shape (rows, words), of intent and slots (rows, 1 + words); -100 where a row has
    no such word. The metrics get scores and targets as they are."""

    weight: int | None = None
    """Over how many items the loss is a mean; by default over the rows."""


class Task(Protocol):
    """Turns rows into batches and a batch into loss and predictions.

    Registered with `@mlrecipe.task`; its parameters are its keyword arguments.
    """

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """What the model must put out, from the recipe's labels or from the data.

        The first of `splits` is the one to learn from.

        Raises:
            DataError: a column is missing, a label is unknown, or there is only one class.
        """

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """What `collate` needs of the rows, in their order; targets are indices into `head.labels`.

        Raises:
            DataError: a needed column is missing, or a row has no label or an unknown one.
        """

    def check(self, module: nn.Module, rows: Dataset, *, split: str) -> None:
        """Raise for encoded rows that the module cannot take, before any step is made.

        Raises:
            DataError: a row is too long for the module, or was made for another one.
        """

    def lengths(self, rows: Dataset) -> NDArray[np.int64]:
        """The length of each encoded row, shape (rows,): those alike are batched together."""

    def collate(self, rows: pa.Table, *, width: int | None = None) -> dict[str, Tensor]:
        """One batch from encoded rows, padded to its longest or to `width`; all tensors have the table's rows.

        A task whose batches have no width need not take it: it is given only where the recipe pads
        to fixed widths.
        """

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """Forward one batch through the module."""

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """Fresh metrics to report, by name; each is updated with scores and targets."""


@runtime_checkable
class Predicting(Protocol):
    """What a task offers beside the rest where rows without labels can be predicted.

    `encode` gives the same columns and the targets beside them; `collate` leaves the targets out where
    the encoded rows have none, and `lengths` and `check` need none.
    """

    def inputs(self, rows: Dataset, *, split: str) -> Dataset:
        """What `encode` makes of the rows, without targets; no column with labels is looked at.

        Raises:
            DataError: a column that the model's input is made of is missing.
        """

    def scores(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The predictions for one batch, with or without targets, as `StepOutput.scores` has them."""

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any of the rows (not encoded) has a target.

        False where the column is not there, or has nothing but nulls, or -1 for every class label.
        """


@runtime_checkable
class Classes(Protocol):
    """What a task offers beside the rest where rows can be sampled by their class."""

    def classes(self, rows: Dataset) -> NDArray[np.int64]:
        """The class of each encoded row, shape (rows,)."""


@runtime_checkable
class Weighing(Protocol):
    """What a task offers beside the rest whose loss is a mean over something else than rows, such as words.

    Batches of one step then weigh by that, in whatever pieces the step's rows are taken.
    """

    def loss_items(self, rows: Dataset) -> NDArray[np.int64]:
        """Of how many items of each encoded row the loss is a mean, shape (rows,)."""


@runtime_checkable
class Separable(Protocol):
    """What a task offers beside the rest whose rows do not meet: it may take a batch in parts."""

    def separate(
        self, batch: Mapping[str, Tensor], places: int
    ) -> Sequence[tuple[Mapping[str, Tensor], float]]:
        """The batch in parts of at most `places` places, or one row, each with its share of the batch's loss.

        The shares sum to 1, and the loss of the batch is the sum of the parts' losses, each times its share.
        """


@runtime_checkable
class Settling(Protocol):
    """A task that takes something from the data before it learns, such as weights of classes."""

    def settle(self, rows: Dataset, *, split: str) -> tuple[Task, Mapping[str, Any]]:
        """The task with that written out, and what was taken, as JSON values for the run's record.

        `rows` are those of the split to learn from.

        Raises:
            DataError: the data do not have it.
        """


@runtime_checkable
class Headed(Protocol):
    """A task that must know of what it learnt to work on other rows: its labels, its label columns."""

    def of(self, head: Head) -> Task:
        """The task with what the head says written out; what the recipe says stays."""


MetricFactory = Callable[[Head], "Metric"]
"""What `@mlrecipe.metric` registers: gives a fresh torchmetrics object for a head."""
