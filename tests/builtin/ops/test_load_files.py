"""The op `load-files`."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset
from pyarrow import feather, parquet

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_files import load_files
from mlrecipe.code import signatures

ROWS = [
    {"text": "plain", "label": "pos", "stars": 5, "score": 0.5},
    {"text": 'a "quoted" word', "label": "neg", "stars": 1, "score": 1e-3},
    {"text": "NA", "label": "null", "stars": 3, "score": 2.0},
    {"text": "", "label": "true", "stars": -7, "score": 12345.25},
    {"text": " äöü 漢字 ", "label": "2020-01-01", "stars": 0, "score": -0.1},
]


def as_csv(rows, delimiter=","):
    quote = (lambda c: '"' + c.replace('"', '""') + '"') if delimiter == "," else str
    lines = [delimiter.join(rows[0])]
    lines += [
        delimiter.join(quote(c) if isinstance(c, str) else repr(c) for c in row.values())
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def save_as(kind, folder):
    path = folder / f"rows.{kind}"
    table = pa.Table.from_pylist(ROWS)
    if kind == "csv":
        path.write_text(as_csv(ROWS), encoding="utf-8")
    elif kind == "tsv":
        path.write_text(as_csv(ROWS, "\t"), encoding="utf-8")
    elif kind == "json":
        path.write_text(json.dumps(ROWS, indent=2))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif kind == "parquet":
        parquet.write_table(table, path)
    elif kind == "feather":
        feather.write_feather(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
    return str(path)


def read(path, **params):
    return load_files(train=path, **params)["train"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet", "arrow", "feather"])
def test_training_13_every_format_gives_equal_tables(kind, tmp_path):
    """Equal rows give equal tables, types and metadata included, whatever the files' format."""
    expected = pa.table(
        {
            "text": pa.array([row["text"] for row in ROWS], pa.string()),
            "label": pa.array([row["label"] for row in ROWS], pa.string()),
            "stars": pa.array([row["stars"] for row in ROWS], pa.int64()),
            "score": pa.array([row["score"] for row in ROWS], pa.float64()),
        }
    )

    data = read(save_as(kind, tmp_path))

    table = data.with_format("arrow")[:]
    assert table.replace_schema_metadata(None).equals(expected)
    assert table.schema.equals(Dataset(expected).data.schema, check_metadata=True)


def test_parquet_of_pandas_is_like_any_other(tmp_path):
    """Narrow and large types, categories and pandas' own index leave no trace."""
    import pandas as pd

    frame = pd.DataFrame({"text": list("abcd"), "n": [1, 2, 3, 4], "x": [0.5, 1.5, 2.5, 3.5]})
    frame["kind"] = pd.Categorical(["u", "v", "u", "w"])
    frame = frame.astype({"n": "int8", "x": "float32"})[frame.n != 3]
    frame.to_parquet(tmp_path / "rows.parquet")

    data = read(str(tmp_path / "rows.parquet"))

    assert {n: f.dtype for n, f in data.features.items()} == {
        "text": "string", "n": "int64", "x": "float64", "kind": "string",
    }  # fmt: skip
    assert data[:]["kind"] == ["u", "v", "w"]


def test_classes_in_parquet_are_kept(tmp_path, classes):
    """What `datasets` wrote about classes comes back as `ClassLabel`."""
    import datasets

    datasets.disable_progress_bars()
    classes.to_parquet(str(tmp_path / "rows.parquet"))

    assert read(str(tmp_path / "rows.parquet")).features["label"] == ClassLabel(
        names=["neg", "pos"]
    )


