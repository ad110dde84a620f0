"""`mlrecipe report` of several runs: what differs, and whether it is more than chance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects import Done, Work
from tests.report import left
from tests.report.outside import Page

Cli = Callable[..., Done]


@pytest.fixture
def pair(work: Work, cli: Cli) -> Path:
    """A training with a poor test, another of a higher rate with a good one, on the same rows."""
    for number, (lr, skill) in enumerate((("0.001", 0.3), ("0.01", 3.0)), start=1):
        recipe = left.RECIPE.replace("0.001", lr)
        left.leave_training(work.folder, f"t-000{number}", recipe=recipe)
        table = left.one_label(400, skill=skill, noise=number)
        left.leave_test(
            work.folder, f"s-00a{number}", table, parent=f"t-000{number}", recipe=recipe
        )
    return work.folder


def test_two_runs_are_compared(pair: Path, cli: Cli):
    """The keys that differ, metrics side by side, the paired test and its verdict, both curves."""
    done = cli("report", "00a1", "00a2")

    path = pair / "runs" / "report-s-00a1-s-00a2.html"
    found = Page(path.read_text(encoding="utf-8"))
    assert (done.code, found.problems) == (0, [])
    assert "b is better than a: accuracy" in done.out
    assert "runs/report-s-00a1-s-00a2.html" in done.out.splitlines()[-1]
    for text in ("train.optimizer.lr", "0.001", "0.01", "s-00a1", "McNemar", "b less a", "train/loss",
                 "b is better than a"):  # fmt: skip
        assert text in found.text, text


def test_the_page_of_runs_without_names_of_their_own_is_called_by_their_letters(
    work: Work, cli: Cli
):
    """Else by their whole names."""
    names = [f"2026112{i}T160313Z-small-test-ee0{i}" for i in range(3)]
    for name in names:
        left.leave_test(work.folder, name, left.one_label(20))

    cli("report", *names[:2])
    cli("report", *(name for name in names for _ in (0, 1)))

    found = sorted(path.name for path in (work.folder / "runs").glob("*.html"))
    assert found == ["report-ee00-ee01-ee02.html", "report-ee00-ee01.html"]


def test_trainings_stand_for_their_tests_and_a_group_for_its_trainings(pair: Path, cli: Cli):
    """Whatever is named, each training with its test is there once."""
    group = pair / "runs" / "g-0009"
    group.mkdir()
    facts = {"id": "g-0009", "stage": "repeat", "status": "finished", "recipe": "small.toml"}
    (group / "run.json").write_text(json.dumps(facts))
    runs = [{"run": "t-0001", "seed": 1}, {"run": "t-0002", "seed": 2}]
    (group / "repeat.json").write_text(json.dumps({"runs": runs}))

    named = json.loads(cli("report", "t-0001", "s-00a1", "t-0002", "--json").out)
    grouped = json.loads(cli("report", "g-0009", "--json").out)

    for found in (named, grouped):
        runs = [about["runs"][-1]["run"] for about in found["runs"]]
        assert (runs, found["names"]) == (["s-00a1", "s-00a2"], ["a", "b"])


def test_runs_that_cannot_be_compared_row_by_row_say_why(pair: Path, cli: Cli):
    """Their metrics stand side by side."""
    left.leave_test(pair, "s-00a3", left.one_label(50, seed=9))

    done = cli("report", "00a1", "00a3")

    found = Page((pair / "runs" / "report-s-00a1-s-00a3.html").read_text(encoding="utf-8"))
    assert done.code == 0
    assert "warning: a and b cannot be compared: " in done.err
    assert "a and b cannot be compared" in found.text
    assert "cannot be compared row by row" in found.text


def test_three_runs_are_corrected_for_their_pairs(pair: Path, cli: Cli):
    """Each is compared with the first; p-values are those of Holm."""
    left.leave_test(pair, "s-00a3", left.one_label(400, skill=0.5, noise=7))

    (split,) = json.loads(cli("report", "00a1", "00a2", "00a3", "--json").out)["splits"]

    pairs = {(one["first"], one["second"]) for one in split["comparisons"]}
    assert pairs == {("a", "b"), ("a", "c")}
    assert all(one["p_adjusted"] >= one["p_value"] for one in split["comparisons"])
    assert any(one["p_adjusted"] > one["p_value"] for one in split["comparisons"])


def test_a_perfect_run_stands_beside_another(pair: Path, cli: Cli):
    """Where no bounds are known the metrics and the comparison are shown all the same."""
    left.leave_test(pair, "s-00a3", left.one_label(400, skill=50.0, noise=3))

    done = cli("report", "00a1", "00a3")

    found = Page((pair / "runs" / "report-s-00a1-s-00a3.html").read_text(encoding="utf-8"))
    assert done.code == 0
    assert "another layout" not in found.text
    for text in ("all resamples agree", "McNemar", "b less a"):
        assert text in found.text, text
