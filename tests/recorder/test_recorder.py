"""The recorder: rows by one and by many, columns, statistics, the rows on top."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from mlrecipe import DataError, Recorder
from mlrecipe.recorder import metrics_of

pytestmark = pytest.mark.heavy


def test_experiment_10_rows_and_batches_follow_each_other():
    """Rows keep the order in which they were logged, however they came."""
    recorder = Recorder()

    recorder.log(row=0, text="a")
    recorder.log_batch(row=[1, 2], text=["b", "c"])
    recorder.log(row=3, text="d")

    assert len(recorder) == 4
    assert recorder.column("row") == [0, 1, 2, 3]
    assert recorder[1] == {"row": 1, "text": "b"}
    assert recorder[-1] == {"row": 3, "text": "d"}
    assert list(recorder) == [{"row": n, "text": t} for n, t in enumerate("abcd")]


def test_experiment_10_a_later_column_is_null_in_the_rows_before():
    """Columns are never shorter than there are rows, in whatever pass they came."""
    recorder = Recorder()
    recorder.log_batch(row=[0, 1])
    recorder.log(row=2, score=0.5)
    recorder.log_batch(row=[3], other=["x"])

    assert recorder.column_names == ["row", "score", "other"]
    assert recorder.column("score") == [None, None, 0.5, None]
    assert recorder.column("other") == [None, None, None, "x"]


def test_experiment_10_columns_of_a_batch_must_be_equally_long():
    """The message says how long each is, and nothing of the batch is kept."""
    recorder = Recorder()

    with pytest.raises(DataError, match="equally long: 'row' 2, 'text' 1"):
        recorder.log_batch(row=[0, 1], text=["a"])

    assert (len(recorder), recorder.column_names) == (0, [])


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"x": [1]}, {"x": ["a"]}, "'x' has had values of type int64, and now gets string"),
        ({"x": ["a"]}, {"x": [b"a"]}, "now gets binary"),
        ({"x": [True]}, {"x": [1]}, "type bool, and now gets int64"),
    ],
)
def test_a_column_has_one_kind_of_value(first, second, told):
    """What Arrow would refuse much later, or turn into something else, is refused at once."""
    recorder = Recorder()
    recorder.log_batch(**first)

    with pytest.raises(DataError, match=told):
        recorder.log_batch(**second)
    with pytest.raises(DataError, match="'x'"):
        recorder.log(x=second["x"][0])

    assert len(recorder) == 1


def test_a_row_of_another_kind_is_refused_when_it_is_logged():
    """The error comes from the line that logs it, and the row is not kept."""
    recorder = Recorder()
    recorder.log(x=1)

    with pytest.raises(DataError, match=r"column 'x' holds values of several kinds: int, str"):
        recorder.log(x="a")

    assert recorder.column("x") == [1]


@pytest.mark.parametrize("values", [([1], ["a"]), ({"a": 1}, {"a": "x"}), ([[1]], [["a"]])])
def test_lists_and_dicts_are_looked_into(values):
    """What is inside must be of one kind too; rows that are good stay."""
    recorder = Recorder()
    recorder.log(x=values[0])

    with pytest.raises(DataError, match="'x'"):
        recorder.log(x=values[1], y=1)

    assert list(recorder) == [{"x": values[0]}]


def test_a_row_needs_a_value():
    """A row of nothing would be lost."""
    with pytest.raises(DataError, match="a row needs a value"):
        Recorder().log()


def test_integers_and_floats_become_floats():
    """In one batch, over batches, and in rows."""
    recorder = Recorder()
    recorder.log_batch(x=[1])
    recorder.log_batch(x=[0.5])
    recorder.log(x=2)

    assert recorder.column("x") == [1.0, 0.5, 2.0]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0],
        (1.0, 2.0),
        np.array([1.0, 2.0]),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
        pd.Series([1.0, 2.0], index=[5, 6]),
        pa.array([1.0, 2.0]),
        pa.chunked_array([[1.0], [2.0]]),
        [np.float64(1), np.float64(2)],
        [torch.tensor(1.0), np.float32(2)],
        iter([1.0, 2.0]),
    ],
    ids=lambda values: type(values).__name__,
)
def test_a_column_may_come_from_any_library(values):
    """Python's, NumPy's, torch's, pandas' and Arrow's values are alike."""
    recorder = Recorder()

    recorder.log_batch(x=values)

    assert recorder.column("x") == [1.0, 2.0]


