"""The task of giving each word a tag."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from torch import nn
from torch.nn import functional

from mlrecipe import events
from mlrecipe.builtin.models.crf import Crf
from mlrecipe.builtin.tasks._tagging import legal_of
from mlrecipe.builtin.tasks.token_classification import TokenClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head, StepOutput
from tests.builtin.tasks.words import (
    Says,
    SaysOfWords,
    batch_of,
    bert,
    bytes_of,
    of_tokens,
    spelt,
    table,
    write_speller,
)

TEXTS = ["ada saw paris", "go", "alan turing left oslo with ada", ""]
TAGS = [["B-per", "O", "B-loc"], ["O"], ["B-per", "I-per", "O", "B-loc", "I-loc", "B-per"], []]
LABELS = ("O", "B-loc", "B-per", "I-loc", "I-per")


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speller(tmp_path_factory.mktemp("speller"))


@pytest.fixture(scope="module")
def rows(speller: Path) -> Dataset:
    return spelt(speller, TEXTS, tags=TAGS)


def settled(rows: Dataset, **settings: Any) -> TokenClassification:
    return TokenClassification(**settings).settle(rows, split="train")[0]


def head_of(rows: Dataset, **settings: Any) -> Head:
    return TokenClassification(**settings).head({"train": rows})


def step(
    rows: Dataset, network: nn.Module, *, learning: bool = False, **settings: Any
) -> StepOutput:
    """What the task makes of all rows."""
    task = settled(rows, **settings)
    encoded = task.encode(rows, head_of(rows, **settings), split="train")
    return task.step(network.train(learning), batch_of(task, encoded))


def with_crf(network: nn.Module, tags: int = 5) -> nn.Module:
    network.crf = Crf(tags)
    torch.manual_seed(5)
    nn.init.normal_(network.crf.transitions)
    return network


def test_the_head_is_found_in_the_data(rows: Dataset):
    """Tags sorted, `O` first; how they mark spans; how texts become words."""
    head = head_of(rows)

    assert head == Head(
        problem_type="token_classification", labels=LABELS, targets=("tags",), scheme="IOB2",
        decoding="argmax", splitting="punctuation",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "scheme", "labels"),
    [
        (["B-x", "O"], "IOB2", ("O", "B-x", "I-x")),
        (["S-x", "O"], "BIOES", ("O", "B-x", "E-x", "I-x", "S-x")),
        (["U-x", "O"], "BILOU", ("O", "B-x", "I-x", "L-x", "U-x")),
        (["NOUN", "VERB"], "plain", ("NOUN", "VERB")),
    ],
)
def test_tags_that_the_scheme_has_for_the_same_spans_are_known_too(
    speller: Path, own: list[str], scheme: str, labels: tuple[str, ...]
):
    """Few rows do not have all of them, and others would be refused."""
    head = head_of(bytes_of(speller, ["a b"], tags=[own]))

    assert (head.scheme, head.labels) == (scheme, labels)


@pytest.mark.parametrize(
    ("settings", "decoding"), [({"crf": True}, "crf"), ({"constrained": True}, "viterbi")]
)
def test_the_head_says_how_tags_are_decided_on(
    rows: Dataset, settings: dict[str, Any], decoding: str
):
    """And the task has it back from the head, whatever a recipe says later."""
    head = head_of(rows, **settings)

    task = TokenClassification(metrics=[]).of(head)

    assert head.decoding == decoding
    assert (task.crf, task.constrained) == (decoding == "crf", decoding == "viterbi")
    assert task.labels == list(LABELS)


def test_what_is_found_is_kept_for_the_run(rows: Dataset):
    """Labels, scheme and splitting; what the recipe says itself is not told."""
    taken = TokenClassification().settle(rows, split="train")[1]
    said = TokenClassification(labels=list(LABELS), scheme="IOB2", splitting="whitespace")

    assert taken == {
        "label_map": {label: number for number, label in enumerate(LABELS)},
        "scheme": "IOB2", "splitting": "punctuation",
    }  # fmt: skip
    assert said.settle(rows, split="train")[1] == {}


@pytest.mark.parametrize(
    ("words", "splitting"),
    [
        (["A. Cau, R. Kuiper, and W. de Roever. Formalising, in Proc. of"], "whitespace"),
        (["He left the U.S. , and went to Oslo , Inc. said ."], "punctuation"),
        (["play music by adele"], "punctuation"),
    ],
)
def test_splitting_is_as_the_words_look(speller: Path, words: list[str], splitting: str):
    """Where marks stay with the word before them texts are split at white space."""
    tags = [[str(n % 2) for n in range(len(words[0].split()))]]

    assert head_of(bytes_of(speller, words, tags=tags)).splitting == splitting


def test_class_labels_keep_their_order(speller: Path):
    """Lists of ids as the hub's conll2003 has them."""
    kinds = Features(
        {"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-x", "I-x"]))}
    )
    rows = Dataset.from_dict(
        {"tokens": [["a", "b"], ["c"]], "ner_tags": [[1, 2], [0]]}, features=kinds
    )
    rows = of_tokens(rows, speller)
    task, taken = TokenClassification().settle(rows, split="train")
    head = task.head({"train": rows})

    assert head.labels == ("O", "B-x", "I-x")
    assert (head.scheme, taken["tags_column"]) == ("IOB2", "ner_tags")
    assert task.encode(rows, head, split="train")["labels"][:] == [[1, 2], [0]]


