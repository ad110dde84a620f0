"""The way of words through a network: rows come apart into windows, and pieces come together to words."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from mlrecipe.builtin.tasks import limits

Pooling = Literal["first", "mean", "all"]

_BY_WORD = ("word_starts", "word_lengths")
_INPUTS = ("input_ids", "attention_mask", *_BY_WORD)

_FEWEST = 8
"""Windows that go through a network together in evaluation, however few rows they are of."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network says of a batch."""

    logits: Tensor
    """float32; of a row's input ids, shape (rows, width, outputs), or of its words, (rows, words, outputs)."""

    is_by_word: bool

    batch: Mapping[str, Tensor]

    @property
    def mask(self) -> Tensor:
        """True where a row has a word, shape (rows, words)."""
        return self.batch["word_lengths"] > 0

    def of_words(self, pooling: Pooling) -> Tensor:
        """What is said of each word, (rows, words, outputs): of its first piece, or the mean over its pieces.

        0 where there is no word. The mean of logits is what a linear layer makes of the mean of vectors.
        """
        if self.is_by_word:
            return self.logits * self.mask[:, :, None]
        outputs = self.logits.shape[-1]
        starts, lengths = (self.batch[name] for name in _BY_WORD)
        if pooling == "first":
            places = starts[:, :, None].expand(-1, -1, outputs)
            return self.logits.gather(1, places) * self.mask[:, :, None]
        pieces, words = self.pieces()
        sums = pieces.new_zeros(lengths.numel(), outputs).index_add(0, words, pieces)
        return (sums / lengths.reshape(-1, 1).clamp(min=1)).reshape(*lengths.shape, outputs)

    def pieces(self) -> tuple[Tensor, Tensor]:
        """What is said of each piece of each word, (pieces, outputs), and the words' places, (pieces,).

        A place is that among all words of the batch, row after row.
        """
        starts, lengths = (self.batch[name] for name in _BY_WORD)
        rows, width = self.batch["input_ids"].shape
        firsts = (starts + torch.arange(rows, device=starts.device)[:, None] * width).reshape(-1)
        counts = lengths.reshape(-1)
        words = torch.arange(len(counts), device=starts.device).repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        places = firsts[words] + torch.arange(len(words), device=starts.device) - before[words]
        return self.logits.reshape(rows * width, -1)[places], words

    def of_rows(self) -> Tensor:
        """What is said of each row, (rows, outputs): of its first input id, the mean over its windows.

        A network that says something of words only: the mean over these.
        """
        if self.is_by_word:
            count = self.mask.sum(dim=1, keepdim=True).clamp(min=1)
            return (self.logits * self.mask[:, :, None]).sum(dim=1) / count
        windows = self.batch["windows"]
        starts = windows.cumsum(dim=1) - windows
        there = (windows > 0)[:, :, None]
        places = starts.clamp(max=self.logits.shape[1] - 1)[:, :, None]
        firsts = self.logits.gather(1, places.expand(-1, -1, self.logits.shape[-1])) * there
        return firsts.sum(dim=1) / there.sum(dim=1).clamp(min=1)


def read(module: nn.Module, batch: Mapping[str, Tensor]) -> Reading:
    """Run the network over a batch, a row of several windows as several rows."""
    by_word = is_by_word(module)
    if by_word or batch["windows"].shape[1] <= 1:
        return Reading(_forward(module, batch), by_word, batch)
    mask, folded = batch["attention_mask"].bool(), fold(batch)
    there = folded["attention_mask"].bool()
    logits = _in_parts(module, folded, size=max(_FEWEST, len(mask)))
    # Windows lie end to end: both masks have the same ids in the same order.
    unfolded = logits.new_zeros(*mask.shape, logits.shape[-1]).index_put((mask,), logits[there])
    return Reading(unfolded, by_word, batch)


def fold(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The `input_ids` of a batch with a row for each window, right-padded with 0, and their mask."""
    ids, mask = batch["input_ids"], batch["attention_mask"].bool()
    lengths = batch["windows"].reshape(-1)
    lengths = lengths[lengths > 0]
    width = int(lengths.max()) if len(lengths) else 0
    there = torch.arange(width, device=ids.device) < lengths[:, None]
    folded = ids.new_zeros(there.shape).index_put((there,), ids[mask])
    return {"input_ids": folded, "attention_mask": there.to(batch["attention_mask"].dtype)}


def is_by_word(module: nn.Module) -> bool:
    """Whether the network answers for words, and not for input ids."""
    return _BY_WORD[0] in _accepted(cast(Any, type(limits.network_of(module))))


def _in_parts(module: nn.Module, windows: Mapping[str, Tensor], *, size: int) -> Tensor:
    """What the network says of windows: of many, when nothing is learnt, in several parts."""
    count = len(windows["input_ids"])
    if module.training or count <= size:
        return _forward(module, windows)
    return torch.cat([
        _forward(module, {name: tensor[start : start + size] for name, tensor in windows.items()})
        for start in range(0, count, size)
    ])  # fmt: skip


def _forward(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    network = cast(Any, limits.network_of(module))
    names = _accepted(cast(Any, type(network)))
    inputs = {name: batch[name] for name in names if name in batch}
    inputs["input_ids"] = _padded(module, batch)
    return cast(Tensor, module(**inputs).logits.float())


@functools.cache
def _accepted(kind: type[nn.Module]) -> tuple[str, ...]:
    """The inputs that a network takes."""
    taken = inspect.signature(kind.forward).parameters
    return tuple(name for name in _INPUTS if name in taken)


def _padded(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """`input_ids`, padded with the model's own id: RoBERTa counts positions by it."""
    pad = getattr(getattr(module, "config", None), "pad_token_id", None)
    if not pad:
        return batch["input_ids"]
    return torch.where(batch["attention_mask"] == 0, pad, batch["input_ids"])