@pytest.mark.parametrize(
    "values", [np.ones((2, 3)), torch.ones(2, 3), [np.ones(3), [1.0, 1.0, 1.0]]]
)
def test_arrays_of_several_dimensions_become_lists(values):
    """A row of an array is a list."""
    recorder = Recorder()

    recorder.log_batch(x=values)

    assert recorder.column("x") == [[1.0, 1.0, 1.0]] * 2


def test_series_of_pandas_keep_nan_and_miss_what_is_missing():
    """NaN is a number that went wrong, NA is no number."""
    recorder = Recorder()

    recorder.log_batch(
        x=pd.Series([1.0, math.nan]), y=pd.Series([1, pd.NA], dtype="Int64"), z=pd.Series(["a", None])
    )  # fmt: skip

    assert math.isnan(recorder.column("x")[1])
    assert (recorder.column("y"), recorder.column("z")) == ([1, None], ["a", None])


def test_a_text_is_no_column():
    """Its letters are not taken for rows."""
    with pytest.raises(DataError, match="'text' is one value of type 'str'"):
        Recorder().log_batch(text="abc")
    with pytest.raises(DataError, match="'x' is one number"):
        Recorder().log_batch(x=np.array(3))


def test_what_was_logged_does_not_change_with_what_it_came_from():
    """Lists, arrays and dicts are copied."""
    words, scores, facts = ["a"], np.zeros(2), {"n": [1]}
    recorder = Recorder(statistics=facts)
    recorder.log(words=words, scores=scores)

    words.append("b")
    scores += 1
    facts["n"].append(2)

    assert recorder[0] == {"words": ["a"], "scores": [0.0, 0.0]}
    assert recorder.statistics == {"n": [1]}


def test_two_recorders_share_no_default():
    """What one records the next does not have."""
    one, other = Recorder(), Recorder()

    one.record(accuracy=1)
    one.log(x=1)

    assert (other.statistics, len(other)) == ({}, 0)


def test_a_copy_goes_its_own_way():
    """Rows and statistics of either may change."""
    recorder = Recorder(statistics={"n": [1]}, head={"labels": ["a"]})
    recorder.log(x=1)

    for other in (recorder.copy(), copy.copy(recorder), copy.deepcopy(recorder)):
        other.log(x=2)
        other.statistics["n"].append(2)

    assert recorder.column("x") == [1]
    assert recorder.statistics == {"n": [1]}


def test_experiment_10_statistics_are_json():
    """NumPy's numbers, paths and tensors are recorded as what they say."""
    recorder = Recorder()

    recorder.record(
        accuracy=np.float32(0.5), good=np.bool_(True), folder=Path("a") / "b",
        counts=torch.tensor([1, 2]), some={3, 1}, deep={"x": (1, np.int64(2))},
    )  # fmt: skip
    recorder.record(good=False)

    assert recorder.statistics == {
        "accuracy": 0.5, "good": False, "folder": "a/b", "counts": [1, 2], "some": [1, 3],
        "deep": {"x": [1, 2]},
    }  # fmt: skip
    assert json.loads(json.dumps(recorder.statistics)) == recorder.statistics


def test_a_statistic_that_json_cannot_hold_is_refused():
    """The message names it."""
    with pytest.raises(DataError, match="'net' is a value of type 'Linear', which JSON cannot"):
        Recorder().record(net=torch.nn.Linear(1, 1))


