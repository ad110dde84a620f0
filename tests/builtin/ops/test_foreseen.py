"""What is foreseen of built-in ops against what they then do, on data of a few rows."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from mlrecipe.builtin.catalog import OPS
from mlrecipe.builtin.ops import _files
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import NAMES, Kind
from mlrecipe.errors import DataError, RecipeError
from mlrecipe.graph import foresee, headers
from mlrecipe.graph.rules import RULES
from mlrecipe.registry import registries
from tests.projects import ROOT, work

__all__ = ["work"]

pytestmark = pytest.mark.heavy

TRAIN = "id,text,label\n" + "".join(f"{i},text {i},{'np'[i % 2]}\n" for i in range(8))
TEST = "id,text,label,source\n" + "".join(f"{i},words {i},{'np'[i % 2]},web\n" for i in range(4))
TAGGED = "".join(
    json.dumps({"tokens": ["Ada", "left", str(i)], "tags": ["B-PER", "O", "O"]}) + "\n"
    for i in range(8)
)

BASE = """
name = "x"
[nodes.raw]
use = "load-files"
train = "train.csv"
test = "test.csv"
[nodes.one]
use = "select"
inputs = ["raw.train"]
"""


@pytest.fixture
def files(work, monkeypatch):
    """A project with two small CSV files and a tokenizer."""
    work.write("train.csv", TRAIN)
    work.write("test.csv", TEST)
    work.write("words.jsonl", TAGGED)
    shutil.copytree(ROOT / "mlrecipe" / "data" / "tiny", work.folder / "tiny")
    monkeypatch.chdir(work.folder)
    return work


class Outcome:
    """What was foreseen of a recipe, and what came of running it all the same."""

    def __init__(self, work, recipe: str) -> None:
        (work.folder / "recipe.toml").write_text(recipe)
        self.foreseen = self._problems(work)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(foresee, "check", lambda *_: [])
            request = work.request()
        self.known = foresee.known(request.tree, request.catalog, request.loaded.base)
        self.values: dict[str, object] = {}
        self.errors: dict[str, Exception] = {}
        for node in request.graph:
            if all(i.node in self.values for i in node.inputs):
                self._run(node, work.folder)

    @property
    def actual(self) -> dict[str, object]:
        """Node → its splits and their columns; for other tables the entries."""
        return {name: shape(value) for name, value in self.values.items()}

    def _problems(self, work) -> list[str]:
        try:
            work.request()
        except RecipeError as error:
            return [problem.key for problem in error.problems]
        return []

    def _run(self, node, folder: Path) -> None:
        arguments = dict(node.arguments)
        if "scratch" in node.found.signature.params:
            arguments["scratch"] = folder / "scratch" / node.name
            arguments["scratch"].mkdir(parents=True)
        try:
            inputs = [pick(self.values[i.node], i.entry) for i in node.inputs]
            self.values[node.name] = registries["op"].get(node.spec.use)(*inputs, **arguments)
        except Exception as error:  # noqa: BLE001 - an op that breaks does not work either
            self.errors[node.name] = error


def pick(value, entry: str):
    try:
        return value[entry] if entry else value
    except (KeyError, ValueError):  # ValueError: a data set has no such column
        raise DataError("no such entry", key="inputs") from None


def shape(value):
    if isinstance(value, Dataset):
        return {"": value.column_names}
    if isinstance(value, DatasetDict):
        return {name: split.column_names for name, split in value.items()}
    return list(value) if isinstance(value, Mapping) else None


def foreseen(known):
    """As `shape` has it."""
    if known.tables is None:
        return list(known.entries) if known.entries else None
    return {name: columns and list(columns) for name, columns in known.tables.items()}


EXACT = {
    "split": [
        "size = 2",
        "size = 0.25\nsource = 'test'\ntarget = 'dev'\nstratify = 'label'",
        "sizes = { valid = 1, more = 2 }\nshuffle = false",
        "size = 2\ninputs = 'one'",
        "size = 2\ninputs = 'one'\nsource = 'all'\ntarget = 'train'",
    ],
    "select": [
        "columns = ['text', 'source', 'id']",
        "splits = ['test']\ndrop = ['source']",
        "splits = ['test', 'train']\ncolumns = ['label', 'text']\ndrop = ['text']",
        "sample = { test = 2 }\nstratified = true",
        "per_class = 1\nlabel = 'label'",
        "first = 2\nlabel = 'nothing'\nstratified = true",
        "sample = 2\nlabel = 'nothing'",
        "inputs = 'one'\ndrop = ['id']",
        "rows = [1, 0]",
    ],
    "rename": [
        "columns = { text = 'body' }",
        "columns = { text = 'label', label = 'text', source = 'from' }",
        "inputs = 'one'\ncolumns = { id = 'key' }",
    ],
    "filter": [
        "column = 'source'\nequals = 'web'",
        "column = 'text'\nnot_empty = true\nsplits = ['train']",
        "column = 'text'\nnot_empty = true\ninputs = 'one'",
    ],
    "map-labels": [
        "mapping = { n = 0, p = 1 }",
        "labels = ['n', 'p']\ntarget = 'class'",
        "column = 'source'\nmapping = { web = 'w' }\ntarget = 'short'",
        "inputs = 'one'\nlabels = ['n', 'p']\ntarget = 'class'",
    ],
    "tokenize": [
        "",
        "text = 'label'\nkeep = ['id']",
        "keep = []",
        "inputs = 'one'\nkeep = ['label', 'text']",
        "inputs = 'raw.test'",
    ],
    "tokenize-words": [
        "inputs = 'words'",
        "inputs = 'words'\nwords = 'tags'\nkeep = ['tags']\nstride = 0",
        "inputs = 'words'\nkeep = []",
        "inputs = 'words.train'\nmax_length = 8",
    ],
    "concat": [
        "inputs = ['raw']",
        "inputs = ['raw', 'raw']\nsource_column = 'which'",
        "inputs = ['one', 'one', 'raw.train']",
        "inputs = ['raw', 'extra']\nsource_column = 'which'",
    ],
    "convert-tags": ["inputs = 'words'", "inputs = 'words.train'\nsource = 'IOB2'"],
    "shuffle": ["", "splits = ['train']", "inputs = 'one'"],
    "deduplicate": [
        "",
        "columns = ['label']",
        "columns = ['source']\nsplits = ['test']\nacross_splits = true",
        "inputs = 'one'\ncolumns = ['text']",
    ],
    "statistics": [
        "",
        "text = ['text', 'source']\nlabel = 'label'",
        "inputs = 'one'\ntext = 'text'",
    ],
    "breakpoint": ["", "inputs = 'raw.test'"],
}
"""Op → settings that work; `inputs` is `raw` where it is not set."""

MORE = {
    "tokenize": 'tokenizer = "tiny"',
    "tokenize-words": 'tokenizer = "tiny"',
    "concat": "",
    "convert-tags": "target = 'BIOES'",
}
"""What every setting of an op needs."""

EXTRA = """
[nodes.extra]
use = "load-files"
valid = "train.csv"
[nodes.words]
use = "load-files"
train = "words.jsonl"
test = "words.jsonl"
"""


def node(op: str, settings: str, name: str = "n") -> str:
    inputs = "" if "inputs =" in settings else "inputs = 'raw'\n"
    return f"[nodes.{name}]\nuse = '{op}'\n{MORE.get(op, '')}\n{inputs}{settings}\n"


@pytest.mark.parametrize(("op", "settings"), [(op, s) for op, some in EXACT.items() for s in some])
def test_what_comes_out_is_foreseen(files, op, settings):
    """Splits and their columns in order, and nothing is called a mistake."""
    outcome = Outcome(files, BASE + EXTRA + node(op, settings))

    assert (outcome.foreseen, outcome.errors) == ([], {})
    assert {n: foreseen(known) for n, known in outcome.known.items()} == outcome.actual


MISTAKES = {
    "split": {
        "source = 'trian'\nsize = 1": "source",
        "size = 0": "size",
        "size = 1.0": "size",
        "sizes = { valid = 0.1, more = -1 }": "sizes.more",
        "target = 'test'\nsize = 1": "target",
        "sizes = { valid = 1, train = 1 }": "sizes.train",
        "size = 1\nstratify = 'source'": "stratify",
        "size = 1\nsource = 'all'\nstratify = 'lable'\ninputs = 'one'": "stratify",
        "size = 1\nsource = 'all'\ntarget = 'all'\ninputs = 'one'": "target",
    },
    "select": {
        "splits = ['train', 'tets']": "splits[1]",
        "splits = ['train']\ncolumns = ['source']": "columns[0]",
        "drop = ['txt']": "drop[0]",
        "first = -1": "first",
        "sample = { train = -1 }": "sample.train",
        "per_class = -1": "per_class",
        "first = { tets = 1 }": "first.tets",
        "sample = { tets = 1 }": "sample.tets",
        "splits = ['test']\nper_class = { train = 1 }": "per_class.train",
        "per_class = 1\nlabel = 'lable'": "label",
        "sample = 1\nstratified = true\nlabel = 'lable'": "label",
        "inputs = 'one'\nsplits = ['train']": "splits[0]",
    },
    "rename": {"columns = { txt = 'body' }": "columns.txt"},
    "filter": {
        "column = 'txt'\nnot_empty = true": "column",
        "column = 'source'\nnot_empty = true\nsplits = ['train']": "column",
        "column = 'text'\nnot_empty = true\nsplits = ['tets']": "splits[0]",
    },
    "map-labels": {"column = 'txt'\nlabels = ['n']": "column"},
    "convert-tags": {"": "column", "column = 'tgas'": "column"},
    "tokenize": {
        "text = 'source'": "text",
        "max_length = 0": "max_length",
        "text_pair = 'txt'": "text_pair",
        "keep = ['id', 'source']": "keep[1]",
    },
    "tokenize-words": {
        "inputs = 'words'\nwords = 'token'": "words",
        "inputs = 'words'\nkeep = ['tag']": "keep[0]",
        "inputs = 'words'\nmax_length = 0": "max_length",
        "inputs = 'words'\nstride = -1": "stride",
    },
    "shuffle": {
        "splits = ['tets']": "splits[0]",
        "splits = ['train']\ninputs = 'one'": "splits[0]",
    },
    "deduplicate": {"columns = ['txt']": "columns[0]", "splits = ['tets']": "splits[0]"},
    "statistics": {"text = ['text', 'txt']": "text[1]", "label = 'lable'": "label"},
    "concat": {"inputs = ['raw', 'raw.tets']": "inputs[1]"},
    "breakpoint": {
        "inputs = 'raw.tets'": "inputs",
        "inputs = 'one.train'": "inputs",
        "inputs = 'stats.txet'": "inputs",
    },
}
"""Op → settings that fail → the key at fault."""

MORE_NODES = node("rename", "columns = { text = 'body' }", "renamed") + node(
    "statistics", "", "stats"
)


@pytest.mark.parametrize(
    ("op", "settings", "key"),
    [(op, s, k) for op, some in MISTAKES.items() for s, k in some.items()],
)
def test_a_mistake_is_foreseen_where_the_op_finds_it(files, op, settings, key):
    """With the key that the op itself would blame."""
    outcome = Outcome(files, BASE + EXTRA + MORE_NODES + node(op, settings))

    assert outcome.foreseen == [f"nodes.n.{key}"]
    assert outcome.errors["n"].key == key.partition("[")[0].partition(".")[0]


OF_PREDICTIONS = set(
    "bleu bootstrap calibration chrf classification-report compare-predictions confident-errors "
    "confusion-matrix error-clusters export-rows load-predictions merge-predictions "
    "regression-report rouge slices temperature-scaling threshold-sweep top-rows worst-mistakes".split()
)
"""Ops over predictions, whose columns are known once there is a test."""


def test_every_marked_parameter_has_a_mistake_here():
    """So that none is marked and then not looked at."""
    catalog = Catalog()
    marked = {
        (op, name)
        for op in set(OPS) - OF_PREDICTIONS
        for name, parameter in catalog.find("op", op).signature.params.items()
        if has_mark(parameter.kind)
    }
    tried = {(op, key.partition("[")[0]) for op, some in MISTAKES.items() for key in some.values()}

    assert marked <= tried


def has_mark(kind: Kind) -> bool:
    return kind.name in NAMES.values() or any(has_mark(a) for a in kind.args if isinstance(a, Kind))


def test_every_op_has_a_rule():
    """One that is new is noticed here."""
    assert set(RULES) == set(OPS) - OF_PREDICTIONS
    assert {name for name in RULES if not name.startswith("load-")} == set(EXACT)


WORDS = {
    "column": ["id", "text", "label", "source", "body", "class", "input_ids", "truncated"],
    "split": ["train", "test", "valid", "dev"],
}


def some_settings(op: str, pick: random.Random) -> str:
    """Parameters that may or may not go with the data."""
    column = lambda: pick.choice(WORDS["column"])  # noqa: E731
    split = lambda: pick.choice(WORDS["split"])  # noqa: E731
    some = lambda of: [of() for _ in range(pick.randint(1, 2))]  # noqa: E731
    maybe = lambda text: text if pick.random() < 0.4 else ""  # noqa: E731
    match op:
        case "split":
            stratify = maybe(f"stratify = '{column()}'\n")
            return f"size = 1\nsource = '{split()}'\ntarget = '{split()}'\n{stratify}"
        case "select":
            return (
                maybe(f"splits = {some(split)}\n")
                + maybe(f"columns = {some(column)}\n")
                + maybe(f"drop = {some(column)}\n")
                + pick.choice(["", f"first = {{ {split()} = 1 }}\n", "per_class = 1\n"])
                + maybe(f"label = '{column()}'\n")
            )
        case "rename":
            return f"columns = {{ {column()} = '{column()}' }}"
        case "filter":
            splits = maybe(f"splits = {some(split)}")
            return f"column = '{column()}'\nnot_empty = true\n{splits}"
        case "map-labels":
            mapping = ", ".join(f"{label} = '{label}'" for label in "np")
            target = maybe(f"target = '{column()}'")
            return f"column = '{column()}'\nmapping = {{ {mapping} }}\n{target}"
        case "tokenize":
            return f"text = '{column()}'\n" + maybe(f"keep = {some(column)}")
        case "deduplicate":
            return maybe(f"columns = {some(column)}\n") + maybe(f"splits = {some(split)}")
        case "statistics":
            return maybe(f"text = '{column()}'\n") + maybe(f"label = '{column()}'")
        case "shuffle":
            return maybe(f"splits = {some(split)}")
        case "concat":
            return maybe(f"source_column = '{column()}'")
    return ""


def some_recipe(pick: random.Random) -> str:
    nodes, text = ["raw", "one"], BASE + EXTRA
    for number in range(6):
        op = pick.choice(sorted(EXACT))
        count = 2 if op == "concat" else 1
        entry = lambda: pick.choice(["", "", "", f".{pick.choice(WORDS['split'])}"])  # noqa: E731
        inputs = [pick.choice(nodes) + entry() for _ in range(count)]
        settings = f"inputs = {inputs}\n{some_settings(op, pick)}"
        text += node(op, settings, f"n{number}")
        nodes.append(f"n{number}")
    return text


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_works_is_called_a_mistake(files, seed):
    """In graphs put together at random, of names that often are not there."""
    outcome = Outcome(files, some_recipe(random.Random(seed)))

    blamed = {key.split(".")[1] for key in outcome.foreseen}
    assert not blamed & set(outcome.values)
    for name, actual in outcome.actual.items():
        known = outcome.known[name]
        if known.tables is not None:
            assert set(known.tables) == set(actual)
            for split, columns in known.tables.items():
                assert columns is None or set(columns) >= set(actual[split])


def write_bytes(files, name: str, content: bytes) -> None:
    opened = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    pack = opened.get(Path(name).suffix, bytes)
    path = files.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pack(content))


HEADERS = [
    ("a.csv", b"a,b\n1,2\n", "", ["a", "b"]),
    ("a.csv", b"\xef\xbb\xbfa ,\"b\nc\",\n1,2,3\n", "", ["a", "b\nc", "column_3"]),
    ("a.csv", b"a,b\r\n1,2\r\n", "", ["a", "b"]),
    ("a.csv.gz", b"a,b\n1,2\n", "", ["a", "b"]),
    ("a.csv.bz2", b"a,b\n1,2\n", "", ["a", "b"]),
    ("a.csv.xz", b"a,b\n1,2\n", "", ["a", "b"]),
    ("a.csv", b"a;b\n1;2\n", "delimiter = ';'", ["a", "b"]),
    ("a.csv", "ä,b\n1,2\n".encode("cp1252"), "encoding = 'cp1252'", ["ä", "b"]),
    ("a.csv", "a,b\n1,2\n".encode("utf-16"), "encoding = 'utf-16'", ["a", "b"]),
    ("a.csv", b"a", "", ["a"]),
    ("a.csv", b"1,2\n3,4\n", "header = false", ["column_1", "column_2"]),
    ("a.csv", b"1,2\n3,4\n", "header = false\ncolumns = ['x', 'y']", ["x", "y"]),
    ("a.csv", b"a,b\n1,2\n", "columns = ['b']\nfile_column = 'file'", ["b", "file"]),
    ("a.csv", b"\"a,b\"\n1\n", "", ["a,b"]),
    ("a.csv", b"\"a,b\"\n1,2\n", "quoting = false", ['"a', 'b"']),
    ("a.tsv", b"\"a\tb\r\n1\t2\r\n", "", ['"a', "b"]),
    ("a.txt", b"a\tb\n1\t2\n", "", ["a", "b"]),
    ("a.dat", b"a,b\n1,2\n", "format = 'csv'", ["a", "b"]),
    ("a.csv", b"x" * 5000 + b",b\n1,2\n", "", ["x" * 5000, "b"]),
    ("a.jsonl", b'{"a": 1}\n\n{"b": null}\n', "", ["a", "b"]),
    ("a.json", b'[{"a": 1},\n {"b": 2}]', "", ["a", "b"]),
    ("a.json", b'{"version": 1,\n "data": [{"a": 1}]}', "", ["a"]),
    ("a.json", b'{"a": 1}\n{"a": 2, "c": 3}\n', "", ["a", "c"]),
    ("a.jsonl", b'[{"a": 1}]', "columns = ['a']", ["a"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "settings", "columns"), HEADERS)
def test_columns_of_files_are_foreseen(files, name, content, settings, columns):
    """From the header of CSV and TSV, and from all rows of small JSON files."""
    write_bytes(files, name, content)

    outcome = Outcome(files, f"name='x'\n[nodes.n]\nuse='load-files'\ntrain='{name}'\n{settings}\n")

    assert outcome.errors == {}
    assert outcome.actual == {"n": {"train": columns}}
    assert foreseen(outcome.known["n"]) == {"train": columns}


REFUSED = [
    ("a.csv", b"", ""),
    ("a.csv", b"\"a,b\n1,2\n", ""),
    ("a.csv", b"a,a\n1,2\n", ""),
    ("a.csv", b"\xff\xfe,b\n", ""),
    ("a.csv", b"a,b\n", "encoding = 'none such'"),
    ("a.csv", b"a,b\n", "delimiter = ';;'"),
    ("a.csv.gz", b"", ""),
    ("a.dat", b"a,b\n", ""),
    ("a.jsonl", b'{"a": 1}\n[2]\n', ""),
    ("a.jsonl", b'{"a": 1\n', ""),
    ("a.json", b"[" * 100_000, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "settings"), REFUSED)
def test_of_files_that_cannot_be_read_nothing_is_said(files, name, content, settings):
    """The op itself says what is wrong with them."""
    write_bytes(files, name, content)
    if name.endswith(".gz"):
        (files.folder / name).write_bytes(b"no gzip")

    (files.folder / "recipe.toml").write_text(
        f"name='x'\n[nodes.n]\nuse='load-files'\ntrain='{name}'\n{settings}\n"
        "[nodes.m]\nuse='rename'\ninputs='n'\ncolumns={ zzz = 'y' }\n"
    )

    request = files.request()
    known = foresee.known(request.tree, request.catalog, request.loaded.base)
    assert known["n"].tables == {"train": None}


def test_columns_of_several_files(files):
    """A folder, a pattern, several splits; JSON files of one split may differ."""
    write_bytes(files, "folder/a.csv", b"a,b\n1,2\n")
    write_bytes(files, "folder/b.csv", b"b,a\n1,2\n")
    write_bytes(files, "folder/readme.md", b"# c\n")
    write_bytes(files, "mixed/a.csv", b"a,b\n1,2\n")
    write_bytes(files, "mixed/b.jsonl", b'{"a": 1, "c": 2}\n')
    write_bytes(files, "more/1.jsonl", b'{"a": 1}\n')
    write_bytes(files, "more/2.jsonl", b'{"c": 1}\n')
    recipe = """
        name = "x"
        [nodes.n]
        use = "load-files"
        train = "folder"
        valid = "folder/*.csv"
        test = "more/*.jsonl"
        columns = ["c", "a"]
        types = { a = "string" }
        files = { other = ["folder/b.csv", "folder/a.csv"], mixed = "mixed" }
    """

    outcome = Outcome(files, recipe)

    assert foreseen(outcome.known["n"]) == outcome.actual["n"]
    assert outcome.actual["n"]["test"] == outcome.actual["n"]["mixed"] == ["c", "a"]


def test_wrong_names_of_a_files_columns_are_found(files):
    """Before a single row is read."""
    nodes = """
        [nodes.a]
        use = "load-files"
        train = "train.csv"
        columns = ["text", "lable"]
        [nodes.b]
        use = "load-files"
        train = "train.csv"
        columns = ["text"]
        types = { id = "string" }
    """

    outcome = Outcome(files, f'name = "x"\n{nodes}')

    assert outcome.foreseen == ["nodes.a.columns[1]", "nodes.b.types.id"]
    assert {name: error.key for name, error in outcome.errors.items()} == {
        "a": "columns", "b": "types",
    }  # fmt: skip


def test_of_what_is_not_read_the_columns_asked_for_are_all_there_are(files):
    """Parquet, and JSON that is not read to its end."""
    rows = DatasetDict({"train": Dataset.from_dict({"a": [1], "b": [2]})})
    rows["train"].to_parquet(files.folder / "a.parquet")
    line = b'{"a": "%s"}\n' % (b"x" * 54)  # 64 bytes: what is read first ends with a whole line
    write_bytes(files, "big.jsonl", line * 8000 + b'{"c": 1}\n')
    recipe = """
        name = "x"
        [nodes.all]
        use = "load-files"
        train = "a.parquet"
        test = "big.jsonl"
        [nodes.some]
        use = "load-files"
        train = "a.parquet"
        test = "big.jsonl"
        columns = ["c", "a"]
    """

    outcome = Outcome(files, recipe)

    assert foreseen(outcome.known["all"]) == {"train": None, "test": None}
    assert foreseen(outcome.known["some"]) == {"train": ["c", "a"], "test": ["c", "a"]}
    assert outcome.actual["some"] == {"train": ["a"], "test": ["c", "a"]}


@pytest.mark.parametrize(
    ("path", "settings", "expected"),
    [
        ("many", "", {"train": ["a", "b"], "test": ["a"]}),
        ("many", "columns = ['b', 'a']", {"train": ["b", "a"], "test": ["a"]}),
        ("many", "split = 'test'", {"test": ["a"]}),
        ("single", "", {"train": ["a", "b"]}),
        ("single", "columns = ['b']\nlimit = 1", {"train": ["b"]}),
    ],
)
def test_a_saved_data_set_is_foreseen(files, path, settings, expected):
    """From the small files that `save_to_disk` writes beside the rows."""
    data = DatasetDict(
        {
            "train": Dataset.from_dict({"a": [1], "b": ["x"]}),
            "test": Dataset.from_dict({"a": [1]}),
        }
    )
    data.save_to_disk(files.folder / "many")
    data["train"].save_to_disk(files.folder / "single")

    outcome = Outcome(files, f"name='x'\n[nodes.n]\nuse='load-dataset'\npath='{path}'\n{settings}")

    assert foreseen(outcome.known["n"]) == outcome.actual["n"] == expected


@pytest.mark.parametrize(
    ("settings", "key"), [("split = 'tset'", "split"), ("columns = ['a', 'c']", "columns[1]")]
)
def test_wrong_names_in_a_saved_data_set_are_found(files, settings, key):
    """As the op would find them."""
    DatasetDict({"test": Dataset.from_dict({"a": [1]})}).save_to_disk(files.folder / "many")

    outcome = Outcome(files, f"name='x'\n[nodes.n]\nuse='load-dataset'\npath='many'\n{settings}")

    assert outcome.foreseen == [f"nodes.n.{key}"]
    assert outcome.errors["n"].key == key.partition("[")[0]


def test_of_a_folder_of_files_only_what_is_asked_for_is_foreseen(files):
    """Which splits `datasets` sees in names of files is its own business."""
    write_bytes(files, "hub/train.csv", b"a,b\n1,2\n")
    recipe = """
        name = "x"
        [nodes.all]
        use = "load-dataset"
        path = "hub"
        [nodes.some]
        use = "load-dataset"
        path = "hub"
        split = "train"
        columns = ["b"]
    """

    outcome = Outcome(files, recipe)

    assert foreseen(outcome.known["all"]) is None
    assert foreseen(outcome.known["some"]) == outcome.actual["some"] == {"train": ["b"]}


def test_pairs_may_have_token_types(files):
    """That depends on the tokenizer, which is not loaded."""
    outcome = Outcome(files, BASE + node("tokenize", "text_pair = 'label'\nkeep = []"))

    columns = set(outcome.known["n"].tables["train"])
    assert columns == {"input_ids", "token_type_ids", "truncated"}
    assert columns >= set(outcome.actual["n"]["train"])


def test_after_an_unknown_op_only_what_is_asked_for_is_known(files):
    """What is kept and added is known, whatever was there."""
    files.write(
        "ops.py", "import mlrecipe\n\n@mlrecipe.op('own')\ndef own(data):\n    return data\n"
    )
    own = "[nodes.mine]\nuse = 'own'\ninputs = 'raw'\n"
    tokens = node("tokenize", "inputs = 'mine'\nkeep = ['label']", "tokens")
    some = node("select", "inputs = 'tokens'\nsplits = ['train']\ndrop = ['truncated']", "some")
    (files.folder / "recipe.toml").write_text(
        BASE.replace("[nodes", 'plugins = ["ops.py"]\n[nodes', 1) + own + tokens + some
    )

    request = files.request()
    known = foresee.known(request.tree, request.catalog, request.loaded.base)

    assert (known["mine"].tables, known["mine"].columns) == (None, None)
    assert known["tokens"].columns == ("label", "input_ids", "token_type_ids", "truncated")
    assert known["some"].tables == {"train": ("label", "input_ids", "token_type_ids")}


def test_nothing_is_known_of_what_cannot_be_put_together(files):
    """Data with splits and data without: the op itself says so."""
    outcome = Outcome(files, BASE + node("concat", "inputs = ['raw', 'one']"))

    assert foreseen(outcome.known["n"]) is None
    assert set(outcome.errors) == {"n"}


def test_endings_are_those_of_load_files():
    """The layer below has its own copy of the two tables."""
    assert (headers.FORMATS, headers.COMPRESSED) == (_files.FORMATS, _files.COMPRESSED)


def test_json_is_read_within_bounds(files):
    """However many files a recipe names, and a file once."""
    line = json.dumps({"a": "x" * 200_000})
    for number in range(30):
        (files.folder / f"{number}.jsonl").write_text(line)
    found = headers.Headers()
    paths = [str(files.folder / f"{number}.jsonl") for number in range(30)]

    columns = [found.of_files([path], headers.Layout()) for path in paths]

    assert columns[0] == ("a",)
    assert columns[-1] is None
    assert found.of_files([paths[0]], headers.Layout()) == ("a",)