@pytest.mark.parametrize(
    ("cells", "type", "values"),
    [
        (["1", "-2", "30"], "int64", [1, -2, 30]),
        (["1", "", "3"], "int64", [1, None, 3]),
        ([" 1", "2 "], "int64", [1, 2]),
        (["1", "2.5", ""], "float64", [1.0, 2.5, None]),
        (["1e5", ".5"], "float64", [1e5, 0.5]),
        (["007", "123"], "string", ["007", "123"]),
        (["1", "x", ""], "string", ["1", "x", ""]),
        (["true", "false"], "string", ["true", "false"]),
        (["NA", "nan", "null", "None"], "string", ["NA", "nan", "null", "None"]),
        (["1", "nan"], "string", ["1", "nan"]),
        (["2020-01-01", "2020-01-02"], "string", ["2020-01-01", "2020-01-02"]),
        (["99999999999999999999", "1"], "string", ["99999999999999999999", "1"]),
        (["", ""], "string", ["", ""]),
    ],
)
def test_types_are_inferred_without_surprises(cells, type, values, write):
    """Only whole columns of integers or numbers are not texts."""
    path = write("rows.csv", "n,x\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(cells)))

    data = read(path)

    assert data.features["x"].dtype == type
    assert data["x"][:] == values


def test_the_whole_column_is_looked_at(write):
    """One text after many numbers makes a column of texts, in the form that the file has."""
    cells = [f"{n}.0" for n in range(25_000)] + ["last"]

    data = read(write("rows.csv", "x,y\n" + "".join(f"{cell},1\n" for cell in cells)))

    assert data["x"][:] == cells


def test_splits_agree_on_types(write):
    """A column that is a number in one split and a text in another is a text in both."""
    data = load_files(train=write("a.csv", "x,y\n1,1\n"), test=write("b.csv", "x,y\nq,2.5\n"))

    assert data["train"][0] == {"x": "1", "y": 1.0}
    assert data["train"].features == data["test"].features


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ('{"x": 1}\n{"x": 2.5}\n', [1.0, 2.5]),
        ('{"x": 1}\n{"x": "b"}\n', ["1", "b"]),
        ('{"x": "a"}\n{"y": 1}\n', ["a", None]),
        ('{"x": "2020-01-01"}\n', ["2020-01-01"]),
        ('{"x": [1, 2]}\n{"x": []}\n', [[1, 2], []]),
        ('{"x": true}\n', [True]),
        ('{"x": null}\n', [None]),
        ('{"x": 18446744073709551616}\n{"x": 1}\n', ["18446744073709551616", "1"]),
        ('\n{"x": 1}\n\n{"x": 2}\n', [1, 2]),
    ],
)
def test_json_values_keep_their_types(lines, values, write):
    """JSON says what is a number and what is a text; a missing key is null."""
    assert read(write("rows.jsonl", lines))["x"][:] == values