def test_metrics_are_the_finite_numbers():
    """Of recorders the statistics, of dicts the entries, of a number itself."""
    recorder = Recorder(
        statistics={
            "f1": 0.5,
            "n": 3,
            "good": True,
            "loss": math.nan,
            "name": "x",
            "deep": {"a": 1},
        }
    )

    assert metrics_of(recorder) == {"f1": 0.5, "n": 3.0}
    assert metrics_of({"a": {"b": np.float32(0.5), "c": "x"}, "d": 1}) == {"a/b": 0.5, "d": 1.0}
    assert metrics_of(3) == {"": 3.0}
    assert metrics_of(np.float32(0.5)) == {"": 0.5}
    assert [metrics_of(value) for value in (True, np.bool_(True), math.inf, "x", None)] == [{}] * 5


def test_experiment_10_columns_are_set_dropped_chosen_and_renamed():
    """Only `set_column` changes the recorder itself."""
    recorder = Recorder(statistics={"f1": 1})
    recorder.log_batch(a=[1, 2], b=["x", "y"])

    recorder.set_column("c", np.array([3, 4]))
    recorder.set_column("a", [5.0, 6.0])

    assert recorder.column_names == ["a", "b", "c"]
    assert recorder.column("a") == [5.0, 6.0]
    assert recorder.drop("a", "c").column_names == ["b"]
    assert recorder.select("c", "a").column_names == ["c", "a"]
    assert recorder.rename({"a": "b", "b": "a"}).column("a") == ["x", "y"]
    assert recorder.rename({"a": "z"}).statistics == {"f1": 1}
    assert recorder.column_names == ["a", "b", "c"]


def test_columns_that_are_not_there_are_named_with_a_suggestion():
    """Wherever a column is asked for."""
    recorder = Recorder()
    recorder.log(score=1)

    for ask in (
        lambda: recorder.column("scores"),
        lambda: recorder.drop("scores"),
        lambda: recorder.select("scores"),
        lambda: recorder.rename({"scores": "x"}),
        lambda: recorder.top(1, "scores"),
    ):
        with pytest.raises(DataError, match="no column 'scores'; did you mean 'score'"):
            ask()


