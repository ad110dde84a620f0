"""The op `load-glue`."""

from __future__ import annotations

import gzip
import sys

import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from mlrecipe import DataError, glue
from mlrecipe.builtin.ops.load_glue import load_glue
from tests import glue as small

load_glue_module = sys.modules[load_glue.__module__]
ENTAILMENT = ["entailment", "not_entailment"]
NLI = ["entailment", "neutral", "contradiction"]
EXPECTED = {
    "cola": (["sentence", "label", "idx"], ["unacceptable", "acceptable"]),
    "sst2": (["sentence", "label", "idx"], ["negative", "positive"]),
    "mrpc": (["sentence1", "sentence2", "label", "idx"], ["not_equivalent", "equivalent"]),
    "stsb": (["sentence1", "sentence2", "label", "idx"], None),
    "qqp": (["question1", "question2", "label", "idx"], ["not_duplicate", "duplicate"]),
    "mnli": (["premise", "hypothesis", "label", "idx"], NLI),
    "qnli": (["question", "sentence", "label", "idx"], ENTAILMENT),
    "rte": (["sentence1", "sentence2", "label", "idx"], ENTAILMENT),
    "wnli": (["sentence1", "sentence2", "label", "idx"], ["not_entailment", "entailment"]),
    "ax": (["premise", "hypothesis", "label", "idx"], NLI),
}
"""Task → the hub's columns, and its names of labels in their order."""

FIRST = {
    "cola": [0, 1], "sst2": [0, 1], "mrpc": [0, 1], "stsb": [0.0, 2.5], "qqp": [0, 1],
    "mnli": [1, 0], "qnli": [0, 1], "rte": [1, 0], "wnli": [0, 1],
}  # fmt: skip
"""Task → the first two labels of the small files, by the hub's order of names."""


@pytest.fixture(autouse=True)
def _any_number_of_rows(monkeypatch, request):
    """The small files have other numbers of rows than GLUE's, of which nothing is to be said."""
    if "official" not in request.fixturenames:
        monkeypatch.setattr(load_glue_module, "_check_rows", lambda *_: None)


@pytest.fixture
def official():
    """For tests of the numbers of rows."""


@pytest.fixture
def root(tmp_path):
    """A folder with all tasks in a few rows."""
    return small.write(tmp_path / "glue")


@pytest.fixture
def load(root, scratch):
    """A function that loads a task from there."""

    def load(task, **settings):
        return load_glue(**{"task": task, "path": str(root), "scratch": scratch, **settings})

    return load


def edit(root, name, change):
    """Change the lines of a file."""
    path = root / name
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")


@pytest.mark.parametrize("task", EXPECTED)
def test_glue_1_each_task_has_its_columns(load, task):
    """In every split, with the hub's names and order of labels."""
    columns, labels = EXPECTED[task]

    data = load(task)

    assert tuple(data) == glue.TASKS[task].splits
    for split in data.values():
        assert split.column_names == columns
        kind = Value("float32") if labels is None else ClassLabel(names=labels)
        assert split.features["label"] == kind
        assert split.features["idx"] == Value("int64")
        assert all(split.features[name] == Value("string") for name in columns[:-2])


@pytest.mark.parametrize("task", FIRST)
def test_glue_1_texts_and_labels_are_those_of_the_file(load, task):
    """The label of each row goes by its name, not by its place in an alphabet."""
    data = load(task)
    columns = data["train"].column_names

    first, second = data["train"][0], data["train"][1]

    assert [first["label"], second["label"]] == FIRST[task]
    assert first[columns[0]].startswith('" a bad film, number 0')
    assert second[columns[1]] == (FIRST[task][1] if len(columns) == 3 else "it was good")
    assert [row["idx"] for row in data["train"]] == list(range(12))


@pytest.mark.parametrize("task", EXPECTED)
def test_glue_7_test_splits_load_without_labels(load, task):
    """None is made up: -1 of a class, null of a score; every row is there with the file's number."""
    data = load(task)

    for split in (split for name, split in data.items() if name.startswith("test")):
        assert set(split["label"]) == ({None} if task == "stsb" else {-1})
        assert split["idx"][:] == list(range(12 if task == "ax" else 6))


def test_glue_2_cola_keeps_its_first_row(load):
    """Train and dev have no header, the test file has one."""
    data = load("cola")

    assert [len(split) for split in data.values()] == [12, 6, 6]
    assert {split["sentence"][0] for split in data.values()} == {'" a bad film, number 0'}


@pytest.mark.parametrize("task", FIRST)
def test_glue_3_quotes_never_merge_rows(load, task):
    """A quote that is not closed opens a cell of every line; each line is a row."""
    data = load(task)

    assert len(data["train"]) == 12
    assert all(text.startswith('" a ') for text in data["train"][data["train"].column_names[0]])


