"""What tasks on words share: their inputs and batches, and how tags are decided on."""

from __future__ import annotations

import functools
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn

from mlrecipe.builtin.models.crf import Chain, Crf
from mlrecipe.builtin.tasks import limits, padding
from mlrecipe.builtin.tasks._reading import is_by_word
from mlrecipe.builtin.tasks._text import TARGETS
from mlrecipe.builtin.tasks.labels import require_column
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.tagging import schemes

INPUTS = ("input_ids", "windows", "word_starts", "word_lengths")
"""What the op `tokenize-words` writes and a network needs."""

IGNORED = -100
"""The target where a row has no such word."""

_BYTES = 256
"""The largest id that `tokenize-words` gives without a tokenizer."""

_HINT = "take the output of the op `tokenize-words`"


class WordTask:
    """A task whose inputs are the pieces of words, and whose network says something of each word."""

    __slots__ = ()

    pooling: Any
    """Which pieces a word's tag is read at."""

    crf: bool
    """Whether the network has a part for the transitions between tags."""

    constrained: bool
    scheme: Any
    splitting: Any

    def inputs(self, rows: Dataset, *, split: str) -> Dataset:
        """The columns with pieces, windows and words as they are."""
        _require_words(rows, split=split)
        return rows.select_columns(list(INPUTS))

    def check(self, module: nn.Module, rows: Dataset, *, split: str) -> None:
        """Raise for ids outside of the vocabulary, windows that are too long, and another kind of network."""
        by_word = is_by_word(module)
        ids, windows = rows.data.column("input_ids"), rows.data.column("windows")
        self._check_network(module, is_by_word=by_word)
        if by_word:
            _require_whole(module, ids, windows, split=split)
        else:
            _require_pieces(module, rows, split=split)
        limits.check_vocabulary(module, ids, split=split)
        limits.check_length(module, _longest(windows), split=split)

    def lengths(self, rows: Dataset) -> NDArray[np.int64]:
        """Pieces of each row, in all of its windows."""
        return padding.lengths(rows.data.column("input_ids"))

    def collate(self, rows: pa.Table, *, width: int | None = None) -> dict[str, Tensor]:
        """One batch, padded to its longest row and its row of most words.

        `input_ids` and `attention_mask` have shape (rows, width), `windows` (rows, most windows), `word_starts`
        and `word_lengths` (rows, words); `labels`, where the rows have any, are -100 behind a row's last. There
        is always a place for one id and one word at least.
        """
        ids, words = rows["input_ids"], _at_least_one(rows["word_starts"])
        width = _at_least_one(ids) if width is None else width
        batch = {
            "input_ids": padding.pad(ids, width=width),
            "attention_mask": padding.mask(ids, width=width),
            "windows": padding.pad(rows["windows"]),
            "word_starts": padding.pad(rows["word_starts"], width=words),
            "word_lengths": padding.pad(rows["word_lengths"], width=words),
        }
        if TARGETS in rows.column_names:
            batch[TARGETS] = self._targets(rows[TARGETS], words=words)
        return batch

    def _decided(self, head: Head) -> dict[str, Any]:
        """What a head says of how tags are decided on, and of words, by the parameters for it."""
        known = {
            "scheme": head.scheme or self.scheme, "splitting": head.splitting or self.splitting,
        }  # fmt: skip
        if head.decoding:
            known |= {"crf": head.decoding == "crf", "constrained": head.decoding == "viterbi"}
        return known

    def _targets(self, column: pa.ChunkedArray, *, words: int) -> Tensor:
        """The targets of a batch of rows with so many words at the most."""
        return padding.pad(column, value=IGNORED, width=words)

    def _check_network(self, module: nn.Module, *, is_by_word: bool) -> None:
        """Raise where the network lacks what the parameters ask for."""
        if self.crf and crf_of(module) is None:
            message = f"the network {type(module).__name__} has no part for transitions"
            raise DataError(message, key="crf", hint="the models of mlrecipe have one")
        if is_by_word and self.pooling == "all":
            message = "the model says something of whole words, not of their pieces"
            raise DataError(message, key="pooling", hint="leave it out")


def crf_of(module: nn.Module) -> Crf | None:
    """The network's part for transitions between tags."""
    return cast("Crf | None", getattr(limits.network_of(module), "crf", None))


