"""Training and testing on words with tags: steps, predictions, warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.intent_and_slots import IntentAndSlots
from mlrecipe.builtin.tasks.token_classification import TokenClassification
from mlrecipe.interfaces import Head, StepOutput, Task
from mlrecipe.recipe.schema import Component, TestSpec
from mlrecipe.training.batching.arithmetic import arithmetic
from mlrecipe.training.batching.drawing import everything
from mlrecipe.training.batching.epochs import BySize
from mlrecipe.training.batching.samplers import TrainBatches
from mlrecipe.training.collapse import Collapse
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.test import test as run_test
from tests.builtin.tasks.words import spelt, write_speller
from tests.training.test_frozen import Kept
from tests.training.tiny import components, make_spec

SGD = Component(use="SGD", params={"lr": 0.5})
PLAIN = {"accelerator": "cpu", "gradient_clip_val": 0.0}
Heard = list[events.Event]


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speller(tmp_path_factory.mktemp("speller"))


def make(speller: Path, count: int, *, seed: int, length: int = 64) -> Dataset:
    """Rows of 1 to 9 words: those that begin with an `x` are names."""
    random = np.random.default_rng(seed)
    texts, tags, intents = [], [], []
    for number in range(count):
        names = random.random(random.integers(1, 10)) < 0.4
        texts.append(" ".join(("x" if name else "a") * random.integers(1, 4) for name in names))
        tags.append(["B-name" if name else "O" for name in names])
        intents.append("ask" if number % 2 else "tell")
    return spelt(speller, texts, length=length, tags=tags, intent=intents)


@pytest.fixture(scope="module")
def splits(speller: Path) -> dict[str, Dataset]:
    return {
        name: make(speller, 24, seed=seed) for seed, name in enumerate(("train", "valid", "test"))
    }


def train(
    task: Task, speller: Path, folder: Path, data: dict[str, Dataset], **changes: Any
) -> FitReport:
    folder.mkdir()
    return fit(
        task=task, model=Transformer(config=str(speller)), seed=1, data=data, folder=folder,
        spec=make_spec(**changes), components=components(),
    )  # fmt: skip


def predictions_of(folder: Path) -> pa.Table:
    with pa.ipc.open_stream(folder / "predictions.arrow") as stream:
        return stream.read_all()


@pytest.mark.parametrize("crf", [False, True], ids=["linear", "crf"])
def test_a_tagger_is_trained_and_tested(
    speller: Path, splits: dict[str, Dataset], tmp_path: Path, crf: bool
):
    """It learns, and every word of every row has a prediction with its probability."""
    task = TokenClassification(crf=crf)
    spec = {
        "epochs": 4,
        "monitor": "valid/span-f1",
        "optimizer": Component(use="AdamW", params={"lr": 5e-3}),
    }
    report = train(task, speller, tmp_path / "run", splits, **spec)

    tested = run_test(
        task=task, model=Transformer(config=str(speller)), spec=TestSpec(batch_size=5), data=splits,
        checkpoint=report.model_folder, folder=tmp_path, trainer={"accelerator": "cpu"},
    )  # fmt: skip

    rows = predictions_of(tmp_path)
    assert report.taken["scheme"] == "IOB2"
    assert report.best_metrics["valid/span-f1"] > 0.9
    assert tested.metrics["test/accuracy"] > 0.9
    assert rows["label"].to_pylist() == splits["test"]["tags"][:]
    for name in ("prediction", "probabilities"):
        assert [len(own) for own in rows[name].to_pylist()] == [
            len(t) for t in splits["test"]["tags"][:]
        ]
    head = json.loads(rows.schema.metadata[b"head"])
    assert (head["problem_type"], head["scheme"]) == ("token_classification", "IOB2")
    assert head["decoding"] == ("crf" if crf else "argmax")


def test_rows_without_tags_are_predicted(speller: Path, splits: dict[str, Dataset], tmp_path: Path):
    """As long as they have words; no metrics, and null in the place of labels."""
    report = train(TokenClassification(), speller, tmp_path / "run", splits)
    data = {"test": splits["test"].remove_columns("tags")}

    tested = run_test(
        task=TokenClassification(), model=Transformer(config=str(speller)), spec=TestSpec(),
        data=data, checkpoint=report.model_folder, folder=tmp_path, trainer={"accelerator": "cpu"},
    )  # fmt: skip

    rows = predictions_of(tmp_path)
    assert (tested.metrics, list(tested.unlabelled)) == ({}, ["test"])
    assert rows["label"].null_count == 24
    assert [len(own) for own in rows["prediction"].to_pylist()] == [
        len(t) for t in data["test"]["tokens"][:]
    ]


def test_intents_and_slots_are_trained_and_tested(
    speller: Path, splits: dict[str, Dataset], tmp_path: Path
):
    """Predictions are an intent and a list of slots; probabilities that of the intent, then of each slot."""
    report = train(IntentAndSlots(), speller, tmp_path / "run", splits, monitor="valid/exact-match")

    run_test(
        task=IntentAndSlots(), model=Transformer(config=str(speller)), spec=TestSpec(batch_size=5),
        data=splits, checkpoint=report.model_folder, folder=tmp_path, trainer={"accelerator": "cpu"},
    )  # fmt: skip

    rows, tags = predictions_of(tmp_path), splits["test"]["tags"][:]
    assert {"valid/intent/accuracy", "valid/tags/span-f1"} <= report.best_metrics.keys()
    assert rows["label"][3].as_py() == {"intent": "ask", "tags": tags[3]}
    assert [len(own) for own in rows["probabilities"].to_pylist()] == [1 + len(t) for t in tags]


@pytest.mark.parametrize(
    "settings", [{}, {"pooling": "all"}, {"crf": True}], ids=["", "all", "crf"]
)
def test_a_step_is_the_same_in_whatever_batches_it_is_taken(
    speller: Path, splits: dict[str, Dataset], tmp_path: Path, settings: dict[str, Any]
):
    """Rows weigh by their words: 8 at once, or one after the other, give the same weights."""

    def weights(size: int) -> dict[str, torch.Tensor]:
        report = train(
            TokenClassification(**settings), speller, tmp_path / str(size), splits, optimizer=SGD,
            trainer=PLAIN, valid_split="", device_batch_size=size,
        )  # fmt: skip
        return load_file(report.checkpoints["last"] / "model.safetensors")

    whole, parts = weights(8), weights(1)

    for name, tensor in whole.items():
        assert torch.allclose(tensor, parts[name], atol=1e-5), name


def test_the_weights_of_a_step_are_those_of_its_words():
    """Over two devices and three batches of each: the mean of all is that over the words."""
    items = np.random.default_rng(1).integers(0, 9, 12)
    order = BySize(items, arithmetic(12, 2, 2), seed=1, drawing=everything(12))

    found = 0.0
    for rank in range(2):
        batches = TrainBatches(order, rank=rank, items=items)
        for number, rows in enumerate(batches):
            mean = np.arange(12)[rows] @ items[rows] / max(items[rows].sum(), 1)
            found += mean * batches.weight_of(number, accumulation=3, batches=3) / 6

    assert found == pytest.approx(np.arange(12) @ items / items.sum())


@pytest.mark.parametrize("length", [64, 12], ids=["whole", "windows"])
def test_frozen_layers_are_computed_once_where_rows_are_whole(
    speller: Path, tmp_path: Path, heard: Heard, length: int
):
    """The model is that of training without; of rows in several windows they are not kept, and that is said."""
    data = {
        name: make(speller, 16, seed=len(name), length=length) for name in ("train", "validation")
    }
    kept = Kept(tmp_path / "kept")

    def weights(name: str, derive: Kept | None) -> dict[str, torch.Tensor]:
        (tmp_path / name).mkdir()
        report = fit(
            task=TokenClassification(), spec=make_spec(epochs=2, valid_split="validation"),
            seed=1, data=data,
            model=Transformer(config=str(speller), freeze_layers="all"),
            folder=tmp_path / name, components=components(), derive=derive,
        )  # fmt: skip
        return load_file(report.checkpoints["last"] / "model.safetensors")

    plain, found = weights("plain", None), weights("kept", kept)

    for name, tensor in plain.items():
        assert torch.allclose(tensor, found[name], atol=1e-5), name
    assert [each.part for each in kept.made] == (["train", "validation"] if length == 64 else [])
    said = any("some rows are in several windows" in str(event) for event in heard)
    assert said is (length == 12)


def scores_of(decided: list[list[int]], labels: int) -> torch.Tensor:
    ids = torch.tensor(decided, dtype=torch.float32)[:, :, None]
    return torch.cat([ids, torch.zeros(*ids.shape[:2], labels)], dim=2)


def test_a_model_that_tags_all_words_alike_is_told(heard: Heard):
    """At the end of a test, by the number of words; padding is no word."""
    head = Head(problem_type="token_classification", labels=("O", "B-x"))
    collapse = Collapse(head)
    targets = torch.tensor([[0, 1, 0], [1, -100, -100]])
    output = StepOutput(torch.zeros(()), scores_of([[0, 0, 0], [0, -1, -1]], 2), targets)

    collapse.update(output)
    collapse.conclude(_Testing(), "test")  # type: ignore[arg-type]

    [note] = [event.text for event in heard if isinstance(event, events.Note)]
    assert note == (
        "every one of the 4 test words is tagged 'O': the model does not tell the classes apart"
    )


class _Testing:
    testing, current_epoch, max_epochs, global_step, is_global_zero = True, 0, 1, 1, True


def test_intents_and_slots_are_looked_at_apart(heard: Heard):
    """Here all intents are alike, and the slots are not."""
    outputs = {"intent": ("ask", "tell"), "slots": ("O", "B-x")}
    head = Head(problem_type="intent_and_slots", labels=(), outputs=outputs)
    collapse = Collapse(head)
    scores = scores_of([[0, 0, 1], [0, 1, -1]], 2)
    scores[:, 0, 1] = 1.0

    collapse.update(StepOutput(torch.zeros(()), scores, torch.tensor([[0, 0, 1], [1, 1, -100]])))
    collapse.conclude(_Testing(), "test")  # type: ignore[arg-type]

    notes = [event.text for event in heard if isinstance(event, events.Note)]
    assert [note.partition(":")[0] for note in notes] == ["'intent'"]


@pytest.mark.parametrize(
    ("head", "prediction", "kind"),
    [
        (
            Head(problem_type="token_classification", labels=("O", "B-x")),
            [["O", "B-x"], ["B-x"]],
            "list<item: string>",
        ),
        (
            Head(problem_type="intent_and_slots", labels=(), outputs={"i": ("a", "b"), "s": ("O", "B-x")}),
            [{"i": "a", "s": ["B-x"]}, {"i": "b", "s": []}],
            "struct<i: string, s: list<item: string>>",
        ),
    ],
    ids=["tags", "frames"],
)  # fmt: skip
def test_predictions_of_words_are_lists(
    tmp_path: Path, head: Head, prediction: list[Any], kind: str
):
    """As many as words, each with the probability of what was decided."""
    scores = torch.tensor([[[0, 0.7, 0.3], [1, 0.4, 0.6]], [[1, 0.2, 0.8], [-1, 0, 0]]])
    targets = torch.tensor([[0, 0], [1, -100]])

    with Predictions(tmp_path / "predictions.arrow", head) as file:
        file.add(scores, targets, rows=np.arange(2))
        file.add(scores, None, rows=np.arange(2, 4))

    rows = predictions_of(tmp_path)
    assert rows["prediction"].to_pylist() == prediction * 2
    assert str(rows.schema.field("prediction").type) == kind
    assert rows["label"].null_count == 2
    found = [value for row in rows["probabilities"].to_pylist()[:2] for value in row]
    assert found == pytest.approx([0.7, 0.6, 0.8])