def test_whole_numbers_are_indices_into_the_labels(speller: Path):
    """Or names, where there are no others."""
    rows = bytes_of(speller, ["a b", "c"], tags=[[1, 0], [2]])
    named = TokenClassification(labels=["O", "B-x", "I-x"])

    assert head_of(rows).labels == ("0", "1", "2")
    head = named.head({"train": rows})
    assert named.encode(rows, head, split="train")["labels"][:] == [[1, 0], [2]]


@pytest.mark.parametrize(
    ("tags", "key", "words"),
    [
        ([["O"], ["O"], ["B-per"]], "tags", "row 0 of split 'valid' has 3 words and 1 tag in column 'tags'"),
        ([TAGS[0], None, TAGS[2]], "tags", "1 of 3 rows of split 'valid' has no tags in column 'tags'"),
        ([TAGS[0], ["B-org"], TAGS[2]], "labels", "tag 'B-org' of split 'valid' (row 1, word 0; 1 in all)"),
        ([["O", None, "O"], ["O"], TAGS[2]], "labels", "word 1 of row 0 of split 'valid' has no tag"),
        (["O", "O", "O"], "tags", "column 'tags' of split 'valid' holds string, and not a list"),
        ([[0.5] * 3, [0.5], [0.5] * 6], "tags", "column 'tags' of split 'valid' holds lists of double"),
    ],
    ids=["counts", "no-list", "unknown", "no-tag", "texts", "numbers"],
)  # fmt: skip
def test_wrong_tags_are_refused(
    speller: Path, rows: Dataset, tags: list[Any], key: str, words: str
):
    """The message says where, and the key names the parameter."""
    wrong = spelt(speller, TEXTS[:3], tags=tags)

    with pytest.raises(DataError) as caught:
        settled(rows).encode(wrong, head_of(rows), split="valid")

    assert words in caught.value.message
    assert caught.value.key == key


def test_a_split_of_another_scheme_is_told_so(speller: Path):
    """Near in letters is a tag that means something else."""
    rows, other = (
        spelt(speller, ["a b", "c"], tags=tags)
        for tags in ([["B-x", "I-x"], ["O"]], [["B-x", "E-x"], ["S-x"]])
    )

    with pytest.raises(DataError, match="tag 'E-x' of split 'valid'") as caught:
        settled(rows).encode(other, head_of(rows), split="valid")

    assert "convert-tags" in (caught.value.hint or "")
    assert "did you mean" not in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("scheme", "count"), [("IOB1", 2), ("BIOES", 2), ("IOB2", 0), ("plain", 0)]
)
def test_a_scheme_that_the_tags_are_not_of_is_warned_of(speller: Path, scheme: str, count: int):
    """Its spans would not be counted; nothing is said of one that fits."""
    rows = spelt(speller, ["a b", "c"], tags=[["B-x", "O"], ["B-x"]])

    notes: list[str] = []
    with events.listening(lambda event: notes.append(str(getattr(event, "text", "")))):
        settled(rows, scheme=scheme)

    wanted = f"scheme {scheme!r} does not allow {count} of the tags of split 'train'"
    assert [note for note in notes if wanted in note] == notes
    assert bool(notes) is (count > 0)


def test_words_are_not_taken_for_tags(speller: Path, rows: Dataset):
    """Whatever the column is called; one that only has such a name may be."""
    with pytest.raises(
        DataError, match="column 'tokens' of split 'train' holds the words"
    ) as caught:
        head_of(rows, tags="tokens")
    assert caught.value.key == "tags"

    other = spelt(speller, ["a b"], form=[["x", "y"]])
    assert head_of(other, tags="form").targets == ("form",)


