"""Predictions that are not what the test wrote."""

from __future__ import annotations

import pytest

from mlrecipe.runs import manifest, predictions
from mlrecipe.runs.run import Run
from tests.evaluations import Judged, read, write


@pytest.fixture
def work(tmp_path):
    """A small project whose recipe has an evaluation node."""
    return Judged(tmp_path / "project")


def told(run: Run) -> Run:
    """The run, with the digests of its predictions, as a test leaves them."""
    metrics = read(run, "metrics.json")
    files = {path.stem: path for path in predictions.files(run).values()}
    manifest.conclude(run, metrics=metrics, outputs=files)
    return run


def test_evaluate_refuses_predictions_that_were_changed(work, cli):
    """Which file, and what to do; nothing is written, and as the test wrote them they are taken."""
    run = told(work.tested(name="one"))
    write(run.folder / "predictions.arrow", (1, 1, 1, 1), "test")

    done = cli("evaluate", "recipe.toml")

    assert done.code == 2
    assert "runs/one-test/predictions.arrow was changed since the test wrote it" in done.err
    assert "mlrecipe test recipe.toml --run one" in done.err
    assert not (run.folder / "evaluation.json").exists()
    write(run.folder / "predictions.arrow", (1, 1, 0, 1), "test")
    assert cli("evaluate", "recipe.toml").code == 0


def test_a_run_whose_predictions_were_changed_is_no_input(work, cli):
    """An evaluation node that takes `run:ID` of it is refused, at its place in the recipe."""
    told(work.tested(name="new"))
    old = told(work.tested(name="old"))
    write(old.folder / "predictions.arrow", (0, 0, 0, 0), "test")
    work.add('[evaluate.nodes.gap]\nuse = "difference"\ninputs = ["run:old-test", "predictions"]\n')

    done = cli("evaluate", "recipe.toml", "--run", "new")

    assert done.code == 2
    assert "runs/old-test/predictions.arrow was changed since the test wrote it" in done.err
    assert "evaluate.nodes.gap.inputs" in done.err


def test_compare_refuses_predictions_that_were_changed(work, cli):
    """The comparison ends before anything is computed, whichever of the runs it is."""
    told(work.tested(name="a"))
    b = told(work.tested(name="b", right=(1, 0, 0, 1)))
    write(b.folder / "predictions.arrow", (1, 1, 1, 1), "test")

    done = cli("runs", "compare", "a", "b")

    assert (done.code, done.out) == (2, "")
    assert "runs/b-test/predictions.arrow was changed since the test wrote it" in done.err


@pytest.mark.parametrize("names", [("b",), ("a", "b")])
def test_a_report_says_that_predictions_were_changed(work, cli, names):
    """At the top of the page and on the terminal, of one run and of several."""
    told(work.tested(name="a"))
    b = told(work.tested(name="b", right=(1, 0, 0, 1)))
    write(b.folder / "predictions.arrow", (1, 1, 1, 1), "test")

    done = cli("report", *names, "--output", "page.html")

    said = "predictions.arrow was changed since the test wrote it"
    assert done.code == 0
    assert said in done.err
    assert said in (work.folder / "page.html").read_text()
