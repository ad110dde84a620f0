"""Models: what builds networks, and what is asked of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")


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