def test_one_tag_alone_is_nothing_to_learn(speller: Path):
    """It is said before a model is built."""
    rows = bytes_of(speller, ["a b"], tags=[["O", "O"]])

    with pytest.raises(DataError, match="has only the tag 'O' in its 1 rows"):
        head_of(rows)


def test_tags_of_another_scheme_are_refused(rows: Dataset):
    """Where the recipe says one that does not have them."""
    with pytest.raises(DataError, match="BIOES has no tag 'L-x'") as caught:
        head_of(rows, scheme="BIOES", labels=[*LABELS, "L-x"])

    assert caught.value.key == "scheme"


def test_rows_of_tokenize_are_refused():
    """They do not say which pieces are of which word: the hint names the op that does."""
    rows = Dataset.from_dict({"input_ids": [[2, 5, 3]], "tags": [["O"]]})

    with pytest.raises(DataError, match="no column 'windows'") as caught:
        head_of(rows)

    assert caught.value.key == "data"
    assert "tokenize-words" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"tags": TAGS}, True),
        ({}, False),
        ({"tags": [None] * 4}, False),
        ({"tags": [["O"] * 3, None, None, None]}, True),
    ],
)
def test_rows_without_tags_are_known(
    speller: Path, rows: Dataset, columns: dict[str, Any], expected: bool
):
    """No such column, or nothing in it."""
    found = settled(rows).is_labelled(spelt(speller, TEXTS, **columns), head_of(rows))

    assert found is expected


def test_sequence_3_every_row_has_as_many_tags_as_words(rows: Dataset):
    """In a batch of rows of 3, 1, 6 and 0 words; no place behind them has a tag, a target or a probability."""
    output = step(rows, Says(table(5)))

    decided = output.scores[:, :, 0]
    assert (decided >= 0).sum(1).tolist() == [3, 1, 6, 0]
    assert (output.targets >= 0).sum(1).tolist() == [3, 1, 6, 0]
    assert torch.equal(decided >= 0, output.targets >= 0)
    assert torch.allclose(output.scores[:, :, 1:].sum(2), (decided >= 0).float(), atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"crf": True}, {"pooling": "mean", "constrained": True}])
@pytest.mark.parametrize("length", [64, 12], ids=["whole", "windows"])
def test_sequence_4_a_row_is_predicted_alone_as_among_others(
    speller: Path, settings: dict[str, Any], length: int
):
    """And padded longer: by a real encoder, with rows of one window and of several."""
    rows = spelt(speller, TEXTS, length=length, tags=TAGS)
    task, network = settled(rows, **settings), with_crf(bert(5))
    encoded = task.encode(rows, head_of(rows), split="train")
    whole = task.scores(network, batch_of(task, encoded))
    padded = task.scores(network, batch_of(task, encoded, width=60))

    for row, own in enumerate(TAGS):
        alone = task.scores(network, batch_of(task, encoded, row))[0]
        for other in (whole, padded):
            found = other[row, : len(own)]
            assert torch.equal(found[:, 0], alone[: len(own), 0])
            assert torch.allclose(found, alone[: len(own)], atol=1e-5)
    assert len(encoded["windows"][2]) == (1 if length == 64 else 5)


def test_sequence_6_words_of_long_rows_are_read_in_their_windows(speller: Path):
    """Each as the encoder reads the window where the word has most around it; no word is left out."""
    text = " ".join("abcdefghij"[n % 10] * (1 + n % 3) for n in range(40))
    rows = spelt(speller, [text, "go"], length=20, tags=[["x", "y"] * 20, ["x"]])
    task, network = settled(rows), bert(2)
    encoded = task.encode(rows, head_of(rows), split="train")

    scores = task.scores(network, batch_of(task, encoded))

    row = encoded[0]
    ends = torch.tensor(row["windows"]).cumsum(0).tolist()
    said = torch.cat([
        network(torch.tensor([row["input_ids"][end - size : end]])).logits[0]
        for size, end in zip(row["windows"], ends, strict=True)
    ])  # fmt: skip
    expected = said[row["word_starts"]].softmax(1)
    assert len(row["windows"]) > 4
    assert torch.allclose(scores[0, :, 1:], expected, atol=1e-5)
    assert scores[0, :, 0].tolist() == expected.argmax(1).tolist()


