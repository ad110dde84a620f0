"""The ops on recorders: `load-predictions`, `merge-predictions`, `top-rows`, `export-rows`."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from mlrecipe import DataError, Recorder
from mlrecipe.builtin.ops.deduplicate import deduplicate
from mlrecipe.builtin.ops.export_rows import export_rows
from mlrecipe.builtin.ops.load_predictions import load_predictions
from mlrecipe.builtin.ops.merge_predictions import merge_predictions
from mlrecipe.builtin.ops.rename import rename
from mlrecipe.builtin.ops.select import select
from mlrecipe.builtin.ops.top_rows import top_rows

pytestmark = pytest.mark.heavy


@pytest.fixture
def found() -> Recorder:
    """Predictions of three rows of a test split."""
    made = Recorder(statistics={"accuracy": 0.5}, split="test", head={"labels": ["no", "yes"]})
    made.log_batch(row=[0, 1, 2], prediction=["no", "yes", "no"], score=[0.9, 0.6, 0.7])
    return made


def test_predictions_are_loaded_with_head_and_split(found, tmp_path):
    """As a test wrote them."""
    with pa.ipc.new_stream(str(tmp_path / "p.arrow"), found.table.schema) as stream:
        stream.write_table(found.table)

    loaded = load_predictions(path=str(tmp_path / "p.arrow"))

    assert loaded.column("prediction") == ["no", "yes", "no"]
    assert (loaded.split, loaded.head) == ("test", {"labels": ["no", "yes"]})


def test_experiment_10_recorders_of_several_nodes_are_merged(found):
    """Each input after the first has its suffix."""
    small = found.drop("score")
    small.set_column("prediction", ["no", "no", "no"])
    small.record(accuracy=0.4)
    large = found.copy()
    large.set_column("prediction", ["yes", "yes", "no"])

    merged = merge_predictions(found, small, large, suffixes=["_small", "_large"])

    expected = ["row", "prediction", "score", "prediction_small", "prediction_large"]
    assert merged.column_names == expected
    assert merged.column("prediction_large") == ["yes", "yes", "no"]
    assert merged.statistics == {"accuracy": 0.5, "accuracy_small": 0.4}


@pytest.mark.parametrize(
    ("count", "suffixes", "key", "told"),
    [
        (1, None, "inputs", "two inputs or more"),
        (2, ["_a", "_b"], "suffixes", "2 suffixes for 2 inputs"),
        (2, None, "suffixes", "different columns of one name: 'score'"),
    ],
)
def test_what_cannot_be_merged_is_told_at_its_parameter(found, count, suffixes, key, told):
    """The key is that of the op, which has `suffixes`."""
    other = found.copy()
    other.set_column("score", [1.0, 1.0, 1.0])

    with pytest.raises(DataError, match=told) as caught:
        merge_predictions(*[found, other][:count], suffixes=suffixes)
    assert caught.value.key == key


def test_rows_on_top_of_predictions_data_sets_and_tables(found):
    """Whatever has rows will do."""
    rows = found.table.replace_schema_metadata(None)

    for value in (found, rows, Dataset(rows), Dataset(rows).select([2, 1, 0])):
        assert top_rows(value, by="score", n=2).column("row") == [0, 2]
    assert top_rows(found, by="score", n=1, largest=False).column("row") == [1]


@pytest.mark.parametrize(
    ("call", "key", "told"),
    [
        (lambda found: top_rows(found, by="scores"), "by", "did you mean 'score'"),
        (lambda found: top_rows(found, by="score", n=-1), "n", "cannot be negative"),
        (lambda found: top_rows([1], by="x"), "inputs", "expected a recorder.*got list"),
    ],
)
def test_mistakes_are_told_at_their_parameter(found, call, key, told):
    """So that the message comes with the line of the recipe."""
    with pytest.raises(DataError, match=told) as caught:
        call(found)
    assert caught.value.key == key


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_rows_are_exported(found, format, scratch):
    """The file, and the statistics beside it."""
    folder = export_rows(found, format=format, name="mine", columns=["row"], scratch=scratch)

    assert sorted(path.name for path in folder.iterdir()) == [f"mine.{format}", "statistics.json"]
    if format == "parquet":
        assert pq.read_table(folder / "mine.parquet")["row"].to_pylist() == [0, 1, 2]
    else:
        expected = {"csv": '"row"\n0\n1\n2\n', "jsonl": '{"row": 0}\n{"row": 1}\n{"row": 2}\n'}
        assert (folder / f"mine.{format}").read_text() == expected[format]


@pytest.mark.parametrize(
    ("given", "key"),
    [({"name": "../x"}, "name"), ({"name": ".x"}, "name"), ({"columns": ["rows"]}, "columns")],
)
def test_what_cannot_be_exported_is_refused(found, given, key, scratch):
    """A name that leads out of the folder, a column that is not there."""
    with pytest.raises(DataError) as caught:
        export_rows(found, **given, scratch=scratch)
    assert caught.value.key == key


def test_ops_on_data_keep_what_the_rows_are_of(found):
    """`select`, `rename` and `deduplicate` give a recorder of the same split and head."""
    changed = rename(
        deduplicate(select(found, columns=["row", "prediction"]), columns=["prediction"]),
        columns={"prediction": "said"},
    )

    assert list(changed) == [{"row": 0, "said": "no"}, {"row": 1, "said": "yes"}]
    assert (changed.split, changed.head, changed.statistics) == (
        "test", {"labels": ["no", "yes"]}, {}
    )  # fmt: skip
