"""Looking at tables of every shape that a newcomer may bring."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlrecipe.errors import DataError
from mlrecipe.scaffold.recipe import from_table
from mlrecipe.scaffold.table import look

TEXTS = [
    "The soup was cold, and so was the waiter.",
    "A lovely evening; we shall come back soon.",
    "They forgot our order twice and did not say sorry.",
    "Best bread in town, and the butter is salted.",
    "The room smelt of paint and the door would not close.",
    "Our host showed us the way to the lake himself.",
]
LABELS = ["bad", "good", "bad", "good", "bad", "good"]
TIMES = 5


def _rows() -> list[tuple[str, str]]:
    """Thirty rows, no text twice."""
    return [
        (f"{text} Visit {n} of mine.", label)
        for n in range(TIMES)
        for text, label in zip(TEXTS, LABELS, strict=True)
    ]


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _write(path: Path, lines: list[str], *, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A tidy CSV with a header."""
    return _write(tmp_path / "a.csv", ["text,label"] + [f"{_quote(t)},{lab}" for t, lab in _rows()])


def test_training_9_finds_delimiter_text_label_and_task_of_a_csv(csv: Path) -> None:
    """A tidy CSV is read as it is meant."""
    table = look(csv)

    assert (table.layout.delimiter, table.layout.quoted, table.layout.header) == (",", True, True)
    assert (table.text, table.text_pair, table.label) == ("text", None, "label")
    assert table.task == "text-classification"
    assert table.labels == {"bad": 15, "good": 15}
    assert table.rows == 30


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_training_9_finds_every_delimiter_whatever_the_file_is_called(
    tmp_path: Path, mark: str, name: str
) -> None:
    """Commas and semicolons inside of quoted texts do not mislead."""
    lines = [f"review{mark}sentiment"] + [f"{_quote(t)}{mark}{_quote(lab)}" for t, lab in _rows()]

    table = look(_write(tmp_path / name, lines))

    assert (table.layout.delimiter, table.layout.quoted) == (mark, True)
    assert (table.text, table.label, table.rows) == ("review", "sentiment", 30)


def test_training_9_every_choice_comes_with_its_evidence(csv: Path) -> None:
    """The label's reason counts values and rows; the other choices have sentences too."""
    table = look(csv)

    assert "column 'label' has 2 distinct values in 30 rows" in table.reasons["label"]
    assert "column 'text'" in table.reasons["text"]
    assert "comma" in table.reasons["file"]
    assert "2 labels" in table.reasons["task"]
    assert "words" in table.reasons["max_length"]


def test_labels_first_without_a_header_and_with_stray_quotes(tmp_path: Path) -> None:
    """The shape of sms_spam: `label<TAB>text`, CRLF, quotes that are only text."""
    lines = [f'{lab}\t"{t}' if n % 7 == 0 else f"{lab}\t{t}" for n, (t, lab) in enumerate(_rows())]

    table = look(_write(tmp_path / "sms.tsv", lines, end="\r\n"))

    assert (table.layout.header, table.layout.quoted) == (False, False)
    assert table.columns == ("label", "text")
    assert (table.text, table.label, table.rows) == ("text", "label", 30)


def test_a_made_up_name_is_no_evidence(tmp_path: Path) -> None:
    """Without a header the label is found by its values, and the reason does not claim its name."""
    table = look(_write(tmp_path / "sms.tsv", [f"{lab}\t{t}" for t, lab in _rows()]))

    assert "name" not in table.reasons["label"]