def decide(
    emissions: Tensor, mask: Tensor, crf: Crf | None, legal: schemes.Legal | None
) -> tuple[Tensor, Tensor]:
    """The ids of the tags, (rows, words), -1 where there is no word, and all probabilities, 0 there.

    With a CRF or with what is legal: the most probable sequence, and the probabilities over all sequences that
    may be; else each word's own.

    Args:
        emissions: what the network says of each word, shape (rows, words, tags).
        mask: true where there is a word, shape (rows, words).
        crf: the network's, where it has one.
        legal: transitions that may be emitted; None for all.
    """
    if crf is not None:
        return crf.decode(emissions, mask, legal), crf.marginals(emissions, mask, legal)
    if legal is not None:
        chain = Chain.free(emissions).but(legal, emissions)
        return chain.decode(emissions, mask), chain.marginals(emissions, mask)
    ids = torch.where(mask, emissions.argmax(dim=-1), -1)
    return ids, emissions.softmax(dim=-1) * mask[:, :, None]


def scores_of(ids: Tensor, probabilities: Tensor) -> Tensor:
    """Decided ids before the probabilities of all tags, as `StepOutput.scores` has them."""
    decided = ids[:, :, None].to(probabilities.dtype)
    return torch.cat([decided, probabilities], dim=-1)


@functools.lru_cache(maxsize=64)
def legal_of(labels: tuple[str, ...], scheme: str) -> schemes.Legal | None:
    """The transitions that the scheme allows; None where it allows all."""
    if scheme in ("", "plain"):
        return None
    return schemes.transitions(labels, scheme)


def chain_loss(crf: Crf, emissions: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """The negative logarithm of each row's probability of its tags, shape (rows,)."""
    return -crf.log_likelihood(emissions, targets, mask)


def words_of(rows: Dataset) -> NDArray[np.int64]:
    """Words of each encoded row."""
    return padding.lengths(rows.data.column("word_starts"))


def pieces_of(rows: Dataset) -> NDArray[np.int64]:
    """Pieces of each encoded row's words: a piece that is in two windows counts once."""
    return _sums(rows.data.column("word_lengths"))


def _require_words(rows: Dataset, *, split: str) -> None:
    for name in INPUTS:
        if name not in rows.column_names:
            try:
                require_column(rows, name, key="data", split=split)
            except DataError as error:
                hint = f"{_HINT}: `tokenize` does not say which pieces are of which word"
                is_other = "input_ids" in rows.column_names
                raise DataError(
                    error.message, key="data", hint=hint if is_other else _HINT
                ) from error


def _require_whole(
    module: nn.Module, ids: pa.ChunkedArray, windows: pa.ChunkedArray, *, split: str
) -> None:
    """Raise where rows of pieces meet a network that reads words by their bytes."""
    counts, size = padding.lengths(windows), limits.vocabulary(module)
    largest = pc.max(pc.list_flatten(ids)).as_py() or 0
    if size is not None and size <= largest:
        what = f"split {split!r} holds the pieces of a tokenizer, and the model reads the bytes of words"
    elif counts.max(initial=1) > 1:
        row = int(counts.argmax())
        what = f"row {row} of split {split!r} is in {counts[row]} windows, and the model takes whole rows"
    else:
        return
    raise DataError(what, key="data", hint="leave `tokenizer` out of the tokenize-words node")


def _require_pieces(module: nn.Module, rows: Dataset, *, split: str) -> None:
    """Raise where rows of bytes, as `tokenize-words` gives them without a tokenizer, meet a vocabulary."""
    ids, pieces = rows.data.column("input_ids"), pieces_of(rows)
    largest = pc.max(pc.list_flatten(ids)).as_py() or 0
    size = limits.vocabulary(module) or 0
    # Bytes have no special tokens about them.
    is_bare = (padding.lengths(ids) == pieces) | (pieces == 0)
    if 0 < largest <= _BYTES < size - 1 and pieces.any() and is_bare.all():
        raise DataError(
            f"split {split!r} holds the bytes of words, and the model reads pieces",
            key="data",
            hint="give the tokenize-words node the model's tokenizer: `tokenizer = "
            '"${model.checkpoint}"`',
        )


def _longest(windows: pa.ChunkedArray) -> NDArray[np.int64]:
    """Ids of each row's longest window, shape (rows,)."""
    counts = padding.lengths(windows)
    values = pc.list_flatten(windows).to_numpy().astype(np.int64)
    found = np.zeros(len(counts), np.int64)
    has = counts > 0
    if has.any():
        found[has] = np.maximum.reduceat(values, (np.cumsum(counts) - counts)[has])
    return found


def _sums(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The sum of each list, shape (rows,)."""
    counts = padding.lengths(column)
    values = pc.list_flatten(column).to_numpy().astype(np.int64)
    upto = np.concatenate([[0], np.cumsum(values)])
    ends = np.cumsum(counts)
    return cast(NDArray[np.int64], upto[ends] - upto[ends - counts])


def _at_least_one(column: pa.ChunkedArray) -> int:
    return max(1, int(padding.lengths(column).max(initial=0)))
