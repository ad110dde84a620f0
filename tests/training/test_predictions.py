"""Files of predictions: what stands beside them, and how much of one is there after a crash."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.training import streams
from mlrecipe.training.companions import companions
from mlrecipe.training.predictions import Predictions, finished, unfinished

pytestmark = pytest.mark.heavy

HEAD = Head(
    problem_type="single_label_classification", labels=("no", "yes"), targets=("sentiment",)
)
KINDS = Features({
    "text": Value("string"), "sentiment": ClassLabel(names=["no", "yes"]), "stars": Value("int32"),
    "source": ClassLabel(names=["web", "print"]), "row": Value("int64"), "is_long": Value("bool"),
    "words": List(Value("string")), "pos": List(ClassLabel(names=["N", "V"])),
    "input_ids": List(Value("int32")), "vector": List(Value("float32")),
})  # fmt: skip


def make_rows(count: int = 5) -> Dataset:
    return Dataset.from_dict({
        "text": [f"text {i}" for i in range(count)], "sentiment": [i % 2 for i in range(count)],
        "stars": list(range(count)), "source": [-1, *([1] * (count - 1))],
        "row": list(range(10, 10 + count)), "is_long": [True] * count,
        "words": [["a"] * i for i in range(count)], "pos": [[i % 2] * i for i in range(count)],
        "input_ids": [[1, 2]] * count, "vector": [[0.5]] * count,
    }, features=KINDS)  # fmt: skip


def write(path: Path, numbers: list[list[int]], rows: Dataset | None = None, **options) -> None:
    beside = None if rows is None else companions(rows, HEAD)
    with Predictions(path, HEAD, split="test", beside=beside, **options) as file:
        for each in numbers:
            scores = torch.tensor([[0.25, 0.75]] * len(each))
            file.add(scores, torch.zeros(len(each), dtype=torch.int64), rows=np.array(each))


def read(path: Path) -> pa.Table:
    with pa.ipc.open_stream(path) as stream:
        return stream.read_all()


def test_what_people_read_stands_beside_predictions(tmp_path: Path) -> None:
    """Texts, numbers, labels by their names, lists of words and tags; not the target, ids or vectors."""
    path = tmp_path / "predictions.arrow"

    write(path, [[0, 1, 2], [3, 4]], make_rows())

    table = read(path)
    assert table.column_names[:4] == ["row", "label", "prediction", "probabilities"]
    assert table.column_names[4:] == [
        "text", "stars", "source", "input_row", "is_long", "words", "pos",
    ]  # fmt: skip
    assert table["source"].to_pylist() == [None, *["print"] * 4]
    assert table["pos"].to_pylist() == [[], ["V"], ["N"] * 2, ["V"] * 3, ["N"] * 4]
    assert table["input_row"].to_pylist() == [10, 11, 12, 13, 14]
    assert table.schema.metadata[b"split"] == b"test"
    assert json.loads(table.schema.metadata[b"head"])["targets"] == ["sentiment"]


def test_a_recipe_says_which_columns_are_kept() -> None:
    """Any that the rows have, in its order; none for an empty list."""
    rows = make_rows()

    found = companions(rows, HEAD, keep=["vector", "sentiment"])

    assert [field.name for field in found.fields] == ["vector", "sentiment"]
    assert found.of(np.array([1]))[1].to_pylist() == ["yes"]
    assert companions(rows, HEAD, keep=[]).of(np.array([1])) == []


def test_a_kept_column_that_is_not_there_is_said() -> None:
    """With the key, and the nearest name."""
    with pytest.raises(DataError, match="no column 'txt'; did you mean 'text'") as caught:
        companions(make_rows(), HEAD, keep=["txt"])

    assert caught.value.key == "test.keep"


def test_experiment_39_finished_rows_are_read_however_a_file_ends(tmp_path: Path) -> None:
    """Cut at any byte, the batches before it are there; without a schema it says so."""
    path = tmp_path / "predictions.arrow"
    write(path, [[0, 1], [2, 3], [4]], make_rows())
    whole, places = path.read_bytes(), streams.places(path)
    cut = tmp_path / "cut"

    for size in range(places[1], len(whole), 7):
        cut.write_bytes(whole[:size])
        batches = sum(place <= size for place in places[1:])
        assert finished(cut)["row"].to_pylist() == [0, 1, 2, 3, 4][: 2 * batches]
    cut.write_bytes(whole[: places[0] - 1])
    with pytest.raises(pa.ArrowInvalid):
        finished(cut)


def test_experiment_39_rows_are_in_the_file_before_the_next_are_made(tmp_path: Path) -> None:
    """While it is written, and when what writes it fails, they stay under a name that says so."""
    path = tmp_path / "predictions.arrow"

    with contextlib.suppress(KeyboardInterrupt), Predictions(path, HEAD) as file:
        file.add(torch.tensor([[0.5, 0.5]]), None, rows=np.array([0]))
        assert finished(unfinished(path))["row"].to_pylist() == [0]
        raise KeyboardInterrupt

    assert [found.name for found in tmp_path.iterdir()] == ["predictions.arrow.part"]


def test_experiment_39_a_file_that_goes_on_is_as_one_written_at_once(tmp_path: Path) -> None:
    """The same bytes, whatever stood behind the batches that stay."""
    once, twice = tmp_path / "once.arrow", tmp_path / "twice.arrow"
    rows = make_rows()
    write(once, [[0, 1], [2, 3], [4]], rows)
    cut = streams.places(once)[2] + 9
    unfinished(twice).write_bytes(once.read_bytes()[:cut])

    write(twice, [[4]], rows, batches=2)

    assert twice.read_bytes() == once.read_bytes()