@pytest.mark.parametrize(
    "text", ['[{"x": 1}, {"x": 2}]', '{"data": [{"x": 1}, {"x": 2}]}', '{"x": 1}\n{"x": 2}\n',
             '{\n "data": [\n{"x": 1}, {"x": 2}]}']
)  # fmt: skip
def test_json_may_be_a_list_or_lines(text, write):
    """What a JSON file holds is seen from its content."""
    data = read(write("rows.json", text))

    values = data["data"][0] if "data" in data.column_names else data[:2]["x"]
    assert [v["x"] if isinstance(v, dict) else v for v in values] == [1, 2]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"x": 1}\n{"x": \n', ":2: no JSON"),
        ("a.jsonl", '{"x": 1}\n[1]\n', ":2: '[1]' is no object"),
        ("a.json", '[{"x": 1},\n {"x": }]', ":2: no JSON"),
        ("a.json", "[1]", "row 1: '1' is no object"),
        ("a.jsonl", '{"x": [1]}\n{"x": "b"}\n', "column 'x' mixes"),
        ("a.json", "", "the file is empty"),
        ("a.json", "[]", "it has no row"),
        ("a.json", '{\n"data": []}', "it has no row"),
        ("a.csv", "", "the file is empty"),
        ("a.parquet", "nothing", "no parquet file"),
        ("a.arrow", "nothing", "no arrow file"),
        ("a.csv.gz", "nothing", "cannot be read"),
        ("a.csv.zst", "nothing", "cannot be read"),
        ("a.csv.xz", "nothing", "cannot be read"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(name, text, message, write):
    """The error names the file, and the line where there is one."""
    with pytest.raises(DataError) as error:
        read(write(name, text))

    assert name in error.value.message
    assert message in error.value.message
    assert error.value.key == "train"


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_compressed_files_are_read(ending, write, tmp_path):
    """The ending of the name says how a file is compressed."""
    content = b"text,label\na,1\n"
    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    if ending == ".zst":
        with pa.CompressedOutputStream(str(tmp_path / "rows.csv.zst"), "zstd") as stream:
            stream.write(content)
    else:
        write(f"rows.csv{ending}", compress[ending](content))

    assert read(str(tmp_path / f"rows.csv{ending}"))[:] == {"text": ["a"], "label": [1]}


def test_quoted_cells_hold_line_ends_and_delimiters(write):
    """CSV is read as RFC 4180 has it, CRLF and a byte-order mark included."""
    path = write("rows.csv", b'\xef\xbb\xbftext,n\r\n"a\r\nb, ""c""",1\r\n"",2\r\n')

    assert read(path)[:] == {"text": ['a\r\nb, "c"', ""], "n": [1, 2]}


def test_tsv_quotes_are_data(write):
    """In TSV every line is a row, however its quotes fall; CRLF is no part of a cell."""
    path = write("rows.tsv", b'\xef\xbb\xbfa\tb\r\n"open\tx\r\nclose"\ty"\r\n')

    assert read(path)[:] == {"a": ['"open', 'close"'], "b": ["x", 'y"']}


def test_a_lone_carriage_return_ends_no_row_of_tsv(write):
    """Only a line feed ends a row where cells are not quoted."""
    assert read(write("rows.tsv", b"a\tb\nx\ry\tz\n"))[:] == {"a": ["x\ry"], "b": ["z"]}


def test_single_column_keeps_empty_lines(write):
    """One text a line: an empty line is a row, so that parallel files stay parallel."""
    data = read(write("seq.txt", "one\n\nthree\n"), header=False, columns=["tokens"])

    assert data["tokens"][:] == ["one", "", "three"]


def test_empty_lines_between_rows_are_no_rows(write):
    """In a table of several columns an empty line is nothing."""
    assert read(write("rows.csv", "a,b\n\n1,2\n\n"))[:] == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [("a.csv", 'a,b\n"x\ny",1\n1,2,3\n', 4), ("a.tsv", "a\tb\n1\t2\n3\n", 3)],
)
def test_a_ragged_row_is_an_error_with_its_line(name, text, line, write):
    """The error names file, line, and the cells expected."""
    with pytest.raises(DataError, match=rf"{name}:{line}: the row has \d cells? where 2 are"):
        read(write(name, text))


@pytest.mark.parametrize(
    ("ragged", "rows"), [("drop", [[1, 2]]), ("fit", [[1, 2], [3, None], [4, 5]])]
)
def test_ragged_rows_may_be_dropped_or_fitted(ragged, rows, write, notes):
    """What was done with them is said, with their lines."""
    data = read(write("a.tsv", "a\tb\n1\t2\n3\n4\t5\t6\n"), ragged=ragged)

    assert [list(row.values()) for row in data] == rows
    assert "2 rows without 2 cells" in notes[0]
    assert "lines 3, 4" in notes[0]


def test_a_quote_that_is_not_closed_is_an_error(write):
    """It does not swallow the rest of the file."""
    with pytest.raises(DataError, match=r"a\.csv:3: the quotes") as error:
        read(write("a.csv", 'a,b\n1,2\n"open,2\n3,4\n'))

    assert "quoting = false" in str(error.value)


def test_cells_may_be_long(write):
    """The csv module's limit of 128 kB does not apply, and is as it was afterwards."""
    import csv

    before = csv.field_size_limit()

    assert len(read(write("a.csv", f"a,b\n{'x' * 300_000},1\n"))["a"][0]) == 300_000
    assert csv.field_size_limit() == before


def test_files_without_a_header(write):
    """Columns are named by the recipe, else by their numbers."""
    path = write("a.tsv", "ham\thello\n")

    assert read(path, header=False, columns=["label", "text"])[0] == {
        "label": "ham", "text": "hello",
    }  # fmt: skip
    assert read(path, header=False).column_names == ["column_1", "column_2"]
    with pytest.raises(DataError, match=r"3 columns are named, the first row of .* has 2") as error:
        read(path, header=False, columns=["a", "b", "c"])
    assert error.value.key == "columns"


def test_delimiter_and_quoting_can_be_set(write):
    """What the file's name says is only a default."""
    assert read(write("a.csv", "a;b\n1;\"2\n"), delimiter=";", quoting=False)[0] == {
        "a": 1, "b": '"2',
    }  # fmt: skip
    with pytest.raises(DataError) as error:
        read(write("a.csv", "a\n"), delimiter="::")
    assert error.value.key == "delimiter"


def test_encoding(write):
    """A wrong encoding is an error with the line; the right one reads the text."""
    path = write("a.csv", "a,b\n1,2\nMüller,3\n".encode("latin-1"))

    with pytest.raises(DataError, match=r"a\.csv:3: not utf-8 .*'Müller,3'"):
        read(path)
    assert read(path, encoding="latin-1")["a"][:] == ["1", "Müller"]
    assert read(write("b.csv", "a,b\nä,1\n".encode("utf-16")), encoding="utf-16")["a"][0] == "ä"
    with pytest.raises(DataError) as error:
        read(path, encoding="utf-99")
    assert error.value.key == "encoding"


def test_columns_are_kept_in_the_order_asked_for(write):
    """Other columns are left out."""
    assert read(write("a.csv", "a,b,c\n1,2,3\n"), columns=["c", "a"]).column_names == ["c", "a"]


def test_unknown_column_lists_those_there_are(write):
    """The error names the file's columns and the nearest."""
    with pytest.raises(DataError) as error:
        read(write("a.csv", "text,label\n1,2\n"), columns=["txt"])

    assert error.value.key == "columns"
    assert "text, label" in str(error.value)
    assert "did you mean 'text'?" in str(error.value)


def test_a_split_may_lack_a_column(write, notes):
    """A test split without labels loads, and the lack is said."""
    data = load_files(
        train=write("a.csv", "text,label\na,1\n"),
        test=write("b.csv", "id,text\n1,b\n"),
        columns=["text", "label"],
    )

    assert data["test"].column_names == ["text"]
    assert notes == ["split 'test' has no column label"]


def test_types_can_be_set(write):
    """A type that is asked for wins; a value that does not fit is named with its row."""
    path = write("a.csv", "zip,flag,n\n123,true,1\n456,0,\n")

    data = read(path, types={"zip": "string", "flag": "bool", "n": "float64"})

    assert data[:] == {"zip": ["123", "456"], "flag": [True, False], "n": [1.0, None]}
    with pytest.raises(DataError, match="column 'flag' has 'true' in row 1, which is no int64"):
        read(path, types={"flag": "int64"})
    with pytest.raises(DataError, match="no column 'zap'") as error:
        read(path, types={"zap": "string"})
    assert error.value.key == "types"


def test_folders_globs_and_lists(write, tmp_path):
    """A split's files are read in the order of their names, and hidden or other files left alone."""
    for name, row in {"b": 2, "a": 1, "c": 3}.items():
        write(f"parts/{name}.csv", f"n,x\n{row},1\n")
    write("parts/README.md", "# nothing")
    write("parts/.hidden.csv", "n,x\n9,9\n")
    folder = tmp_path / "parts"

    assert read(str(folder))["n"][:] == [1, 2, 3]
    assert read(str(folder / "[ab].csv"))["n"][:] == [1, 2]
    assert read([str(folder / "c.csv"), str(folder / "a.csv")])["n"][:] == [1, 3]


def test_file_column_says_where_a_row_is_from(write, tmp_path):
    """It has the name of the file."""
    write("parts/a.csv", "n,x\n1,1\n2,2\n")
    write("parts/b.jsonl", '{"x": 3, "n": 3}\n')

    data = read(str(tmp_path / "parts"), file_column="file")

    assert data["file"][:] == ["a.csv", "a.csv", "b.jsonl"]
    assert data["n"][:] == [1, 2, 3]
    with pytest.raises(DataError) as error:
        read(str(tmp_path / "parts"), file_column="n")
    assert error.value.key == "file_column"


def test_files_of_a_split_must_have_the_same_columns(write, tmp_path):
    """The error names both files."""
    write("parts/a.csv", "n,x\n1,1\n")
    write("parts/b.csv", "n,y\n1,1\n")

    with pytest.raises(DataError, match=r"b\.csv: its columns \(n, y\) are not those of .*a\.csv"):
        read(str(tmp_path / "parts"))


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"train": "none.csv"}, "train", "there is no file"),
        ({"test": "*.none"}, "test", "no file matches"),
        ({"valid": "empty"}, "valid", "has no data files"),
        ({"files": {"extra": "none.csv"}}, "files", "there is no file"),
        ({"train": "odd.xyz"}, "train", "does not say what the file holds"),
        ({}, None, "no file is named"),
        ({"train": "a.csv", "files": {"train": "a.csv"}}, "files", "named twice"),
    ],
)
def test_missing_files_are_errors(params, key, message, write, tmp_path, monkeypatch):
    """The error names the parameter."""
    monkeypatch.chdir(tmp_path)
    write("odd.xyz", "a")
    write("a.csv", "a,b\n1,2\n")
    (tmp_path / "empty").mkdir()

    with pytest.raises(DataError) as error:
        load_files(**params)

    assert error.value.key == key
    assert message in error.value.message


