"""The model that the demo trains: its folder loads offline and is what its script makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

transformers = pytest.importorskip("transformers")

TINY = Path(__file__).resolve().parents[1] / "mlrecipe" / "data" / "tiny"


def test_tiny_is_what_its_script_makes(tmp_path):
    """The tokenizer in the package is the one that `make_tiny` counts in the demo reviews."""
    from tests.tools.make_tiny import make

    make(tmp_path)

    assert (tmp_path / "tokenizer.json").read_bytes() == (TINY / "tokenizer.json").read_bytes()


def test_tiny_configuration_fits_its_tokenizer():
    """The embedding has one row per token, and the longest text fits the positions."""
    config = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(TINY)

    assert config["vocab_size"] == len(tokenizer)
    assert config["max_position_embeddings"] == tokenizer.model_max_length
    assert config["pad_token_id"] == tokenizer.pad_token_id


def test_tiny_tokenizer_knows_a_part_of_every_english_word():
    """Text that no demo review has is cut into pieces, none of them unknown."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(TINY)

    ids = tokenizer("Zyx's QUIXOTIC café-jazz (2026): #1, 50% off!?")["input_ids"]

    assert tokenizer.unk_token_id not in ids