def test_glue_3_only_a_line_feed_ends_a_row(load, root):
    """Other marks that Python takes for line ends are text."""
    text = "one\x0bline\u2028of\rtext \x85\x1c"
    edit(root, "SST-2/dev.tsv", lambda lines: lines[:1])
    with (root / "SST-2/dev.tsv").open("ab") as file:
        file.write(f"{text}\t1\r\nmore\t0".encode())

    data = load("sst2")["validation"]

    assert data[:] == {"sentence": [text, "more"], "label": [1, 0], "idx": [0, 1]}


def test_glue_4_a_byte_order_mark_is_no_part_of_mrpc(load, root):
    """Its first column is the label."""
    assert (root / "MRPC/train.tsv").read_bytes().startswith(b"\xef\xbb\xbfQuality")

    assert load("mrpc")["train"]["label"][:4] == [0, 1, 0, 1]


@pytest.mark.parametrize("task", FIRST)
def test_glue_4_a_byte_order_mark_is_no_part_of_any_file(load, root, task):
    """Some editors put one there."""
    expected = load(task)
    for path in (root / glue.TASKS[task].folders[0]).iterdir():
        path.write_text("\ufeff" + path.read_text(encoding="utf-8-sig"), encoding="utf-8")

    assert same(load(task), expected)


BAD = [
    ("QQP/train.tsv", "3\t13\t23", "1 with fewer than 6 cells (line 5)"),
    ("QQP/train.tsv", "3\t13\t23\ta\tb", "1 with fewer than 6 cells (line 5)"),
    ("QQP/train.tsv", "3\t13\t23\ta\tb\t", "1 without a label (line 5)"),
    ("QQP/train.tsv", "3\t13\t23\ta\tb\t\t1", "1 with more than 6 cells (line 5)"),
    ("QQP/train.tsv", "", "1 with fewer than 6 cells (line 5)"),
    ("RTE/dev.tsv", "3\ta\tb\t-", "1 with an unknown label (line 5 '-')"),
    ("MNLI/train.tsv", "3" + "\tx" * 10 + "\thidden", "1 with an unknown label (line 5 'hidden')"),
    ("STS-B/train.tsv", "3" + "\tx" * 8 + "\t5.1", "1 without a score from 0 to 5 (line 5 '5.1')"),
    ("STS-B/dev.tsv", "3" + "\tx" * 8 + "\tnan", "1 without a score from 0 to 5 (line 5 'nan')"),
]
TASKS = {"QQP": "qqp", "RTE": "rte", "MNLI": "mnli", "STS-B": "stsb"}


@pytest.mark.parametrize(("name", "line", "what"), BAD)
def test_glue_5_bad_rows_are_left_out_and_reported(load, root, notes, name, line, what):
    """The others stay; how many, why and which lines is said; nothing is said of good files."""
    edit(root, name, lambda lines: [*lines[:4], line, *lines[5:]])
    folder, _, file = name.partition("/")
    split, rows = ("train", 12) if file == "train.tsv" else ("validation", 6)

    data = load(TASKS[folder])[split]

    assert data["idx"][:] == [number for number in range(rows) if number != 3]
    assert len(notes) == 1
    assert notes[0].endswith(f"{name}: 1 of {rows} rows left out: {what}")


@pytest.mark.parametrize(("name", "line", "what"), BAD)
def test_glue_5_strict_fails_on_bad_rows(load, root, name, line, what):
    """With the same words as an error."""
    edit(root, name, lambda lines: [*lines[:4], line, *lines[5:]])

    with pytest.raises(DataError) as error:
        load(TASKS[name.partition("/")[0]], strict=True)

    assert error.value.key == "path"
    assert error.value.message.endswith(f"{name}: 1 bad row: {what}")


def test_glue_5_many_bad_rows_are_counted_and_the_first_ten_named(load, root, notes):
    """Each kind with its own lines."""
    edit(root, "RTE/train.tsv", lambda lines: [*lines, *["x\ty"] * 14, "1\ta\tb\tmaybe"])

    assert len(load("rte")["train"]) == 12

    lines = ", ".join(map(str, range(14, 24)))
    assert notes[0].partition("train.tsv: ")[2] == (
        f"15 of 27 rows left out: 14 with fewer than 4 cells (lines {lines}, …); "
        "1 with an unknown label (line 28 'maybe')"
    )


