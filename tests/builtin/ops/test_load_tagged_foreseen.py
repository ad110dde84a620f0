"""What `check` knows of loaders of words with tags before anything is run, against what they then do."""

from __future__ import annotations

import json

import pytest

from mlrecipe.errors import RecipeError
from tests.builtin.ops.test_foreseen import Outcome, foreseen
from tests.projects import work

__all__ = ["work"]

pytestmark = pytest.mark.heavy

ROW = {"tokens": ["a"], "tags": ["O"], "id": 1}


@pytest.fixture
def files(work, monkeypatch):
    """A project with a file of each layout."""
    monkeypatch.chdir(work.folder)
    for name, text in {
        "a.conll": "a x O\n", "nbsp.conll": "-DOCSTART- O\n\n10\u00a0000 O\n",
        "a.conllu": "1\ta" + "\t_" * 8 + "\n", "a.txt": "<t> a </t>\n",
        "a.jsonl": json.dumps(ROW) + "\n", "a.csv": "text,tags,id\na,O,1\n",
        "slots/train/seq.in": "a\n", "slots/train/seq.out": "O\n", "slots/train/label": "x\n",
    }.items():  # fmt: skip
        work.write(name, text)
    for name in ("seq.in", "seq.out", "label"):
        work.write(f"slots/dev/{name}", "a\n")
    return work


def recipe(op: str, settings: str) -> str:
    return f"name = 'x'\n[nodes.n]\nuse = '{op}'\n{settings}\n"


@pytest.mark.parametrize(
    ("op", "settings"),
    [
        ("load-conll", "train = 'a.conll'"),
        ("load-conll", "test = 'a.conll'\ncolumns = ['tokens', 'pos', 'tags']"),
        ("load-conll", "train = 'nbsp.conll'\ncolumns = ['tokens', 'tags']"),
        ("load-conll", "train = 'a.conllu'\ncolumns = { tokens = 2, tags = -5 }"),
        ("load-conll", "test = 'a.conll'\ncolumns = {tags = 3, tokens = 1}\ndocuments = 'column'"),
        ("load-conll", "train = 'a.conllu'\ncolumns = ['lemma', 'tokens', 'xpos']"),
        ("load-conll", "files = { more = ['a.conll'] }\nto = 'IOB2'\nscheme = 'IOB2'"),
        ("load-tagged", "train = 'a.txt'\nvalid = '*.txt'"),
        ("load-tokens", "train = 'a.jsonl'\ntest = 'a.jsonl'"),
        ("load-tokens", "train = 'a.jsonl'\ncolumns = []"),
        ("load-tokens", "train = 'a.csv'\ntokens = 'text'\ntags = 'tags'"),
        ("load-tokens", "train = 'a.csv'\ntokens = 'text'\ncolumns = ['id']"),
        ("load-slots", "path = 'slots'"),
        ("load-slots", "train = 'slots/train'\ntest = 'slots/dev'"),
    ],
)
def test_splits_and_columns_are_foreseen(files, op, settings):
    """In their order, and nothing is called a mistake."""
    outcome = Outcome(files, recipe(op, settings))

    assert (outcome.foreseen, outcome.errors) == ([], {})
    assert foreseen(outcome.known["n"]) == outcome.actual["n"]


@pytest.mark.parametrize(
    ("op", "settings", "key"),
    [
        ("load-conll", "train = 'a.conll'\nscheme = 'IOB2'", "scheme"),
        ("load-conll", "train = 'a.conll'\ncolumns = ['words', 'tags']", "columns"),
        ("load-conll", "train = 'a.conll'\ncolumns = { tokens = 0, tags = 1 }", "columns"),
        (
            "load-conll",
            "train = 'a.conllu'\nformat = 'conllu'\ncolumns = ['tokens', 'x']",
            "columns",
        ),
        ("load-conll", "train = 'a.conllu'\ncolumns = { tokens = 'from' }", "columns"),
        ("load-conll", "train = 'a.jsonl'", "train"),
        ("load-tagged", "test = ['a.txt', 'a.csv']", "test"),
        ("load-tokens", "train = 'a.csv'\ntokens = 'txt'", "tokens"),
        ("load-tokens", "train = 'a.jsonl'\ntags = 'tag'", "tags"),
        ("load-tokens", "train = 'a.jsonl'\ncolumns = ['di']", "columns[0]"),
        ("load-conll", "train = 'a.conll'\ncolumns = { tokens = 1, tags = 4 }", "columns"),
        ("load-conll", "train = 'a.conll'\ncolumns = { tokens = 3, tags = -1 }", "columns"),
        ("load-conll", "train = 'a.conll'\ncolumns = ['tokens', 'tags']", "train"),
        ("load-conll", "train = 'a.conll'\nseparator = ''\ncolumns = ['tokens']", "separator"),
        ("load-conll", "train = 'a.conll'\nseparator = \"\\t\"", "separator"),
        ("load-slots", "path = 'slots'\nscheme = 'IOB2'", "scheme"),
        ("load-slots", "path = 'slots/train'", "path"),
    ],
)
def test_a_mistake_is_foreseen_where_the_op_finds_it(files, op, settings, key):
    """With the key that the op itself would blame."""
    outcome = Outcome(files, recipe(op, settings))

    assert outcome.foreseen == [f"nodes.n.{key}"]
    assert outcome.errors["n"].key == key.partition("[")[0]


@pytest.mark.parametrize(
    "op", ["load-conll", "load-tagged", "load-tokens", "load-slots", "load-files"]
)
def test_a_loader_without_files_is_foreseen(files, op):
    """As the op would have it: another op was named, and none of its files."""
    outcome = Outcome(files, recipe(op, ""))

    assert outcome.foreseen == ["nodes.n.use"]
    assert "is named" in outcome.errors["n"].message


def test_no_rows_at_all_are_refused(files):
    """As by the recipe's own limit: a limit of a node is at least 1."""
    with pytest.raises(RecipeError, match=r"nodes\.n\.limit: expected at least 1, got 0"):
        Outcome(files, recipe("load-conll", "train = 'a.conll'\nlimit = 0"))
