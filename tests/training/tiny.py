"""A BERT small enough to train in a test, a word tokenizer for it, and rows that it can learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.registry import Kind, registries

WORDS = ["good", "great", "fine", "bad", "awful", "poor", *(f"word{i}" for i in range(50))]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
PLACES = 64
LABELS = ["negative", "positive"]


def write_tiny(folder: Path, **settings: Any) -> Path:
    """Write a configuration and a tokenizer, without weights."""
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=PLACES, **settings,
    )  # fmt: skip
    config.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_tokenizer(folder: Path) -> None:
    """Write the files of a tokenizer that splits at white space."""
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, VOCABULARY[name]) for name in ("[SEP]", "[CLS]")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=PLACES,
    ).save_pretrained(folder)  # fmt: skip


def make_rows(count: int, *, seed: int = 0, labels: Sequence[Any] = LABELS) -> Dataset:
    """Tokenized rows of 4 to 30 tokens; a word of its label stands in each."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = number % len(labels)
        ids = random.integers(11, len(VOCABULARY), random.integers(2, 29))
        ids[random.integers(0, len(ids))] = 5 + 3 * label + random.integers(0, 3)
        rows.append({"input_ids": [2, *ids.tolist(), 3], "label": labels[label]})
    return Dataset.from_list(rows)


def make_splits(train: int = 64, valid: int = 20, test: int = 22) -> dict[str, Dataset]:
    """A train, a valid and a test split."""
    return {
        "train": make_rows(train, seed=1),
        "valid": make_rows(valid, seed=2),
        "test": make_rows(test, seed=3),
    }


def components(extra: Mapping[str, Any] | None = None) -> Any:
    """What gives `fit` the components by name, with some more of a test's own."""

    def find(kind: Kind, component: Component) -> Any:
        return (extra or {}).get(component.use) or registries[kind].get(component.use)

    return find


def make_spec(**changes: Any) -> TrainSpec:
    """Settings with which the tiny model learns fast."""
    settings: dict[str, Any] = {
        "data": "tokens",
        "batch_size": 8,
        "epochs": 1,
        "optimizer": Component(use="AdamW", params={"lr": 2e-3}),
        "trainer": {"accelerator": "cpu"},
    }
    return TrainSpec(**{**settings, **changes})
