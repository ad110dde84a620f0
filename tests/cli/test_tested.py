"""Which train run `test` takes, on run directories without any model."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlrecipe.cli import tested
from mlrecipe.cli.session import Session
from mlrecipe.errors import RecipeError, RequestError
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run

RECIPE = """
name = "exam"
pick = { task = "rte" }
[variant.task.rte]
seed = 1
[variant.task.cola]
seed = 2
[variant.size.small]
limit = 10
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Of a recipe with variants, in a project of its own."""
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "exam.toml").write_text(RECIPE)
    return Session(tmp_path / "exam.toml", here=tmp_path)


def trained(session: Session, *picks: str, status: running.Status = "finished") -> Run:
    """A train run as a command line with these picks leaves it."""
    run = running.create(session.project, name="exam", stage="train", recipe="exam.toml")
    run.write("command.json", {"overrides": [f"--pick {pick}" for pick in picks]})
    return run.finish(status)


def test_a_pick_chooses_among_the_trainings(session: Session) -> None:
    """Whatever was trained since; what the recipe itself picks counts where the command line did not."""
    rte = trained(session)
    cola = trained(session, "task=cola")
    small = trained(session, "task=cola", "size=small")
    trained(session, "task=rte", status="failed")

    def chosen(*picks: str) -> str:
        return tested.choose(session, None, picks).id

    assert chosen() in (rte.id, cola.id, small.id)
    assert chosen("task=rte") == rte.id
    assert chosen("task=cola", "size=small") == chosen("size=small") == small.id
    assert chosen("task=cola") in (cola.id, small.id)


def test_a_pick_that_was_never_trained_is_said(session: Session) -> None:
    """With the command that trains it."""
    trained(session)

    with pytest.raises(RequestError, match="no finished train run with --pick task=cola") as caught:
        tested.choose(session, None, ["task=cola"])
    assert caught.value.hint == "train it first: mlrecipe train exam.toml --pick task=cola"


def test_a_pick_that_is_not_there_is_said(session: Session) -> None:
    """As everywhere, with the options that are."""
    trained(session)

    with pytest.raises(RecipeError, match="has no option 'col'"):
        tested.choose(session, None, ["task=col"])


def test_a_run_and_a_pick_do_not_go_together(session: Session) -> None:
    """Each would choose the run."""
    run = trained(session)

    with pytest.raises(RequestError, match="--run names the run"):
        tested.choose(session, run.id, ["task=rte"])