def test_a_column_that_does_not_fit_is_refused():
    """Its length must be that of the rows; names must differ."""
    recorder = Recorder()
    recorder.log_batch(a=[1, 2], b=[3, 4])

    with pytest.raises(DataError, match="'c' has 3 values for 2 rows"):
        recorder.set_column("c", [1, 2, 3])
    with pytest.raises(DataError, match="two columns are called 'a'"):
        Recorder(pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(DataError, match="two columns would be 'b'"):
        recorder.rename({"a": "b"})


def test_experiment_10_the_rows_on_top():
    """The largest or smallest first, of equal ones the first; without a value last."""
    recorder = Recorder(statistics={"f1": 1}, split="test")
    recorder.log_batch(row=range(6), x=[1.0, math.nan, 3.0, None, 3.0, 0.0])

    top = recorder.top(3, "x")

    assert top.column("row") == [2, 4, 0]
    assert recorder.top(2, "x", largest=False).column("row") == [5, 0]
    assert recorder.top(9, "x").column("row") == [2, 4, 0, 5, 1, 3]
    assert (top.statistics, top.split) == ({}, "test")


def test_rows_on_top_need_an_order():
    """Lists have none, and fewer than no rows cannot be kept."""
    recorder = Recorder()
    recorder.log(x=[1])

    with pytest.raises(DataError, match=r"'x' has values of type list.* which have no order"):
        recorder.top(1, "x")
    with pytest.raises(DataError, match="cannot be negative"):
        recorder.top(-1, "x")


def test_rows_are_taken_by_their_places():
    """In the order that is asked for; a place that is not there is an error."""
    recorder = Recorder()
    recorder.log_batch(x=["a", "b", "c"])

    assert recorder.take(np.array([2, 0])).column("x") == ["c", "a"]
    assert len(recorder.take([])) == 0
    with pytest.raises(DataError, match="no row 3, there are 3"):
        recorder.take([3])
    with pytest.raises(IndexError, match="no row -4"):
        recorder[-4]


def test_a_table_says_its_head_and_split():
    """As the files of predictions do; what is chosen of the rows says it still."""
    head = {"problem_type": "regression", "labels": ["score"]}
    facts = {"head": json.dumps(head), "labels": '["score"]', "split": "valid"}
    recorder = Recorder(pa.table({"row": [0], "prediction": [1.0]}).replace_schema_metadata(facts))

    for found in (recorder, recorder.top(1, "row"), recorder.drop("row"), Recorder(recorder.table)):
        assert (found.head, found.split) == (head, "valid")
    assert Recorder(recorder.table, head={}).head == {}
    assert Recorder(split="test", head=head).table.schema.metadata[b"labels"] == b'["score"]'


def test_equal_recorders_are_equal():
    """Rows, types, statistics with their order, head and split; pieces of Arrow do not count."""
    one, other = Recorder(statistics={"a": math.nan}), Recorder(statistics={"a": math.nan})
    one.log_batch(x=[1.0, math.nan])
    other.log(x=1.0)
    other.log(x=math.nan)

    assert one == other
    other.record(b=1)
    assert one != other
    assert one != Recorder(one.table, statistics={"a": math.nan}, split="test")
    assert one != "one"


def test_an_empty_recorder_is_whole():
    """Everything can be asked of one without rows."""
    recorder = Recorder()

    assert (len(recorder), recorder.column_names, list(recorder), recorder.table.num_rows) == (
        0, [], [], 0
    )  # fmt: skip
    assert (recorder.head, recorder.split, recorder.statistics) == ({}, "", {})
    assert recorder == Recorder()


def test_many_small_batches_stay_few_pieces():
    """A million rows logged in batches stay quick: the table has few chunks, and no row is lost."""
    recorder = Recorder()
    for start in range(0, 8_000, 4):
        recorder.log_batch(row=np.arange(start, start + 4), x=["a"] * 4)

    table = recorder.table

    assert table["row"].num_chunks < 20
    assert table["row"].to_pylist() == list(range(8_000))


def test_rows_logged_one_by_one_become_arrow():
    """The rows that are kept as Python's values are never more than a thousand."""
    recorder = Recorder()
    for n in range(2_500):
        recorder.log(n=n)

    assert len(recorder._rows._single) < 1_000
    assert recorder.column("n") == list(range(2_500))


@pytest.mark.parametrize("name", ["", "/a", "a/", "a\nb", "\x1b[31m", "x" * 101])
def test_a_metric_has_a_name_that_can_be_shown(name):
    """Of a recorder's statistics and of a dict; what is no metric may be called as it likes."""
    for value in (Recorder(statistics={name: 0.5}), {name: 0.5}):
        with pytest.raises(DataError, match="a metric cannot be called"):
            metrics_of(value)

    assert metrics_of(Recorder(statistics={name: "text"})) == {}
    assert metrics_of({"F1 <all>/größe": 0.5}) == {"F1 <all>/größe": 0.5}


def test_a_batch_does_not_change_with_the_arrays_that_it_came_from():
    """Arrow would only look at them."""
    scores, pairs, tensor = np.zeros(2), np.zeros((2, 2)), torch.zeros(2)
    recorder = Recorder()
    recorder.log_batch(scores=scores, pairs=pairs, tensor=tensor)
    recorder.set_column("later", scores)

    scores += 1
    pairs += 1
    tensor += 1

    assert recorder[0] == {"scores": 0.0, "pairs": [0.0, 0.0], "tensor": 0.0, "later": 0.0}


def test_the_first_column_may_be_set():
    """There are no rows yet that it must fit."""
    recorder = Recorder(split="test")

    recorder.set_column("row", range(3))
    recorder.set_column("score", np.array([0.1, 0.2, 0.3]))

    assert (len(recorder), recorder.column_names, recorder.split) == (3, ["row", "score"], "test")