def test_columns_that_are_neither_are_left_out_with_a_reason(tmp_path: Path) -> None:
    """Numbers, dates and addresses of rows are no texts and no labels."""
    lines = ["id;date;url;user;text;label"]
    for n, (t, lab) in enumerate(_rows()):
        lines.append(f"{n + 100};2024-01-{n % 9 + 1:02};https://a.example/{n};user_{n};{t}!;{lab}")
    lines = [line.replace("; we", ", we") for line in lines]

    table = look(_write(tmp_path / "a.csv", lines))

    assert (table.text, table.label) == ("text", "label")
    assert table.left_out["id"] == "has another value in every row"
    assert table.left_out["date"] == "holds dates"
    assert set(table.left_out) == {"id", "date", "url", "user"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sentence1", "sentence2"),
        ("premise", "hypothesis"),
        ("question1", "question2"),
        ("question", "sentence"),
        ("#1 String", "#2 String"),
        ("Text A", "Text B"),
    ],
)
def test_pairs_of_texts_are_found_by_their_names(tmp_path: Path, first: str, second: str) -> None:
    """The second text of a pair is proposed as such."""
    rows = [f"{n}\t{t}\t{t} Indeed.\t{n % 2}" for n, (t, _) in enumerate(_rows())]

    table = look(_write(tmp_path / "pairs.tsv", [f"index\t{first}\t{second}\tlabel", *rows]))

    assert (table.text, table.text_pair, table.label) == (first, second, "label")


def test_parses_of_a_pair_do_not_displace_it(tmp_path: Path) -> None:
    """In MNLI `sentence1_parse` is longer than `sentence1`, and `label1` precedes `gold_label`."""
    names = "genre\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label"
    rows = [
        f"fiction\t(S ({t} ( . ) ) a b c d )\t(S ({t}) )\t{t}\t{t} So.\t{lab}\t{lab}"
        for t, lab in _rows()
    ]

    table = look(_write(tmp_path / "mnli.tsv", [names, *rows]))

    assert (table.text, table.text_pair) == ("sentence1", "sentence2")
    assert table.label == "gold_label"


def test_a_column_named_text_is_preferred_to_a_longer_one(tmp_path: Path) -> None:
    """A parse may be longer than the text itself; it is named as the other choice."""
    rows = [f"{_quote(t)},{_quote(t + ' and so on')},{lab}" for t, lab in _rows()]

    table = look(_write(tmp_path / "a.csv", ["text,parse,label", *rows]))

    assert table.text == "text"
    assert "column 'parse' could be the text" in table.alternatives[0]


def test_made_up_names_make_no_pair(tmp_path: Path) -> None:
    """`column_1` and `column_2` differ in their numbers only, which says nothing."""
    rows = [f"{t}\t{t} And on.\t{lab}" for t, lab in _rows()]

    table = look(_write(tmp_path / "a.tsv", rows))

    assert table.columns == ("column_1", "text", "label")
    assert (table.text, table.text_pair) == ("text", None)


def test_a_name_that_is_also_a_value_is_still_a_name(tmp_path: Path) -> None:
    """`text,spam` is a header even where `spam` is one of the labels."""
    rows = [f"{_quote(t)},{'spam' if lab == 'bad' else 'ham'}" for t, lab in _rows()]

    table = look(_write(tmp_path / "a.csv", ["text,spam", *rows]))

    assert (table.layout.header, table.label) == (True, "spam")


