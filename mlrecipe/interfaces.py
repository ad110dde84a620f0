"""What users implement and what layers agree on: marker types, formats, models, tasks, metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType, Protocol, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torchmetrics import Metric

T = TypeVar("T")

Fingerprint = NewType("Fingerprint", str)
"""Names a computation: SHA-256 in hex over the op, its code, parameters and inputs."""

Digest = NewType("Digest", str)
"""Names bytes: SHA-256 in hex over an object's files, or over one file."""

File = NewType("File", str)
"""A parameter of this type is a file, a folder or a glob; its content belongs to the fingerprint."""

DatasetSource = NewType("DatasetSource", str)
"""A data set: a folder (its content belongs to the fingerprint) or an id of the Hugging Face hub."""

TokenizerSource = NewType("TokenizerSource", str)
"""A tokenizer: a folder (only its tokenizer files count) or an id of the Hugging Face hub."""

ModelSource = NewType("ModelSource", str)
"""A checkpoint: a folder (its content belongs to the fingerprint) or an id of the Hugging Face hub."""

# Plain texts to a type checker, so that a name can be a default: `text: Column = "text"`.
Split: TypeAlias = str
"""A parameter of this type names a split of an input; `check` looks for it."""

Column: TypeAlias = str
"""A parameter of this type names a column of an input; `check` looks for it."""


class Memo(Protocol):
    """A small cache that may forget at any moment: text in, text out."""

    def get(self, key: str) -> str | None:
        """The text stored under `key`, or None."""

    def set(self, key: str, value: str) -> None:
        """Remember `value` under `key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `inspect` shows of a value without loading it. JSON values only."""

    kind: str
    """The value's type in words: `"DatasetDict"`, `"int"`."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of each split; a value without splits has the one key `""`; empty when it has no rows."""

    schema: Mapping[str, str] = field(default_factory=dict)
    """Column name to type."""

    labels: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """Column → split → label → count, for columns with few distinct values."""

    sample: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """The first rows of each split, long values shortened."""

    text: str = ""
    """One line about a value that has no rows: `"float32 (3, 4)"`."""


class Format(Protocol):
    """How one type of value becomes plain files and comes back equal, in value and in type."""

    def save(self, value: Any, folder: Path) -> None:
        """Write `value` into the empty `folder`; equal values give equal bytes."""

    def load(self, folder: Path) -> Any:
        """The value that was saved into `folder`; memory-mapped where the type allows."""

    def describe(self, value: Any) -> Summary:
        """What `inspect` shows of the value; reads at most a bounded number of rows' content."""


@runtime_checkable
class RowFormat(Format, Protocol):
    """A format of values that have rows, and so can be worked on in shards."""

    def part(self, value: Any, rows: Callable[[int], range]) -> Any:
        """The rows that `rows` picks of their number, of each split where there are splits.

        Raises:
            DataError: this value has no rows.
        """

    def join(self, parts: Sequence[Any]) -> Any:
        """The rows of all parts in order, not copied into memory where the type allows.

        Raises:
            DataError: the parts are not of one shape; the message says how they differ.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a task asks of a model's last layer, and what is saved beside the weights."""

    problem_type: str
    """Hugging Face's word: `"single_label_classification"`, `"multi_label_classification"` or
    `"regression"`; and ours, `"multi_output_classification"`: several labels a row, each of its own
    column; `"token_classification"`: a tag for each word; `"intent_and_slots"`: a label for the row and a
    tag for each of its words."""

    labels: tuple[str, ...]
    """Label names in the order of the model's outputs; the index is the label's id. Of a regression the
    column's name; of several outputs `column=label`, one output after the other."""

    outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a task with several outputs: column → its labels, in the order in which `labels` has them, where they
    stand as `column=label`. Of intent and slots the intent's column, then that of the tags. Empty otherwise."""

    targets: tuple[str, ...] = ()
    """Columns of the train split that the targets came from: those of other splits come from the same.
    Empty: not known."""

    threshold: float = 0.5
    """Where a row has several labels: it has those whose probability is above this."""

    scheme: str = ""
    """Where words have tags: how tags mark spans, one of `mlrecipe.tagging.SCHEMES`."""

    decoding: str = ""
    """Where words have tags: `"argmax"`, each word's most probable one; `"viterbi"`, the most probable sequence
    that the scheme allows; `"crf"`, that too, with transitions that the network has learnt."""

    splitting: str = ""
    """Where words have tags: how a text becomes words, `"whitespace"` or `"punctuation"`."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An encoder's parts, in the order in which a text passes them."""

    encoder: nn.Module
    """All below the head."""

    embeddings: nn.Module
    """What makes vectors of tokens."""

    layers: tuple[nn.Module, ...]
    """Lowest first."""

    below: tuple[nn.Parameter, ...]
    """Parameters of the embeddings and of what all layers share, such as relative positions."""

    fixed: int | None
    """So many of the lowest layers, and all below them, neither learn nor drop out: for the same
    text they always put out the same. None: not even the embeddings."""


@runtime_checkable
class Layered(Protocol):
    """A model that knows the layers of its networks."""

    def parts(self, module: nn.Module) -> Parts:
        """The parts of a network that `build` made."""


class Trunk(Protocol):
    """The part of a network that puts out the same for the same row in every epoch, for it is frozen.

    Its outputs are recorded once, kept in the store, and put in its place from then on.
    """

    @property
    def facts(self) -> Mapping[str, Any]:
        """What beside weights and rows decides over the outputs, as JSON values."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The frozen parameters and buffers, by name: their content decides over the outputs too."""

    @property
    def size(self) -> int:
        """Numbers of each vector."""

    @property
    def is_pooled(self) -> bool:
        """Whether there is one vector for each row, and not one for each token."""

    def record(self, batch: Mapping[str, Tensor], forward: Callable[[], object]) -> Tensor:
        """What the trunk puts out for the batch with which `forward` runs the network.

        Shape (rows, tokens, size), or (rows, size). The rest of the network need not be run.
        """

    def replay(self, states: Tensor, forward: Callable[[], T]) -> T:
        """What `forward` gives with `states` as the outputs of the trunk, which is not run."""

    def narrow(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What of a batch `replay` needs; all tensors keep their rows."""


@runtime_checkable
class Freezable(Protocol):
    """A model whose networks may be frozen from below; optional."""

    def trunk(self, module: nn.Module) -> Trunk | None:
        """The frozen part of a network that `build` made; None where there is none.

        Raises:
            DataError: there is one, and it cannot be kept; the message says why.
        """


class Model(Protocol):
    """Builds the network.

    Registered with `@mlrecipe.model`; its parameters are its keyword arguments.
    """

    def build(self, head: Head) -> nn.Module:
        """A new module whose outputs fit `head`, with pretrained weights where there are any."""

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write a folder that `load` (and, for Hugging Face models, `from_pretrained`) reads."""

    def load(self, folder: Path) -> nn.Module:
        """The module that `save` wrote, weights included."""


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
