"""The network of words and letters: padding, saving, its hashes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mlrecipe.builtin.models import word_bytes
from mlrecipe.builtin.models.word_char_bilstm import WordCharBiLSTM
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head

HEAD = Head(problem_type="token_classification", labels=("O", "B-PER", "I-PER"), scheme="IOB2")
CHAIN = Head(problem_type="token_classification", labels=HEAD.labels, scheme="IOB2", decoding="crf")
ROWS = [
    ["Zoë", "Quinn", "wrote", "to", "Ed."],
    ["1992."],
    ["pp.", "61-64,", "Internationalisierungsbemühungen", "🙂", "a", "USA", "x", "McDonald's"],
]
SMALL: dict[str, Any] = {
    "word_dim": 12, "affix_dim": 6, "buckets": 97, "char_dim": 8, "char_filters": 7, "hidden": 16,
}  # fmt: skip


def build(head: Head = HEAD, *, seed: int = 0, **settings: Any) -> nn.Module:
    torch.manual_seed(seed)
    return WordCharBiLSTM(**{**SMALL, **settings}).build(head)


def learnt(network: nn.Module) -> nn.Module:
    """The network with other weights than it began with, biases too."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        network.get_input_embeddings().weight[0] = 0.0  # no letter: it never learns
    return network


def batch(rows: list[list[str]], *, more: int = 0) -> dict[str, torch.Tensor]:
    """Words as `tokenize-words` gives them without a tokenizer, padded `more` than needed."""
    ids = [[byte + 1 for word in row for byte in word.encode()] for row in rows]
    lengths = [[len(word.encode()) for word in row] for row in rows]
    starts = [[sum(row[:number]) for number in range(len(row))] for row in lengths]

    def padded(lists: list[list[int]]) -> torch.Tensor:
        width = max(map(len, lists)) + more
        return torch.tensor([row + [0] * (width - len(row)) for row in lists])

    return {
        "input_ids": padded(ids), "word_starts": padded(starts), "word_lengths": padded(lengths),
    }  # fmt: skip


def logits(network: nn.Module, given: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(**given).logits


@pytest.mark.parametrize("layers", [1, 2])
def test_sequence_4_words_are_the_same_alone_batched_and_padded_longer(layers: int):
    """What else is in the batch, and how wide it is, changes no logit by more than 1e-5."""
    network = learnt(build(layers=layers))

    together = logits(network, batch(ROWS))

    wide = logits(network, batch(ROWS, more=9))
    for number, row in enumerate(ROWS):
        alone = logits(network, batch([row]))[0]
        assert torch.allclose(together[number, : len(row)], alone, atol=1e-5, rtol=0)
        assert torch.allclose(wide[number, : len(row)], alone, atol=1e-5, rtol=0)


def test_sequence_4_a_row_without_words_is_no_trouble():
    """Beside others they stay as they are; alone there is nothing to say, and no error."""
    network = learnt(build())

    beside = logits(network, batch([ROWS[0], []]))

    assert torch.allclose(beside[0], logits(network, batch([ROWS[0]]))[0], atol=1e-5)
    nothing = {name: torch.zeros(2, 1, dtype=torch.long) for name in batch([["a"]])}
    assert logits(network, nothing).shape == (2, 1, 3)


def test_words_hear_of_what_is_before_and_behind_them():
    """A word's logits change with the row's first word and with its last."""
    network = build()
    usual = logits(network, batch([ROWS[0]]))[0]

    for place in (0, 4):
        row = [*ROWS[0]]
        row[place] = "else"
        changed = logits(network, batch([row]))[0]
        assert not torch.allclose(changed[2], usual[2], atol=1e-4)


def test_two_builds_with_one_seed_are_equal():
    """And with another seed others."""
    first, again, other = (build(seed=seed).state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


@pytest.mark.parametrize("head", [HEAD, CHAIN], ids=["each", "crf"])
def test_what_was_saved_is_what_loads(head: Head, tmp_path: Path):
    """Transitions included; saved once more it has the same bytes."""
    model, network = WordCharBiLSTM(**SMALL), learnt(build(head))
    for name in ("once", "twice"):
        (tmp_path / name).mkdir()

    model.save(network, tmp_path / "once")
    loaded = WordCharBiLSTM().load(tmp_path / "once")  # the folder says what was built
    model.save(loaded, tmp_path / "twice")

    assert torch.equal(logits(loaded, batch(ROWS)), logits(network, batch(ROWS)))
    assert loaded.state_dict().keys() == network.state_dict().keys()
    assert ("crf.transitions" in loaded.state_dict()) == (head is CHAIN)
    for name in ("config.json", "model.safetensors"):
        once, twice = ((tmp_path / place / name).read_bytes() for place in ("once", "twice"))
        assert once == twice
    config = json.loads((tmp_path / "once" / "config.json").read_text())
    assert config["model_type"] == "mlrecipe-word-char-bilstm"
    assert config["labels"] == list(HEAD.labels)


def test_a_folder_of_something_else_is_one_clear_error(tmp_path: Path):
    """Weights of another network, or none at all."""
    with pytest.raises(DataError, match="cannot read"):
        WordCharBiLSTM().load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')

    with pytest.raises(DataError, match="is not that of a word-char-bilstm"):
        WordCharBiLSTM().load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "key"),
    [({"hidden": 0}, "hidden"), ({"dropout": 1.0}, "dropout"), ({"word_bytes": 1}, "word_bytes"),
     ({"word_dropout": -0.1}, "word_dropout")],
)  # fmt: skip
def test_a_size_that_cannot_be_is_one_clear_error(settings: dict[str, Any], key: str):
    """It names the parameter."""
    with pytest.raises(DataError) as caught:
        build(**settings)

    assert caught.value.key == key


