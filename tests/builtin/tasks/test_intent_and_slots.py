"""The task of giving each row an intent and each of its words a slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import nn
from torch.nn import functional

from mlrecipe import events
from mlrecipe.builtin.models.crf import Crf
from mlrecipe.builtin.tasks.intent_and_slots import IntentAndSlots
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head, StepOutput
from tests.builtin.tasks.words import (
    Says,
    SaysOfWords,
    batch_of,
    bert,
    bytes_of,
    spelt,
    table,
    write_speller,
)

TEXTS = ["play hello", "weather in new york", "stop"]
SLOTS = [["O", "B-song"], ["O", "O", "B-city", "I-city"], ["O"]]
INTENTS = ["play", "weather", "play"]
TAGS = ("O", "B-city", "B-song", "I-city", "I-song")


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speller(tmp_path_factory.mktemp("speller"))


@pytest.fixture(scope="module")
def rows(speller: Path) -> Dataset:
    return spelt(speller, TEXTS, tags=SLOTS, intent=INTENTS)


def settled(rows: Dataset, **settings: Any) -> IntentAndSlots:
    return IntentAndSlots(**settings).settle(rows, split="train")[0]


def head_of(rows: Dataset, **settings: Any) -> Head:
    return IntentAndSlots(**settings).head({"train": rows})


def step(
    rows: Dataset, network: nn.Module, *, learning: bool = False, **settings: Any
) -> StepOutput:
    task = settled(rows, **settings)
    encoded = task.encode(rows, head_of(rows, **settings), split="train")
    return task.step(network.train(learning), batch_of(task, encoded))


def test_the_head_holds_the_labels_of_both(rows: Dataset):
    """The intent's before the slots', with their columns."""
    head = head_of(rows)

    assert head.outputs == {"intent": ("play", "weather"), "tags": TAGS}
    assert head.labels[:3] == ("intent=play", "intent=weather", "tags=O")
    assert (head.problem_type, head.scheme, head.targets) == (
        "intent_and_slots", "IOB2", ("intent", "tags"),
    )  # fmt: skip
    assert IntentAndSlots().of(head).labels == {"intent": ["play", "weather"], "tags": list(TAGS)}


def test_the_intent_comes_before_the_words(rows: Dataset):
    """In targets and scores; of each the decision before its probabilities, the fewer filled up with 0."""
    said = table(7)

    output = step(rows, Says(said))

    assert output.targets.tolist() == [
        [0, 0, 2, -100, -100], [1, 0, 0, 1, 3], [0, 0, -100, -100, -100],
    ]  # fmt: skip
    assert output.scores.shape == (3, 5, 6)
    assert (output.scores[:, :, 0] >= 0).sum(1).tolist() == [3, 5, 2]
    assert (output.scores[:, 0, 3:] == 0).all()
    assert torch.allclose(output.scores[0, 0, 1:3], said[2, :2].softmax(0))  # `[CLS]`


def test_the_loss_is_the_weighted_mean_of_both(rows: Dataset):
    """That of the intent and, over each row's words, that of the slots; reported is the plain mean."""
    said = table(7)
    encoded = settled(rows).encode(rows, head_of(rows), split="train")
    intent = functional.cross_entropy(said[[2] * 3, :2], torch.tensor([0, 1, 0])).item()
    slots = 0.0
    for row in encoded:
        firsts = [row["input_ids"][start] for start in row["word_starts"]]
        own = functional.cross_entropy(said[firsts, 2:], torch.tensor(row["labels"][1:]))
        slots += own.item() / 3

    learnt = step(rows, Says(said), learning=True, weights={"tags": 3.0})
    plain = step(rows, Says(said), weights={"tags": 3.0})

    assert learnt.loss.item() == pytest.approx((intent + 3 * slots) / 4, abs=1e-6)
    assert plain.loss.item() == pytest.approx((intent + slots) / 2, abs=1e-6)
    assert learnt.weight is None


@pytest.mark.parametrize("settings", [{}, {"crf": True}, {"constrained": True}])
@pytest.mark.parametrize("length", [64, 12], ids=["whole", "windows"])
def test_sequence_4_a_request_is_predicted_alone_as_among_others(
    speller: Path, settings: dict[str, Any], length: int
):
    """And padded longer; the intent of a row of several windows is the mean over them."""
    rows = spelt(speller, TEXTS, length=length, tags=SLOTS, intent=INTENTS)
    task, network = settled(rows, **settings), bert(7)
    network.crf = Crf(5)
    encoded = task.encode(rows, head_of(rows), split="train")
    whole = task.scores(network, batch_of(task, encoded))
    padded = task.scores(network, batch_of(task, encoded, width=50))

    for row, own in enumerate(SLOTS):
        alone = task.scores(network, batch_of(task, encoded, row))[0, : 1 + len(own)]
        for other in (whole, padded):
            assert torch.equal(other[row, : 1 + len(own), 0], alone[:, 0])
            assert torch.allclose(other[row, : 1 + len(own)], alone, atol=1e-5)
    assert len(encoded["windows"][1]) == (1 if length == 64 else 2)


