"""What `check` knows of `load-glue` before anything is run, against what the op then does."""

from __future__ import annotations

import json

import pytest

from mlrecipe import glue
from mlrecipe.cli.app import run as command
from tests import glue as small
from tests.builtin.ops.test_foreseen import Outcome, foreseen
from tests.projects import work

__all__ = ["work"]

pytestmark = pytest.mark.heavy


@pytest.fixture
def root(work, monkeypatch):
    """A project with all of GLUE in a few rows."""
    monkeypatch.chdir(work.folder)
    return small.write(work.folder / "data")


def node(task: str, settings: str = "") -> str:
    return f"[nodes.n]\nuse = 'load-glue'\ntask = '{task}'\npath = 'data'\n{settings}\n"


@pytest.mark.parametrize("task", glue.TASKS)
def test_splits_and_columns_are_foreseen(work, root, task):
    """Of every task, in their order."""
    outcome = Outcome(work, f"name = 'x'\n{node(task)}")

    assert (outcome.foreseen, outcome.errors) == ([], {})
    assert foreseen(outcome.known["n"]) == outcome.actual["n"]


def test_only_the_splits_asked_for_are_foreseen(work, root):
    """In the order in which they are asked for; the others' files need not be there."""
    (root / "MNLI/train.tsv").unlink()

    settings = "splits = ['test_matched', 'validation_matched']"
    outcome = Outcome(work, f"name = 'x'\n{node('mnli', settings)}")

    assert (outcome.foreseen, outcome.errors) == ([], {})
    assert foreseen(outcome.known["n"]) == outcome.actual["n"]
    assert list(outcome.actual["n"]) == ["test_matched", "validation_matched"]


@pytest.mark.parametrize(
    ("task", "settings", "key"),
    [
        ("rte", "splits = ['train', 'valid']", "splits[1]"),
        ("mnli", "splits = ['validation']", "splits[0]"),
        ("qqp", "", "path"),
        ("qnli", "", "path"),
    ],
)
def test_a_mistake_is_foreseen_where_the_op_finds_it(work, root, task, settings, key):
    """A split that the task does not have, a file that is not there."""
    (root / "QNLI/train.tsv").unlink()
    for path in (root / "QQP").iterdir():
        path.unlink()

    outcome = Outcome(work, f"name = 'x'\n{node(task, settings)}")

    assert outcome.foreseen == [f"nodes.n.{key}"]
    assert outcome.errors["n"].key == key.partition("[")[0]


def test_of_the_hub_splits_and_columns_are_foreseen_too(work):
    """Without asking it."""
    recipe = "name='x'\n[nodes.n]\nuse='load-glue'\ntask='rte'\npath='nyu-mll/glue'\n"
    (work.folder / "recipe.toml").write_text(
        recipe + "[nodes.t]\nuse='tokenize'\ninputs='n'\ntokenizer='some/one'\ntext='premise'\n"
    )

    with pytest.raises(Exception, match="no column 'premise' in split 'train' of node 'n'"):
        work.request()


def test_files_of_a_variant_that_is_not_picked_need_not_be_here(work, root, capsys):
    """Who has one task's files is not told of all others; who picks them is."""
    (root / "QNLI/train.tsv").unlink()
    (work.folder / "recipe.toml").write_text(
        f"name = 'x'\npick = {{ task = 'rte' }}\n{node('rte')}"
        "[variant.task.rte.nodes.n]\ntask = 'rte'\n[variant.task.qnli.nodes.n]\ntask = 'qnli'\n"
    )

    assert command(["check", "recipe.toml"]) == 0
    capsys.readouterr()

    assert command(["check", "recipe.toml", "--pick", "task=qnli", "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["key"] == "nodes.n.path"
    assert "no file of split 'train' of task 'qnli'" in problem["message"]
    assert set(problem) == {"message", "key", "file", "line", "column"}