def test_many_windows_are_read_in_parts(speller: Path):
    """In evaluation, so that a batch of long rows needs no more memory than others."""
    rows = spelt(speller, ["abc " * 60] * 2, length=12, tags=[["x", "y"] * 30] * 2)
    task, network = settled(rows), bert(2)
    encoded = task.encode(rows, head_of(rows), split="train")
    seen: list[int] = []
    network.register_forward_pre_hook(
        lambda module, given, named: seen.append(len(named["input_ids"])), with_kwargs=True
    )

    found = task.scores(network, batch_of(task, encoded))
    task.step(network.train(), batch_of(task, encoded))

    assert max(seen[:-1]) == 8
    assert sum(seen[:-1]) == seen[-1] == sum(len(own) for own in encoded["windows"])
    assert (found[:, :, 0] >= 0).all()


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_sequence_7_a_word_is_read_at_its_first_piece_or_at_all(rows: Dataset, pooling: str):
    """Its first letter, or the mean over its letters, of what the network says of each."""
    said = table(5)

    output = step(rows, Says(said), pooling=pooling)

    task = settled(rows)
    row = task.encode(rows, head_of(rows), split="train")[2]
    for word, (start, length) in enumerate(
        zip(row["word_starts"], row["word_lengths"], strict=True)
    ):
        ids = row["input_ids"][start : start + length]
        logits = said[ids[0]] if pooling == "first" else said[ids].mean(0)
        assert torch.allclose(output.scores[2, word, 1:], logits.softmax(0), atol=1e-6)


def test_sequence_7_every_piece_may_be_learnt_for_itself(rows: Dataset):
    """The loss is then the mean over pieces, and so is its weight; a word's tag is the mean over its pieces."""
    said = table(5)
    task = settled(rows, pooling="all")
    encoded = task.encode(rows, head_of(rows), split="train")
    ids, labels = [], []
    for row in encoded:
        for start, length, tag in zip(
            row["word_starts"], row["word_lengths"], row["labels"], strict=True
        ):
            ids += row["input_ids"][start : start + length]
            labels += [tag] * length

    output = step(rows, Says(said), pooling="all")

    expected = functional.cross_entropy(said[ids], torch.tensor(labels))
    assert output.loss.item() == pytest.approx(expected.item(), abs=1e-6)
    assert output.weight == len(ids) == task.loss_items(encoded).sum()
    assert torch.equal(output.scores, step(rows, Says(said), pooling="mean").scores)


def test_the_loss_is_the_mean_over_words(rows: Dataset):
    """Padding does not count; the weight says how many words there are."""
    task, said = settled(rows), table(5)
    encoded = task.encode(rows, head_of(rows), split="train")
    firsts = [row["input_ids"][start] for row in encoded for start in row["word_starts"]]
    labels = torch.tensor([tag for row in encoded["labels"] for tag in row])

    output = step(rows, Says(said), learning=True)

    assert output.loss.item() == pytest.approx(
        functional.cross_entropy(said[firsts], labels).item()
    )
    assert output.weight == 10
    assert task.loss_items(encoded).tolist() == [3, 1, 6, 0]


def test_tags_may_weigh_unequally_while_learning(rows: Dataset):
    """Balanced by words, and smoothed; what is reported of other splits is plain."""
    task, taken = TokenClassification(class_weights="balanced", label_smoothing=0.1).settle(
        rows, split="train"
    )
    encoded = task.encode(rows, head_of(rows), split="train")
    ids = torch.tensor([tag for row in encoded["labels"] for tag in row])
    said = table(5)
    firsts = said[[row["input_ids"][start] for row in encoded for start in row["word_starts"]]]
    weights = 10 / (5 * torch.bincount(ids, minlength=5))
    expected = functional.cross_entropy(
        firsts, ids, weight=weights, label_smoothing=0.1, reduction="sum"
    )

    learnt = task.step(Says(said).train(), batch_of(task, encoded))
    plain = task.step(Says(said).eval(), batch_of(task, encoded))

    assert taken["class_weights"] == pytest.approx(dict(zip(LABELS, weights.tolist(), strict=True)))
    assert learnt.loss.item() == pytest.approx(expected.item() / 10)
    assert plain.loss.item() == pytest.approx(functional.cross_entropy(firsts, ids).item())


def test_tags_without_words_weigh_one_where_others_are_balanced(speller: Path):
    """Those that only the scheme has."""
    rows = bytes_of(speller, ["a b c d"], tags=[["B-x", "O", "O", "O"]])

    taken = TokenClassification(class_weights="balanced").settle(rows, split="train")[1]

    assert taken["class_weights"] == pytest.approx({"O": 4 / 6, "B-x": 2.0, "I-x": 1.0})