def test_the_intent_of_several_windows_is_the_mean_over_them(speller: Path):
    """At the first token of each."""
    rows = spelt(speller, TEXTS, length=12, tags=SLOTS, intent=INTENTS)
    task, network = settled(rows), bert(7)
    row = task.encode(rows, head_of(rows), split="train").select([1])

    found = task.scores(network, batch_of(task, row))[0, 0, 1:3]

    ids = torch.tensor(row["input_ids"][0]).split(row["windows"][0])
    said = torch.stack([network(own[None]).logits[0, 0, :2] for own in ids])
    assert len(ids) == 2
    assert torch.allclose(found, said.mean(0).softmax(0), atol=1e-5)


def test_networks_that_read_words_say_the_intent_by_their_mean(speller: Path):
    """For there is no special token."""
    rows = bytes_of(speller, TEXTS, tags=SLOTS, intent=INTENTS)
    said = torch.randn(300, 7)

    output = step(rows, SaysOfWords(said))

    letters = [ord(word[0]) + 1 for word in TEXTS[1].split()]
    assert torch.allclose(output.scores[1, 0, 1:3], said[letters, :2].mean(0).softmax(0), atol=1e-6)


def test_metrics_are_of_all_or_of_what_they_go_with(rows: Dataset):
    """Two of three intents are right, one of two slots, and one row as a whole; over two batches, and again."""
    task = settled(rows)
    meters = task.meters(head_of(rows))
    output = step(rows, Says(table(7)))
    scores = torch.zeros_like(output.scores)
    scores[:, :, 0] = output.targets.clamp(min=-1)
    scores[0, 0, 1], scores[1, 0, 1], scores[2, 0, 1] = 1, 1, 1  # all of them `play`
    scores[1, 0, 0] = 0
    scores[0, 2, 0] = 0  # the song is missed

    for _ in range(2):
        for part in (slice(0, 1), slice(1, 3)):
            for meter in meters.values():
                meter.update(scores[part], output.targets[part])
        found = {name: meter.compute().item() for name, meter in meters.items()}
        for meter in meters.values():
            meter.reset()

        assert found == pytest.approx({
            "intent/accuracy": 2 / 3, "tags/accuracy": 6 / 7, "tags/span-f1": 2 / 3,
            "exact-match": 1 / 3,
        })  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "columns", "key", "words"),
    [
        ({"slots": "intent"}, {}, "slots", "column 'intent' is both"),
        ({"intent": "topic"}, {}, "intent", "no column 'topic'"),
        ({}, {"intent": ["play", None, "stop"]}, "intent", "no label in column 'intent'"),
        (
            {},
            {"tags": [["O"], ["O"] * 4, ["O"]]},
            "slots",
            "has 2 words and 1 tag in column 'tags'",
        ),
    ],
    ids=["one-column", "no-column", "no-intent", "counts"],
)
def test_wrong_rows_are_refused(
    speller: Path, settings: dict[str, Any], columns: dict[str, Any], key: str, words: str
):
    """The key names the parameter."""
    rows = spelt(speller, TEXTS, **{"tags": SLOTS, "intent": INTENTS, **columns})

    with pytest.raises(DataError) as caught:
        head_of(rows, **settings)

    assert words in caught.value.message
    assert caught.value.key == key


def test_an_unknown_slot_is_said_where_labels_are_a_table(speller: Path, rows: Dataset):
    """Its hint names the table's key for the column."""
    other = spelt(speller, TEXTS, tags=[["O", "B-time"], *SLOTS[1:]], intent=INTENTS)

    with pytest.raises(DataError, match="tag 'B-time' of split 'test'") as caught:
        settled(rows).encode(other, head_of(rows), split="test")

    assert caught.value.key == "labels"
    assert "`labels.tags` in the recipe" in (caught.value.hint or "")


def test_slots_of_another_scheme_are_warned_of(rows: Dataset):
    """As of tags alone: what is not legal counts for no slots."""
    notes: list[str] = []
    with events.listening(lambda event: notes.append(str(getattr(event, "text", "")))):
        settled(rows, scheme="IOB1")

    assert [note[:38] for note in notes] == ["scheme 'IOB1' does not allow 2 of the "]