def test_glue_5_a_test_split_never_loses_a_row(load, root, notes):
    """What is missing at the end is taken for empty, and said; `strict` fails."""
    edit(root, "QQP/test.tsv", lambda lines: [*lines[:3], "2\tonly one", *lines[4:]])

    data = load("qqp")["test"]

    assert data["idx"][:] == list(range(6))
    assert data[2] == {"question1": "only one", "question2": "", "label": -1, "idx": 2}
    assert notes[0].endswith(
        "1 of 6 rows filled up with empty texts: 1 with fewer than 3 cells (line 4)"
    )
    with pytest.raises(DataError, match=r"QQP/test.tsv: 1 bad row: 1 with fewer than 3 cells"):
        load("qqp", strict=True)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("2", "with fewer than 3 cells"),
        ("", "with fewer than 3 cells"),
        ("2\ta\tb\tc", "with more than 3 cells"),
        ("two\ta\tb", "without a number for its index, 'two'"),
    ],
)
def test_glue_5_a_row_of_a_test_split_that_cannot_be_kept_is_an_error(load, root, line, what):
    """It names the line."""
    edit(root, "QQP/test.tsv", lambda lines: [*lines[:3], line, *lines[4:]])

    with pytest.raises(DataError, match=rf"QQP/test.tsv:4: a row {what}, and none of a test split"):
        load("qqp")


def test_empty_cells_and_lines_at_the_end_count_for_nothing(load, root, notes):
    """Editors leave them."""
    edit(root, "RTE/train.tsv", lambda lines: [*lines[:3], lines[3] + "\t\t", *lines[4:], "", ""])

    assert len(load("rte", strict=True)["train"]) == 12
    assert notes == []


@pytest.mark.parametrize("task", EXPECTED)
def test_glue_11_a_limit_holds_for_every_split(load, task):
    """Mismatched and test included; the first rows are kept."""
    data = load(task, limit=2)

    assert {len(split) for split in data.values()} == {2}
    assert {tuple(split["idx"]) for split in data.values()} == {(0, 1)}


def test_the_tasks_own_folder_will_do(load, root, tmp_path):
    """Whatever it is called; names of folders may be written otherwise, files compressed."""
    expected = load("sst2")
    (root / "SST-2").rename(root / "sst_2")
    content = (root / "sst_2/train.tsv").read_bytes()
    (root / "sst_2/train.tsv").unlink()
    (root / "sst_2/train.tsv.gz").write_bytes(gzip.compress(content))

    assert same(load("sst2"), expected)
    assert same(load("sst2", path=str(root / "sst_2")), expected)


def test_the_diagnostic_set_may_lie_with_mnli(load, root):
    """As GLUE's own script puts it."""
    expected = load("ax")
    (root / "AX/diagnostic.tsv").rename(root / "MNLI/diagnostic.tsv")
    (root / "AX").rmdir()

    assert same(load("ax"), expected)


def test_a_missing_file_says_what_was_looked_for(load, root):
    """And how to load what is there."""
    (root / "MNLI/dev_mismatched.tsv").unlink()

    with pytest.raises(DataError, match=r"'validation_mismatched' .* dev_mismatched.tsv") as error:
        load("mnli")

    assert error.value.key == "path"
    assert '"validation_matched"' in error.value.hint
    assert list(load("mnli", splits=["test_matched", "train"])) == ["test_matched", "train"]


def test_a_folder_without_the_task_says_what_was_looked_for(load, root):
    """There is nothing of it at all."""
    with pytest.raises(DataError, match=r"no files of task 'rte' .* train.tsv, dev.tsv, test.tsv"):
        load("rte", path=str(root / "MNLI" / ".." / ".."))


def test_a_file_of_another_task_is_found_out(load, root):
    """By its header, or, where there is none, by its labels."""
    (root / "MRPC").rename(root / "mine")
    with pytest.raises(DataError, match=r"no column 'sentence1' .*Quality") as error:
        load("rte", path=str(root / "mine"))
    assert error.value.hint == "is it a file of GLUE's task 'rte'?"
    (root / "RTE").rename(root / "other")
    with pytest.raises(
        DataError, match=r"no good row, but 7 with an unknown label \(lines 1 'sentence1', 2 "
    ):
        load("cola", path=str(root / "other"), splits=["validation"])


def test_the_folder_of_another_task_is_not_taken(load, root):
    """RTE's files would pass for WNLI's: both have the same columns and labels."""
    with pytest.raises(DataError, match="no files of task 'wnli'"):
        load("wnli", path=str(root / "RTE"))


def test_an_unknown_split_is_an_error(load):
    """With those that there are."""
    with pytest.raises(DataError, match="task 'mnli' has no split 'validation'") as error:
        load("mnli", splits=["validation"])

    assert error.value.key == "splits"


ORIGINAL = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"