def test_close_choices_are_named(tmp_path: Path) -> None:
    """A second column with few values is offered as another label."""
    rows = [f"{_quote(t)},{lab},{n % 4}" for n, (t, lab) in enumerate(_rows())]

    table = look(_write(tmp_path / "a.csv", ["text,label,stars", *rows]))

    assert table.alternatives == ["column 'stars' could be the label: 4 distinct values"]


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("tags", [["a", "b"], ["a"], []],
         'holds lists: to learn several labels a row, take the task `multi-label-classification` with '
         '`label = "tags"`'),
        ("tags", ["food, staff", "food", "staff, price", None, None, None, None],
         '`multi-label-classification` with `label = "tags"` and `separator = ","`'),
    ],
)  # fmt: skip
def test_several_labels_a_row_are_told_how_to_learn(
    tmp_path: Path, name: str, cells: list[object], expected: str
) -> None:
    """No column is one label; the error names the task for several, and the keys to set."""
    rows = [{"text": t, name: cells[n % len(cells)]} for n, (t, _) in enumerate(_rows())]

    with pytest.raises(DataError, match="no column is like a label") as caught:
        look(_write(tmp_path / "a.jsonl", [json.dumps(row) for row in rows]))

    assert expected in str(caught.value.hint)


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("spam,question,number", "{a},{b},{c}",
         '`multi-label-classification` with `labels_from = ["spam", "question", "number"]`'),
        ("intent,topic", "i{a},t{b}", '`multi-output-classification` with `outputs = '),
    ],
)  # fmt: skip
def test_several_columns_to_learn_name_the_task_for_all(
    tmp_path: Path, header: str, cells: str, expected: str
) -> None:
    """The recipe learns one of them; its comment says how to learn all."""
    rows = [
        _quote(t) + "," + cells.format(a=n % 2, b=n // 2 % 2, c=n // 4 % 2)
        for n, (t, _) in enumerate(_rows())
    ]

    table = look(_write(tmp_path / "a.csv", [f"text,{header}", *rows]))

    assert expected in " ".join(from_table(table, name="a").replace("\n# ", " ").split())
    assert set(table.left_out.values()) == {"is a less likely label"}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    """Excel's 'CSV UTF-8' begins with one."""
    lines = ["text;label"] + [f"{_quote(t)};{lab}" for t, lab in _rows()]

    table = look(_write(tmp_path / "a.csv", lines, encoding="utf-8-sig", end="\r\n"))

    assert table.columns == ("text", "label")


def test_windows_1252_is_read_and_said(tmp_path: Path) -> None:
    """What Excel saves as plain CSV; the person can see whether it was read as it should be."""
    lines = ["text,label"] + [f"{_quote(t)},{lab}" for t, lab in _rows()]
    lines[4] = '"Das war schön, aber teuer.",good'

    table = look(_write(tmp_path / "a.csv", lines, encoding="cp1252"))

    assert table.layout.encoding == "cp1252"
    assert "line 5 is not UTF-8; read as Windows-1252 it has" in table.warnings[0]
    assert "schön" in table.warnings[0]


def test_bytes_in_no_known_encoding_are_refused_with_their_line(tmp_path: Path) -> None:
    """0x81 is no character of Windows-1252 either."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nhello you,1\nhi \x81 you,0\n")

    with pytest.raises(DataError, match=r"line 3 of 'a.csv' is not UTF-8"):
        look(path)


def test_utf_16_is_read(tmp_path: Path) -> None:
    """Excel's 'Unicode text' is UTF-16, with tabs."""
    lines = ["text\tlabel"] + [f"{t}\t{lab}" for t, lab in _rows()]

    table = look(_write(tmp_path / "a.txt", lines, encoding="utf-16", end="\r\n"))

    assert (table.layout.encoding, table.rows) == ("utf-16", 30)


def test_line_breaks_inside_of_quotes_belong_to_the_text(tmp_path: Path) -> None:
    """Rows are counted, not lines."""
    lines = ["text,label"] + [f"{_quote('Dear all,' + chr(10) + t)},{lab}" for t, lab in _rows()]

    assert look(_write(tmp_path / "a.csv", lines)).rows == 30


def test_tabs_with_doubled_quotes_are_read_with_quotes(tmp_path: Path) -> None:
    """What pandas writes with `sep="\\t"` wraps only the cells that need it."""
    lines = ["text\tlabel"] + [f"{t}\t{lab}" for t, lab in _rows()]
    lines[3] = _quote('He said "no" to us again.') + "\tbad"

    assert look(_write(tmp_path / "a.tsv", lines)).layout.quoted


@pytest.mark.parametrize(
    ("ending", "opener"), [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)]
)
def test_compressed_tables_are_read(
    csv: Path, tmp_path: Path, ending: str, opener: Callable[..., object]
) -> None:
    """The endings that `load-files` reads."""
    packed = tmp_path / f"b.csv{ending}"
    with opener(packed, "wb") as file:  # type: ignore[attr-defined]
        file.write(csv.read_bytes())

    assert look(packed).rows == 30


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_json_lines_are_read_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    """Numbers, truth values and keys that come late are fine."""
    rows = [{"id": n, "body": t, "spam": n % 2 == 0} for n, (t, _) in enumerate(_rows())]
    rows[-1]["meta"] = {"a": 1}

    table = look(_write(tmp_path / name, [json.dumps(row) for row in rows]))

    assert (table.text, table.label) == ("body", "spam")
    assert table.labels == {"False": 15, "True": 15}
    assert table.left_out["meta"] == "holds lists or tables"


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"version": 1, "data": rows}])
def test_json_lists_are_read(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    """A list of objects, bare or under a key."""
    rows = [{"text": t, "label": lab} for t, lab in _rows()]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(wrap(rows), indent=2), encoding="utf-8")

    assert look(path).labels == {"bad": 15, "good": 15}


