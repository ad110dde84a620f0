"""The network of `word-char-bilstm`: vectors of words from their bytes, and LSTMs over the words both ways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mlrecipe.builtin.models import word_bytes
from mlrecipe.builtin.models.crf import Crf

_SMALL = 2**19
"""Below so many products, a step of an LSTM is done before a second thread has woken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large the parts of the network are, and what drops out while it learns."""

    word_dim: int
    affix_dim: int
    buckets: int
    char_dim: int
    char_filters: int
    hidden: int
    layers: int
    dropout: float
    word_dropout: float
    word_bytes: int


class Answer(NamedTuple):
    """What the network gives."""

    logits: Tensor
    """Of each word, shape (rows, words, outputs)."""


class WordCharNetwork(nn.Module):
    """Gives logits for each word of each row; words of one row never depend on another row."""

    def __init__(self, sizes: Sizes, *, outputs: int, crf_tags: int = 0) -> None:
        """Draw fresh weights from torch's random numbers.

        Args:
            sizes: of its parts.
            outputs: logits of each word.
            crf_tags: between how many tags it learns transitions; 0: none.
        """
        super().__init__()
        self.facts: dict[str, Any] = {**asdict(sizes), "outputs": outputs, "crf_tags": crf_tags}
        self._most = sizes.word_bytes
        self.words = _Words(sizes)
        size = self.words.size
        self.ahead, self.back = nn.ModuleList(), nn.ModuleList()
        for _ in range(sizes.layers):
            self.ahead.append(nn.LSTM(size, sizes.hidden, batch_first=True))
            self.back.append(nn.LSTM(size, sizes.hidden, batch_first=True))
            size = 2 * sizes.hidden
        # Ma & Hovy 2016 (arXiv 1603.01354), section 2.3 and table 1: one rate for letters, for what goes
        # into the LSTM and for what comes out of it.
        self.dropout = nn.Dropout(sizes.dropout)
        self.classifier = nn.Linear(size, outputs)
        _begin(self)
        if crf_tags:
            self.crf = Crf(crf_tags)

    def get_input_embeddings(self) -> nn.Embedding:
        """The vectors of letters: there are no more input ids than these."""
        return self.words.letters

    def forward(self, input_ids: Tensor, word_starts: Tensor, word_lengths: Tensor) -> Answer:
        """Logits of each word, shape (rows, words, outputs); there is no word where a length is 0.

        `input_ids`, (rows, width), are bytes plus one; a word has `word_lengths` of them from `word_starts`
        on, both (rows, words).
        """
        is_word = word_lengths > 0
        letters = word_bytes.letters_of(input_ids, word_starts, word_lengths, most=self._most)
        if not len(letters):
            weight = self.classifier.weight
            return Answer(weight.sum() * 0.0 + weight.new_zeros(*is_word.shape, len(weight)))
        vectors = self.words(letters)
        states = vectors.new_zeros(*is_word.shape, vectors.shape[1])
        states[is_word] = vectors
        counts = is_word.sum(dim=1)
        with self._threads(states):
            for ahead, back in zip(self.ahead, self.back, strict=True):
                states = self.dropout(states)
                turned, _ = back(_turned(states, counts))
                states = torch.cat([ahead(states)[0], _turned(turned, counts)], dim=2)
        return Answer(self.classifier(self.dropout(states)))

    @contextmanager
    def _threads(self, states: Tensor) -> Iterator[None]:
        """One thread where a step over a few rows is next to nothing, and there is a step for each word.

        On two busy cores 1,000 words took 9 s with two threads, which wait for each other at each step,
        and 0.03 s with one.
        """
        step = len(states) * self.facts["hidden"] ** 2
        if self.training or states.device.type != "cpu" or step >= _SMALL:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class _Words(nn.Module):
    """A vector for each word: hashed features, and the strongest answers of filters over its letters.

    A feature has the sum of two rows of a table that many share, so that two that share one of them still
    differ in the other: Serrà & Karatzoglou 2017, Bloom embeddings (arXiv 1706.03993).
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.letters = nn.Embedding(word_bytes.LETTERS, sizes.char_dim, padding_idx=0)
        self.filters = nn.Conv1d(sizes.char_dim, sizes.char_filters, 3, padding=1)
        self.features = nn.ModuleDict()
        for name in word_bytes.FEATURES:
            dim = sizes.word_dim if name == "word" else sizes.affix_dim
            self.features[name] = nn.Embedding(sizes.buckets, dim)
        self.size = sizes.word_dim + 3 * sizes.affix_dim + sizes.char_filters
        self.dropout = nn.Dropout(sizes.dropout)
        self._word_dropout = sizes.word_dropout
        self._buckets = sizes.buckets
        self.register_buffer("powers", word_bytes.powers(sizes.word_bytes), persistent=False)

    def forward(self, letters: Tensor) -> Tensor:
        """The vectors of words, (words, size), by their letters, (words, longest)."""
        hashed = word_bytes.hashes(letters, self.get_buffer("powers"))
        parts = {
            n: table(hashed[n] % self._buckets).sum(dim=1) for n, table in self.features.items()
        }
        if self.training and self._word_dropout:
            # A word is not known now and then, so that its parts have to do: Lample et al. 2016
            # (arXiv 1603.01360), section 4.2, who hide rare words.
            kept = torch.rand(len(letters), 1, device=letters.device) >= self._word_dropout
            parts["word"] = parts["word"] * kept
        return torch.cat([*parts.values(), self._spelt(letters)], dim=1)

    def _spelt(self, letters: Tensor) -> Tensor:
        """The largest output of each filter over a word's letters, (words, filters)."""
        vectors = self.dropout(self.letters(letters)).transpose(1, 2)
        found: Tensor = self.filters(vectors)
        return found.masked_fill((letters == 0).unsqueeze(1), -math.inf).amax(dim=2)


def _turned(states: Tensor, counts: Tensor) -> Tensor:
    """Each row's words in reverse, within the row's own number of words; shape (rows, words, size).

    So rows of any length may be filled up to any width, and none of their numbers changes.
    """
    place = torch.arange(states.shape[1], device=states.device)
    ends = counts.unsqueeze(1)
    order = torch.where(place < ends, ends - 1 - place, place)
    return states.gather(1, order.unsqueeze(2).expand_as(states))


@torch.no_grad()
def _begin(network: nn.Module) -> None:
    """Fresh weights as in Ma & Hovy 2016, section 3.1."""
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            reach = math.sqrt(3 / module.embedding_dim)
            nn.init.uniform_(module.weight, -reach, reach)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.Linear | nn.Conv1d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            for name, parameter in module.named_parameters():
                if name.startswith("weight"):
                    nn.init.xavier_uniform_(parameter)
                else:
                    nn.init.zeros_(parameter)
            # What a cell holds is kept at first.
            bias: Tensor = module.get_parameter("bias_ih_l0")
            bias[module.hidden_size : 2 * module.hidden_size] = 1.0