def test_a_crf_is_learnt_by_the_likelihood_of_rows(rows: Dataset):
    """The negative logarithm over the words; transitions learn with the network."""
    network = with_crf(Says(table(5)))
    task = settled(rows, crf=True)
    encoded = task.encode(rows, head_of(rows), split="train")
    batch = batch_of(task, encoded)
    mask = batch["word_lengths"] > 0
    emissions = network.table[batch["input_ids"].gather(1, batch["word_starts"])]
    likelihood = network.crf.log_likelihood(emissions, batch["labels"], mask)

    output = step(rows, network, learning=True, crf=True)
    output.loss.backward()

    assert output.loss.item() == pytest.approx(-likelihood.sum().item() / 10, abs=1e-5)
    assert output.weight == 10
    assert network.crf.transitions.grad is not None
    assert network.crf.transitions.grad.abs().sum() > 0


@pytest.mark.parametrize("settings", [{"crf": True}, {"constrained": True}])
def test_sequence_8_predictions_are_legal(rows: Dataset, settings: dict[str, Any]):
    """Where the recipe asks for it; each word's own most probable tags are not always."""
    network = with_crf(Says(table(5) * 4))
    legal = legal_of(LABELS, "IOB2")
    assert legal is not None

    found = step(rows, network, **settings).scores[:, :, 0].int().tolist()
    free = step(rows, network).scores[:, :, 0].int().tolist()

    def offences(ids: list[list[int]]) -> int:
        steps = [(a, b) for row in ids for a, b in pairwise(row) if b >= 0]
        begins = sum(not legal.start[row[0]] for row in ids if row[0] >= 0)
        return begins + sum(not legal.follows[a][b] for a, b in steps)

    assert offences(found) == 0
    assert offences(free) > 0


def test_networks_that_read_words_are_asked_for_words(speller: Path):
    """The columns of words go in, and what comes out is of words already."""
    rows = bytes_of(speller, TEXTS, tags=TAGS)
    said = torch.randn(300, 5)

    output = step(rows, SaysOfWords(said))

    letters = [ord(word[0]) + 1 for word in TEXTS[2].split()]
    assert torch.allclose(output.scores[2, :6, 1:], said[letters].softmax(1), atol=1e-6)
    assert (output.scores[:, :, 0] >= 0).sum().item() == 10


def test_a_batch_without_words_has_no_loss(rows: Dataset):
    """And its gradient is there all the same: other processes wait for it."""
    network = Says(table(5))
    task = settled(rows)
    encoded = task.encode(rows, head_of(rows), split="train")

    output = task.step(network.train(), batch_of(task, encoded, 3))
    output.loss.backward()

    assert (output.loss.item(), output.weight) == (0.0, 0)
    assert network.table.grad is not None


@pytest.mark.parametrize(
    ("length", "network", "settings", "words"),
    [
        (64, bert(5), {}, None),
        (64, bert(5), {"crf": True}, "the network BertForTokenClassification has no part"),
        (
            64,
            SaysOfWords(torch.zeros(90, 5)),
            {"pooling": "all"},
            "whole words, not of their pieces",
        ),
        (12, SaysOfWords(torch.zeros(90, 5)), {}, "windows, and the model takes whole rows"),
    ],
    ids=["fits", "crf", "pooling", "windows"],
)
def test_networks_that_do_not_fit_are_refused(
    speller: Path, length: int, network: nn.Module, settings: dict[str, Any], words: str | None
):
    """Before any step is made."""
    rows = spelt(speller, TEXTS, length=length, tags=TAGS)
    task = settled(rows, **settings)
    encoded = task.encode(rows, head_of(rows), split="train")

    if words is None:
        task.check(network, encoded, split="train")
        return
    with pytest.raises(DataError) as caught:
        task.check(network, encoded, split="train")
    assert words in caught.value.message


def test_windows_longer_than_the_network_are_refused(tmp_path: Path):
    """The row is named; it is the longest window that counts, not the whole row."""
    speller = write_speller(tmp_path, places=200)
    rows = spelt(speller, ["abc " * 40], length=80, tags=[["x", "y"] * 20])
    task = settled(rows)
    encoded = task.encode(rows, head_of(rows), split="train")

    with pytest.raises(DataError, match=r"more than the 64 tokens .*row 0 has 80"):
        task.check(bert(2), encoded, split="train")


def test_bytes_are_not_taken_for_pieces(speller: Path):
    """Rows of `tokenize-words` without a tokenizer meet an encoder with a vocabulary."""
    rows = bytes_of(speller, TEXTS, tags=TAGS)
    task, network = settled(rows), bert(5)
    network.resize_token_embeddings(1000)
    encoded = task.encode(rows, head_of(rows), split="train")

    with pytest.raises(DataError, match="holds the bytes of words") as caught:
        task.check(network, encoded, split="train")

    assert "tokenizer = " in str(caught.value.hint)