@pytest.fixture
def original(root):
    """MRPC as its authors give it, and the list of GLUE's dev set."""
    folder = root / "MRPC"
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").unlink()
    rows = [f"{i % 2}\t{i}0\t{i}1\tfirst {i}\tsecond {i}" for i in range(6)]
    text = "\r\n".join([f"\ufeff{ORIGINAL}", *rows]) + "\r\n"
    (folder / "msr_paraphrase_train.txt").write_bytes(text.encode())
    (folder / "msr_paraphrase_test.txt").write_bytes(text.encode())
    (folder / "dev_ids.tsv").write_text("10\t11\n40\t41\n")
    return folder


def test_mrpc_may_come_as_its_authors_give_it(load, original):
    """The list of ids says what is the dev set; its test file has labels."""
    data = load("mrpc")

    assert data["validation"]["sentence1"][:] == ["first 1", "first 4"]
    assert data["train"]["sentence1"][:] == ["first 0", "first 2", "first 3", "first 5"]
    assert data["test"]["label"][:] == [0, 1, 0, 1, 0, 1]
    assert data["train"]["label"][:] == [0, 0, 1, 1]


def test_mrpc_without_the_list_of_ids_has_no_dev_set(load, original):
    """That is said; without it all rows are to learn from."""
    (original / "dev_ids.tsv").unlink()

    with pytest.raises(DataError, match=r"msr_paraphrase_train.txt and dev_ids.tsv"):
        load("mrpc")

    assert len(load("mrpc", splits=["train"])["train"]) == 6


def in_hub_layout(data, task, folder):
    """The rows as the hub keeps them: Parquet, int32 indices, -1 for a score that is not known."""
    folder.mkdir(parents=True)
    for split, rows in data.items():
        kept = rows.cast_column("idx", Value("int32"))
        if task == "stsb" and split == "test":
            kept = kept.remove_columns("label").add_column("label", pa.array([-1.0] * len(rows)))
            kept = kept.cast_column("label", Value("float32"))
        kept.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return folder


def same(one, other):
    """Whether two data sets have equal rows of equal types."""
    return list(one) == list(other) and all(
        one[name].features == other[name].features
        and one[name].with_format("arrow")[:].equals(other[name].with_format("arrow")[:])
        for name in one
    )


@pytest.mark.parametrize("task", EXPECTED)
def test_the_hubs_layout_gives_the_same(load, task, tmp_path, capfd):
    """The folder of all tasks or the task's own."""
    expected = load(task)
    in_hub_layout(expected, task, tmp_path / "hub" / task)

    assert same(load(task, path=str(tmp_path / "hub")), expected)
    assert same(load(task, path=str(tmp_path / "hub" / task)), expected)
    assert (
        len(load(task, path=str(tmp_path / "hub"), limit=1)["test" if task == "ax" else "train"])
        == 1
    )


def test_what_save_to_disk_wrote_gives_the_same(load, tmp_path, capfd):
    """With classes in another order: they go by name."""
    expected = load("rte")
    other = ClassLabel(names=ENTAILMENT[::-1])
    swapped = DatasetDict(
        {
            name: Dataset.from_dict(
                {**rows[:], "label": [1 - i if i >= 0 else -1 for i in rows["label"]]},
                features=Features(rows.features | {"label": other}),
            )
            for name, rows in expected.items()
        }
    )
    swapped.save_to_disk(tmp_path / "saved")

    assert same(load("rte", path=str(tmp_path / "saved")), expected)
    assert len(load("rte", path=str(tmp_path / "saved"), limit=2)["test"]) == 2


@pytest.mark.usefixtures("official")
def test_another_number_of_rows_than_glue_has_is_told(load, root, notes, monkeypatch):
    """Of every split, with both numbers; `strict` fails; not where a limit is set."""
    monkeypatch.setitem(glue.ROWS, "rte", {"train": 12, "validation": 6, "test": 6})
    load("rte", strict=True)
    edit(root, "RTE/train.tsv", lambda lines: [*lines, lines[-1]])
    edit(root, "RTE/test.tsv", lambda lines: lines[:-1])

    assert len(load("rte", splits=["validation"], strict=True)["validation"]) == 6
    load("rte", limit=2, strict=True)
    assert notes == []
    load("rte")

    said = "split 'train' has 13 rows, GLUE's has 12; split 'test' has 5 rows, GLUE's has 6"
    assert notes == [f"task 'rte': {said}: scores do not compare with GLUE's"]
    with pytest.raises(DataError, match=said) as error:
        load("rte", strict=True)
    assert error.value.key == "path"


def test_each_split_of_each_task_has_its_number_of_rows():
    """Those of the published benchmark, 9,796 and 9,847 for MNLI's test sets among them."""
    assert {name: tuple(rows) for name, rows in glue.ROWS.items()} == {
        name: task.splits for name, task in glue.TASKS.items()
    }
    assert sum(sum(rows.values()) for rows in glue.ROWS.values()) == 1_445_753
