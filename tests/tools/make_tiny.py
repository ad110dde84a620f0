"""Make `mlrecipe/data/tiny`: configuration and tokenizer of the demo's model, without weights.

The demo trains this model from nothing, so there is nothing to download and nothing to trust: a
small BERT configuration, and a WordPiece vocabulary counted in the demo reviews (in all of them:
which words exist is not what the demo is scored on). Run it again when the reviews or the numbers
below have changed; the same reviews give the same bytes, which a trained vocabulary would not: the
trainer of `tokenizers` breaks ties by hash order.

    python tests/tools/make_tiny.py [FOLDER]
"""

from __future__ import annotations

import csv
import string
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertTokenizer

DATA = Path(__file__).resolve().parents[2] / "mlrecipe" / "data"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = string.ascii_lowercase + string.digits
PREFIXES = range(2, 7)
SUFFIXES = range(2, 6)
MIN_WORDS = 4
"""Words that must share a prefix or a suffix before it becomes a piece."""

MAX_LENGTH = 128
"""Tokens of the longest text, [CLS] and [SEP] included."""


def make(folder: Path) -> None:
    """Write `config.json`, `tokenizer.json` and `tokenizer_config.json` into `folder`."""
    pieces = vocabulary(words(DATA / "demo" / "reviews.csv"))
    tokenizer = BertTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)},
        do_lower_case=True,
        model_max_length=MAX_LENGTH,
    )
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        architectures=["BertForSequenceClassification"],
        vocab_size=len(pieces),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=MAX_LENGTH,
        pad_token_id=pieces.index("[PAD]"),
    )
    config.save_pretrained(folder)


def words(reviews: Path) -> Counter[str]:
    """How often each word occurs in the reviews, cut and lower-cased as the tokenizer does it."""
    normalizer, cutter = BertNormalizer(lowercase=True), BertPreTokenizer()
    with reviews.open(encoding="utf-8", newline="") as lines:
        texts = [normalizer.normalize_str(row["text"]) for row in csv.DictReader(lines)]
    return Counter(word for text in texts for word, _ in cutter.pre_tokenize_str(text))


def vocabulary(counts: Counter[str]) -> list[str]:
    """The pieces in order: special ones, single characters, words by frequency, parts of words.

    Every letter is there with and without `##`, so that any English word can be cut into pieces.
    """
    letters = [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    parts = Counter(part for word in counts if word.isalpha() for part in parts_of(word))
    common = Counter({part: count for part, count in parts.items() if count >= MIN_WORDS})
    return list(
        dict.fromkeys([*SPECIAL, *string.punctuation, *letters, *ranked(counts), *ranked(common)])
    )


def parts_of(word: str) -> Iterator[str]:
    """The beginnings and the endings of a word that could stand in for unknown words."""
    for length in PREFIXES:
        if len(word) > length:
            yield word[:length]
    for length in SUFFIXES:
        if len(word) > length + 1:
            yield f"##{word[-length:]}"


def ranked(counts: Counter[str]) -> list[str]:
    """The keys, most frequent first, equal ones in alphabetical order."""
    return sorted(counts, key=lambda key: (-counts[key], key))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "tiny")
