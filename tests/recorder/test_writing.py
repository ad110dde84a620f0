"""Rows written for other programs: data frames, CSV, JSON Lines, Parquet; and read from Arrow."""

from __future__ import annotations

import csv
import json
import math

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mlrecipe import DataError, Recorder

pytestmark = pytest.mark.heavy


@pytest.fixture
def recorder() -> Recorder:
    """Two rows with all that is hard to write."""
    made = Recorder()
    made.log(row=0, text='a "b",\nc', words=["x", "y"], score=0.5, drawn=Image.new("RGB", (2, 2)))
    made.log(row=1, text=None, words=None, score=math.nan, drawn=None)
    return made


def test_experiment_10_rows_become_a_data_frame(recorder):
    """Images are images, columns keep their order, and the way back gives the same rows."""
    frame = recorder.to_pandas()

    assert list(frame.columns) == ["row", "text", "words", "score", "drawn"]
    assert frame["drawn"][0].size == (2, 2)
    assert (frame["row"].tolist(), frame["text"][0]) == ([0, 1], 'a "b",\nc')
    assert Recorder.from_pandas(frame.drop(columns=["score", "words"])) == recorder.drop(
        "score", "words"
    )


def test_a_named_index_of_a_frame_is_a_column():
    """One without a name is only where the rows stood."""
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index([7, 5], name="row"))

    assert list(Recorder.from_pandas(frame)) == [{"row": 7, "x": 1.0}, {"row": 5, "x": 2.0}]
    assert Recorder.from_pandas(frame.reset_index(drop=True)[1:]).column_names == ["x"]
    assert len(Recorder.from_pandas(pd.DataFrame())) == 0


def test_experiment_10_rows_become_csv(recorder, tmp_path):
    """Lists are JSON, images are paths of files beside it, quotes and line ends survive."""
    recorder.to_csv(tmp_path / "rows.csv")

    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["text"], json.loads(first["words"])) == ('a "b",\nc', ["x", "y"])
    with Image.open(tmp_path / first["drawn"]) as image:
        assert image.size == (2, 2)
    assert (second["text"], second["words"], second["drawn"]) == ("", "", "")


def test_experiment_10_rows_become_lines_of_json(recorder, tmp_path):
    """A line for each row, with null for NaN, which JSON does not have."""
    recorder.to_json(tmp_path / "rows.jsonl")

    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert first["words"] == ["x", "y"]
    with Image.open(tmp_path / first["drawn"]) as image:
        assert image.mode == "RGB"
    assert second == {"row": 1, "text": None, "words": None, "score": None, "drawn": None}


def test_rows_become_parquet(recorder, tmp_path):
    """As they are, images as the bytes of PNG files."""
    recorder.to_parquet(tmp_path / "rows.parquet")

    again = Recorder(pq.read_table(tmp_path / "rows.parquet"))
    assert again.column("words") == [["x", "y"], None]
    assert again.drop("words") == recorder.drop("words")


@pytest.mark.parametrize("write", [Recorder.to_csv, Recorder.to_json])
def test_bytes_are_refused_where_they_have_no_form(write, tmp_path):
    """The message names the column."""
    recorder = Recorder()
    recorder.log(raw=b"\xff")

    with pytest.raises(DataError, match="'raw' holds bytes"):
        write(recorder, tmp_path / "rows")


def test_an_empty_recorder_has_files_too(tmp_path):
    """A header alone, or nothing."""
    recorder = Recorder(pa.table({"row": pa.array([], pa.int64()), "x": pa.array([], pa.null())}))

    recorder.to_csv(tmp_path / "rows.csv")
    recorder.to_json(tmp_path / "rows.jsonl")

    assert (tmp_path / "rows.csv").read_text() == '"row","x"\n'
    assert (tmp_path / "rows.jsonl").read_text() == ""


def test_a_stream_of_arrow_is_read(recorder, tmp_path):
    """With what it says of head and split."""
    table = Recorder(recorder.table, split="test", head={"labels": ["a"]}).table
    with pa.ipc.new_stream(str(tmp_path / "p.arrow"), table.schema) as stream:
        stream.write_table(table)

    found = Recorder.read(tmp_path / "p.arrow")

    assert found == Recorder(table)
    assert (found.split, found.head) == ("test", {"labels": ["a"]})


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "there is no file"), (b"", "is no file of predictions"), (b"a,b\n1,2\n", "is no file")],
)
def test_what_is_no_stream_is_refused(content, told, tmp_path):
    """A file that is missing, empty or something else."""
    path = tmp_path / "p.arrow"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=told):
        Recorder.read(path)


def test_a_part_of_a_stream_is_refused(recorder, tmp_path):
    """Rows that are cut off are not taken for all."""
    with pa.ipc.new_stream(str(tmp_path / "p.arrow"), recorder.table.schema) as stream:
        stream.write_table(recorder.table)
    whole = (tmp_path / "p.arrow").read_bytes()
    (tmp_path / "p.arrow").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match="or only a part of one"):
        Recorder.read(tmp_path / "p.arrow")