@pytest.mark.heavy
def test_parquet_is_read_where_pyarrow_is(tmp_path: Path) -> None:
    """Types of the columns are kept."""
    import pyarrow as pa
    from pyarrow import parquet

    texts, labels = zip(*_rows(), strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels}), tmp_path / "a.parquet")

    assert look(tmp_path / "a.parquet").labels == {"bad": 15, "good": 15}


def test_training_9_a_number_to_predict_is_regression(tmp_path: Path) -> None:
    """STS-B's score, even where a genre could pass for a label."""
    rows = [f"g{n % 3}\t{t}\t{t} Yes.\t{n % 26 / 5:.3f}" for n, (t, _) in enumerate(_rows())]

    table = look(_write(tmp_path / "sts.tsv", ["genre\tsentence1\tsentence2\tscore", *rows]))

    assert (table.task, table.label, table.labels) == ("text-regression", "score", {})
    assert (table.text, table.text_pair) == ("sentence1", "sentence2")
    assert table.reasons["task"] == "each row has a number"


def test_numbers_with_a_comma_are_refused(tmp_path: Path) -> None:
    """They would be read as texts."""
    rows = [f"{t}\t{n % 26},5" for n, (t, _) in enumerate(_rows())]

    with pytest.raises(DataError, match="comma before the decimals"):
        look(_write(tmp_path / "sts.tsv", ["text\tscore", *rows]))


def test_labels_that_are_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    """10 comes after 9."""
    rows = [
        f"{_quote(f'{t} {n}')},{n % 11}" for n in range(5) for t, _ in _rows() for n in range(11)
    ]

    assert list(look(_write(tmp_path / "a.csv", ["text,class", *rows])).labels)[-2:] == ["9", "10"]


def test_what_may_spoil_the_result_is_said(tmp_path: Path) -> None:
    """Imbalance, rare labels, one label written twice, rows without a label."""
    rows = [f"{_quote(t)},ham" for t, _ in _rows()]
    rows += ['"Win a prize now.",spam', '"Win more prizes.",Spam', '"Nobody knows this one.",']

    warnings = " | ".join(look(_write(tmp_path / "a.csv", ["text,label", *rows])).warnings)

    assert "rows without a label: 1" in warnings
    assert "'ham' has 30.0 times the rows" in warnings
    assert "2 labels have fewer than 10 rows: 'Spam' (1), 'spam' (1)" in warnings
    assert "'Spam' and 'spam' differ in case or spaces only" in warnings


def test_lengths_lead_to_a_maximum(tmp_path: Path) -> None:
    """Nearly all texts stay whole; one very long one does not count."""
    rows = [f"{'word ' * (10 + n % 5)}{n},{n % 2}" for n in range(200)] + [f"{'word ' * 999},1"]

    table = look(_write(tmp_path / "a.csv", ["text,label", *rows]))

    assert not table.several
    assert (table.longest_words, table.median_words, table.max_length) == (999, 13, 32)


def test_a_column_sorted_by_label_is_read_to_its_end(tmp_path: Path) -> None:
    """IMDb's file has all of one label first."""
    rows = [f"some words of row {n},{'neg' if n < 30_000 else 'pos'}" for n in range(30_100)]

    table = look(_write(tmp_path / "a.csv", ["text,label", *rows]))

    assert table.labels == {"neg": 30_000, "pos": 100}


def test_chinese_texts_are_texts(tmp_path: Path) -> None:
    """Scripts without spaces count characters as words."""
    rows = [f"这个地方的第{n}道菜真的非常好吃我们很喜欢,{n % 2}" for n in range(30)]

    table = look(_write(tmp_path / "a.csv", ["内容,标签", *rows]))

    assert (table.text, table.label, table.max_length) == ("内容", "标签", 32)