def test_a_task_that_tags_no_words_is_one_clear_error():
    """It names tasks that do."""
    head = Head(problem_type="single_label_classification", labels=("a", "b"))

    with pytest.raises(DataError, match="token-classification") as caught:
        build(head)

    assert caught.value.key == "use"


def test_intent_and_slots_get_a_logit_for_each_label_of_both():
    """Transitions are between slots alone."""
    outputs = {"intent": ("ask", "tell"), "slots": ("O", "B-x", "I-x")}
    labels = tuple(f"{name}={label}" for name, found in outputs.items() for label in found)
    head = Head(problem_type="intent_and_slots", labels=labels, outputs=outputs, decoding="crf")

    network = build(head)

    assert logits(network, batch(ROWS)).shape == (3, 8, 5)
    assert network.crf.transitions.shape == (3, 3)


def test_a_new_word_is_told_by_its_parts():
    """It learns a tag from what words end with, and knows it of words that it has not seen."""
    network = build(dropout=0.1, word_dropout=0.3)
    random = torch.Generator().manual_seed(0)

    def words(count: int) -> list[str]:
        drawn = torch.randint(97, 123, (count, 4), generator=random)
        return [bytes(row.tolist()).decode() for row in drawn]

    def row() -> tuple[list[str], list[int]]:
        tags = torch.randint(0, 2, (8,), generator=random).tolist()
        return [
            word + ("ing" if tag else "ed.") for word, tag in zip(words(8), tags, strict=True)
        ], tags

    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(12):
        rows, tags = zip(*(row() for _ in range(8)), strict=True)
        network.train()
        found = network(**batch(list(rows))).logits
        loss = nn.functional.cross_entropy(found.transpose(1, 2), torch.tensor(tags))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    rows, tags = zip(*(row() for _ in range(20)), strict=True)
    found = logits(network, batch(list(rows))).argmax(dim=2)
    assert (found == torch.tensor(tags)).float().mean() > 0.95


def test_words_drop_out_only_while_learning():
    """In use the same words always get the same logits."""
    network = build(dropout=0.0, word_dropout=0.9)
    given = batch(ROWS)

    assert torch.equal(logits(network, given), logits(network, given))
    network.train()
    assert not torch.equal(network(**given).logits, network(**given).logits)


def lists(words: list[str], *, most: int = 64) -> torch.Tensor:
    given = batch([words])
    return word_bytes.letters_of(
        given["input_ids"], given["word_starts"], given["word_lengths"], most=most
    )


def test_a_long_word_is_known_by_both_its_ends():
    """Of more bytes than are looked at the middle is left out."""
    found = lists(["abcdefghij", "xy"], most=6)

    assert [bytes(n - 1 for n in row if n) for row in found.tolist()] == [b"abchij", b"xy"]


SHAPES = ["Hello", "Hallo", "hello", "ABCDEF", "INTERNATIONAL", "1992.", "pp.", "61-64,", "a.....b",
          "a.......b", "McDonald's", "x"]  # fmt: skip


def test_the_shape_of_a_word_has_at_most_four_alike_in_a_row():
    """Two words have one hash where they have one shape, and only there."""
    found = word_bytes.hashes(lists(SHAPES), word_bytes.powers(64))["shape"]

    alike = [[bool((a == b).all()) for b in found] for a in found]

    assert alike == [[_shape(a) == _shape(b) for b in SHAPES] for a in SHAPES]


def _shape(word: str) -> str:
    """As plain Python has it."""
    kinds = [
        "X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word
    ]
    kept = [k for i, k in enumerate(kinds) if i < 4 or set(kinds[i - 4 : i]) != {k}]
    return "".join(kept)


def test_hashes_are_the_same_on_every_machine():
    """The numbers that this word has ever had: models that were saved rely on them."""
    found = word_bytes.hashes(lists(["Refs,", "refs,"]), word_bytes.powers(64))

    base, prime = 1_103_515_245, 2**31 - 1

    def plain(text: bytes) -> int:
        return (
            sum((byte + 1) * pow(base, place + 1, prime) for place, byte in enumerate(text)) % prime
        )

    assert found["word"][0, 0] == found["word"][1, 0] == plain(b"refs,")
    assert found["prefix"][0, 0] == plain(b"Ref")
    assert found["suffix"][0, 0] == plain(b",sf")
    assert all((value >= 0).all() for value in found.values())


def test_different_words_share_both_rows_of_the_table_hardly_ever():
    """Of 20,000 words in 5,000 rows fewer than one in 500 has the two rows of another."""
    words = [f"{number * 7919 % 1_000_003:x}" for number in range(20_000)]

    found = word_bytes.hashes(lists(words), word_bytes.powers(64))["word"] % 5000

    assert len(torch.unique(found, dim=0)) > 20_000 * (1 - 1 / 500)


def test_building_takes_no_time():
    """Less than half a second, in full size."""
    started = time.perf_counter()

    WordCharBiLSTM().build(HEAD)

    assert time.perf_counter() - started < 0.5