def test_a_misspelt_file_is_suggested(write):
    """The nearest name in the folder."""
    path = write("train.csv", "a,b\n1,2\n")

    with pytest.raises(DataError, match=r"did you mean 'train\.csv'\?"):
        read(path.replace("train", "trian"))


def test_other_splits_can_be_named(write):
    """`files` holds splits of any name, in order after the usual three."""
    path = write("a.csv", "a,b\n1,2\n")

    data = load_files(files={"test_matched": path}, train=path)

    assert list(data) == ["train", "test_matched"]


def test_two_columns_of_one_name_are_an_error(write):
    """Empty names are made up instead."""
    with pytest.raises(DataError, match=r"a\.csv:1: two columns are named 'a'"):
        read(write("a.csv", "a, a\n1,2\n"))
    assert read(write("a.csv", ",a\n1,2\n")).column_names == ["column_1", "a"]


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", "parquet", "arrow"])
def test_limit_holds_per_split(kind, tmp_path):
    """At most so many rows of each split."""
    path = save_as(kind, tmp_path)

    data = load_files(train=path, test=path, limit=2)

    assert {name: len(split) for name, split in data.items()} == {"train": 2, "test": 2}


def test_limit_counts_across_batches(tmp_path):
    """The rows of an Arrow file are counted, not those of its batches."""
    batch = pa.record_batch({"x": [1]})
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), batch.schema) as stream:
        for _ in range(5):
            stream.write_batch(batch)

    assert len(read(str(tmp_path / "a.arrow"), limit=3)) == 3