def test_missing_file_names_the_nearest(csv: Path) -> None:
    """A slip of the finger is put right."""
    with pytest.raises(DataError, match="there is no file") as caught:
        look(csv.with_name("aa.csv"))

    assert caught.value.hint == "did you mean 'a.csv'?"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "'a.csv' is empty"),
        ("a.csv", "\ufeff\n\n", "'a.csv' is empty"),
        ("a.csv", "text,label\n", "has a header and no rows"),
        ("a.csv", "text\nhello there\nyou there\n", "has one column only"),
        ("a.xlsx", "PK", "is a spreadsheet"),
        ("a.doc", "text", "is of an unknown kind"),
        ("a.csv", "text,text\nhello you,hi you\n", "two columns of 'a.csv' are named 'text'"),
        ("a.csv", "text,label\nyes you,1\nno, not you,0\n", r"line 3 of 'a.csv' has 3 cells"),
        ("a.jsonl", '{"text": "a b"}\n{"text": \n', r"line 2 of 'a.jsonl' is no JSON"),
        ("a.jsonl", '{"text": "a b"}\n[1]\n', r"line 2 of 'a.jsonl' is '\[1\]', not an object"),
        ("a.csv", "n,label\n" + "1,a\n2,b\n" * 19, "no column is like a text: 'n' holds numbers"),
        ("a.csv", "id,text\n" + "".join(f"{n},a b {n}\n" for n in range(29)), "like a label: 'id'"),
        ("a.csv", "sep=;\ntext;label\na b;1\n", "a note for Excel"),
        (
            "a.csv",
            'text,label\n"a, b",1\n"a, c",1\n"d, "e" f",1\n',
            "line 4 of 'a.csv' make no sense",
        ),
        ("a.csv", "text,label\na b,1\nc d,2\n", "has 2 rows, too few"),
        ("a.csv", "text,label\na b,1\nc d\n", "line 3 of 'a.csv' has 1 cells"),
        ("a.csv", "text\0,label\na b,1\n", "no text"),
    ],
)
def test_what_cannot_be_used_is_said_plainly(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    """Each mistake has a message of its own."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")

    with pytest.raises(DataError, match=message):
        look(path)


def test_damaged_compression_is_said_plainly(tmp_path: Path) -> None:
    """A download that broke off."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"some text,1\n" * 9999)[:-20])

    with pytest.raises(DataError, match=r"cannot read 'a.csv.gz'"):
        look(path)


REAL = {
    "sms_spam/SMSSpamCollection.tsv": ("text", None, "label", 5_574, 2),
    "imdb/train.csv.gz": ("text", None, "label", 25_000, 2),
    "glue/SST-2/train.tsv.gz": ("sentence", None, "label", 67_349, 2),
    "glue/RTE/train.tsv": ("sentence1", "sentence2", "label", 2_490, 2),
    "glue/CoLA/train.tsv": ("text", None, "label", 8_551, 2),
    "glue/MRPC/train.tsv": ("#1 String", "#2 String", "Quality", 3_668, 2),
}


@pytest.mark.real
@pytest.mark.skipif("MLRECIPE_TEST_DATA" not in os.environ, reason="MLRECIPE_TEST_DATA is not set")
@pytest.mark.parametrize("name", REAL)
def test_training_9_real_tables_are_read_as_meant(name: str) -> None:
    """Well-known data sets as their authors left them."""
    table = look(Path(os.environ["MLRECIPE_TEST_DATA"]) / name)

    found = (table.text, table.text_pair, table.label, table.rows, len(table.labels))
    assert found == REAL[name]


@pytest.mark.real
@pytest.mark.skipif("MLRECIPE_TEST_DATA" not in os.environ, reason="MLRECIPE_TEST_DATA is not set")
def test_training_9_real_regression_is_seen() -> None:
    """STS-B has a score from 0 to 5."""
    table = look(Path(os.environ["MLRECIPE_TEST_DATA"]) / "glue/STS-B/train.tsv")

    assert (table.task, table.label) == ("text-regression", "score")
