"""How files are read: as the recipe reads its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.errors import DataError, RequestError
from mlrecipe.inference import writing
from mlrecipe.inference.reading import Piece, Types, input_of, output_of, pieces
from mlrecipe.inference.refusals import check_layout


def piece(**columns: list[str]) -> Piece:
    return Piece(start=0, table=pa.table(columns))


def test_files_without_a_header_are_told_from_the_recipe():
    """Where the recipe's own have none, a first row that names no column of theirs is a row."""
    origin = {"header": False, "columns": ["label", "text"]}

    with pytest.raises(RequestError, match=r"have no header.*--columns label,text"):
        check_layout(piece(ham=["spam"], Hello=["Free"]), origin)

    check_layout(piece(text=["Hello"]), origin)
    check_layout(piece(ham=["spam"], Hello=["Free"]), {"header": True, "columns": None})


def test_types_hold_for_all_pieces():
    """Whole numbers, then numbers, then texts: a type once needed stays; texts are never numbers."""
    types = Types({"zip": "string"})

    found = [
        types.typed(piece(x=[cell], zip=["0"], text=["1"]), texts=["text"]).schema.field
        for cell in ("1", "2.5", "3", "x", "4")
    ]

    kinds = [pa.int64(), pa.float64(), pa.float64(), pa.string(), pa.string()]
    assert [field("x").type for field in found] == kinds
    assert {field("zip").type for field in found} == {pa.string()}
    assert {field("text").type for field in found} == {pa.string()}


def rewritten(file: Path, output: Path) -> pa.Table:
    """The file with a new column of zeros; gives the last piece as it goes to the ops."""
    written = output_of(str(output), like=input_of(str(file), format=None), known=writing.FORMATS)
    with writing.writing(written, str(output), overwrite=False, delimiter=None) as writer:
        for piece in pieces(input_of(str(file), format=None), Layout()):
            typed = Types().typed(piece, texts=["text"])
            writer.write(piece, {"new": pa.array([0] * piece.table.num_rows, pa.int64())})
    return typed


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_columns_that_no_data_set_can_have_are_passed_through(tmp_path: Path, ending: str):
    """Maps, for one: the ops never see them, and the output has them as they were."""
    counts = pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64()))
    table = pa.table({"text": ["one", "two"], "counts": counts, "n": [1, 2]})
    parquet.write_table(table, tmp_path / "in.parquet")

    typed = rewritten(tmp_path / "in.parquet", tmp_path / f"out.{ending}")

    assert typed.column_names == ["text", "n"]
    lines = {
        "jsonl": '{"text": "one", "counts": [["a", 1]], "n": 1, "new": 0}',
        "csv": 'one,"[[""a"", 1]]",1,0',
    }
    if ending == "parquet":
        assert parquet.read_table(tmp_path / "out.parquet")["counts"].combine_chunks() == counts
    else:
        assert lines[ending] in (tmp_path / f"out.{ending}").read_text().splitlines()


def test_two_columns_of_one_name_are_refused(tmp_path: Path):
    """Parquet can have them; which one would be meant?"""
    table = pa.Table.from_arrays([pa.array(["one"]), pa.array(["two"])], names=["text", "text"])
    parquet.write_table(table, tmp_path / "in.parquet")

    with pytest.raises(RequestError, match="two columns 'text'") as raised:
        list(pieces(input_of(str(tmp_path / "in.parquet"), format=None), Layout()))
    assert raised.value.key == "--input"


ODD = [
    '{"text":"one",  "id": 9223372036854775807, "x": 1e400, "y": 0.10000000000000000000001}',
    '{"text": "NaN \\ud83d", "id": 1.5, "x": [1], "x": "again", "é": 1}',
    '{"text": "", "id": {"a": "b"}}  ',
    "{}",
]
"""Objects whose values have no type in common, and numbers that a computer's are not."""


def test_lines_of_json_keep_their_own_values_to_the_letter(tmp_path: Path):
    """Whatever their types: new keys stand behind them."""
    (tmp_path / "in.jsonl").write_text("\n".join(ODD) + "\n", encoding="utf-8")

    typed = rewritten(tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    assert "id" not in typed.column_names
    found = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [line.strip()[:-1] + ', "new": 0}' for line in ODD[:-1]]
    assert found == [*ends, '{"new": 0}']
    rewritten(tmp_path / "in.jsonl", tmp_path / "out.parquet")
    kept = parquet.read_table(tmp_path / "out.parquet")["id"].to_pylist()
    assert kept == ["9223372036854775807", "1.5", '{"a": "b"}', None]


def test_what_is_no_number_of_json_is_null_in_it(tmp_path: Path):
    """Python reads NaN, but the output is for all to read."""
    (tmp_path / "in.jsonl").write_text('{"text": "one", "x": NaN}\n{"text": "two", "x": [1]}\n')

    rewritten(tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    first, second = (tmp_path / "out.jsonl").read_text().splitlines()
    assert json.loads(first) == {"text": "one", "x": None, "new": 0}
    assert second == '{"text": "two", "x": [1], "new": 0}'


def test_texts_among_other_values_are_refused(tmp_path: Path):
    """It is not guessed what the text of a list is."""
    (tmp_path / "in.jsonl").write_text('{"text": "one"}\n{"text": ["two"]}\n')

    with pytest.raises(DataError, match="column 'text' mixes values"):
        rewritten(tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_link_stays_and_its_file_is_written(tmp_path: Path):
    """As any other program writes through it; what is no file is never replaced."""
    (tmp_path / "in.jsonl").write_text('{"text": "one"}\n')
    (tmp_path / "far").mkdir()
    (tmp_path / "out.jsonl").symlink_to("far/real.jsonl")

    rewritten(tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    assert (tmp_path / "out.jsonl").is_symlink()
    assert (tmp_path / "far/real.jsonl").read_text() == '{"text": "one", "new": 0}\n'
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["real.jsonl"]
    os.mkfifo(tmp_path / "pipe.jsonl")
    source = output_of(str(tmp_path / "pipe.jsonl"), like=None, known=writing.FORMATS)  # type: ignore[arg-type]
    with (
        pytest.raises(RequestError, match="is no file"),
        writing.writing(source, "pipe.jsonl", overwrite=True, delimiter=None),
    ):
        pass
    assert (tmp_path / "pipe.jsonl").is_fifo()


@pytest.mark.parametrize("last", ['{"text": "c", "tags": null}', '{"text": "c"}'])
def test_nulls_alone_have_the_type_of_the_rows_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
):
    """A piece whose rows have no list fits into a column of lists."""
    monkeypatch.setattr("mlrecipe.inference.reading.ROWS", 2)
    lines = ['{"text": "a", "tags": ["x"]}', '{"text": "b", "tags": ["y"]}', last]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")

    rewritten(tmp_path / "in.jsonl", tmp_path / "out.parquet")

    made = parquet.read_table(tmp_path / "out.parquet")["tags"].to_pylist()
    assert made == [["x"], ["y"], None]


def test_texts_of_parquet_stay_texts(tmp_path: Path):
    """The file says what they are, also where all its columns are texts that look like numbers."""
    table = pa.table({"text": ["one"], "code": ["12"]})
    parquet.write_table(table, tmp_path / "in.parquet")

    *_, last = pieces(input_of(str(tmp_path / "in.parquet"), format=None), Layout())

    assert Types().typed(last).schema.field("code").type == pa.string()