def test_limit_reads_no_further(write):
    """What comes after the limit is not looked at, broken or not."""
    path = write("a.csv", "a,b\n1,2\n1,2,3\n")

    assert len(read(path, limit=1)) == 1


def test_all_chunks_are_there(write):
    """Files of more rows than are held at a time lose none."""
    path = write("a.csv", "n,t\n" + "".join(f"{n},x{n}\n" for n in range(25_003)))

    assert read(path)["n"][:] == list(range(25_003))


def test_header_without_rows(write):
    """A table may be empty."""
    data = read(write("a.csv", "a,b\n"))

    assert data.column_names == ["a", "b"]
    assert len(data) == 0


def test_signature_is_read_from_source():
    """Every parameter is documented and has a default that can be read."""
    import mlrecipe.builtin.ops.load_files as module

    with open(module.__file__, encoding="utf-8") as file:
        (signature,) = signatures.scan(file.read(), module.__file__)

    assert signature.problems == ()
    assert all(p.doc and not isinstance(p.default, signatures.Unreadable)
               for p in signature.params.values())  # fmt: skip


@pytest.mark.real
def test_real_tables_have_the_rows_they_should(real_data):
    """Row counts of IMDb, SMS spam and MRPC, whose quotes are not balanced."""
    imdb = read(str(real_data / "imdb/train.csv.gz"))
    sms = read(str(real_data / "sms_spam/SMSSpamCollection.tsv"), header=False)
    mrpc = read(str(real_data / "glue/MRPC/train.tsv"))

    assert (len(imdb), len(sms), len(mrpc)) == (25_000, 5_574, 3_668)
    assert mrpc.column_names[0] == "Quality"
    assert imdb.features["rating"].dtype == "int64"


def test_json_rows_without_any_wanted_column_are_rows(write, tmp_path):
    """Their values are null, as those of any missing key; no row is lost."""
    write("parts/a.jsonl", '{"text": "a", "label": 1}\n')
    write("parts/b.jsonl", '{"Text": "b", "Label": 2}\n')

    data = read(str(tmp_path / "parts"), columns=["text", "label"])

    assert data[:] == {"text": ["a", None], "label": [1, None]}
