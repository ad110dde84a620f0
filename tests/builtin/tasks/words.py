"""Rows of words for the tests of tasks that tag them, a tokenizer that spells, and simple networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from mlrecipe.builtin.ops.tokenize_words import tokenize_words

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
VOCABULARY = {
    piece: number
    for number, piece in enumerate(
        [*SPECIAL, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    )
}


def write_speller(folder: Path, *, places: int = 64) -> Path:
    """Write a tokenizer that spells each word, a piece for each letter, and a tiny model's configuration."""
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, VOCABULARY[name]) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=places,
    ).save_pretrained(folder)  # fmt: skip
    config_of(places=places).save_pretrained(folder)
    return folder


def config_of(*, places: int = 64, labels: int = 2) -> BertConfig:
    return BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=places, num_labels=labels,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip


def bert(labels: int) -> nn.Module:
    """A tiny encoder with random weights, for evaluation."""
    torch.manual_seed(7)
    return BertForTokenClassification(config_of(labels=labels)).eval()


def spelt(folder: Path, words: Sequence[str], *, length: int = 64, **columns: list[Any]) -> Dataset:
    """Rows of words, each a text with spaces, spelt by the tokenizer in the folder."""
    rows = Dataset.from_dict({"tokens": [text.split() for text in words], **columns})
    return of_tokens(rows, folder, tokenizer=str(folder), max_length=length, stride=length // 4)


def bytes_of(folder: Path, words: Sequence[str], **columns: list[Any]) -> Dataset:
    """Rows of words as their bytes."""
    return of_tokens(
        Dataset.from_dict({"tokens": [text.split() for text in words], **columns}), folder
    )


def of_tokens(rows: Dataset, folder: Path, **settings: Any) -> Dataset:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    made: Any = tokenize_words(rows, scratch=_fresh(scratch), **settings)
    return made


def _fresh(folder: Path) -> Path:
    path = folder / str(len(list(folder.iterdir())))
    path.mkdir()
    return path


class Says(nn.Module):
    """A network that says of each piece what a table has of its id, whatever stands around it."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        return SimpleNamespace(logits=self.table[input_ids])


class SaysOfWords(nn.Module):
    """A network that says of each word what a table has of its first byte."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)

    def forward(self, input_ids: Tensor, word_starts: Tensor, word_lengths: Tensor) -> Any:
        return SimpleNamespace(logits=self.table[input_ids.gather(1, word_starts)])


def table(outputs: int) -> Tensor:
    """What is said of each id, drawn at random."""
    return torch.randn(len(VOCABULARY), outputs, generator=torch.Generator().manual_seed(3))


def batch_of(task: Any, rows: Dataset, *places: int, width: int | None = None) -> dict[str, Tensor]:
    """A batch of some encoded rows, or of all."""
    chosen = rows.data.table.take(list(places)) if places else rows.data.table
    made: dict[str, Tensor] = task.collate(chosen, width=width)
    return made
