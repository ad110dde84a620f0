"""The tables of a test's report, in the lines that are left."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from mlrecipe.cli import closing, render, reported
from mlrecipe.cli.app import app
from mlrecipe.cli.session import Session
from mlrecipe.runs.run import Run


def one_label(labels: int, *, rows: int = 10) -> dict[str, Any]:
    """A report of which the first label is told worst."""
    names = [f"label-{i}" for i in range(labels)]
    rates = [
        {"precision": (i + 1) / labels, "recall": (i + 1) / labels, "f1": (i + 1) / labels}
        for i in range(labels)
    ]
    mean = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    return {
        "kind": "single_label_classification", "rows": rows * labels, "labelled": rows * labels,
        "classes": {n: {**r, "rows": rows} for n, r in zip(names, rates, strict=True)},
        "macro": mean, "weighted": mean, "calibration": {"error": 0.0312, "bins": []},
        "confusion": {name: {name: rows - 1, names[0]: 1} for name in names},
    }  # fmt: skip


NUMBERS = {
    "kind": "regression", "rows": 1500, "labelled": 1500, "pearson": 0.89, "spearman": 0.885,
    "mean_squared_error": 0.5, "mean_absolute_error": 0.25, "r2": None,
}  # fmt: skip


def shown(
    folder: Path, splits: Mapping[str, Any], capsys: pytest.CaptureFixture[str], *, lines: int
) -> list[str]:
    """What is printed of a report."""
    (folder / "report.json").write_text(json.dumps({"splits": splits}))
    reported.show(Run(folder=folder, facts={}), lines=lines)
    return capsys.readouterr().out.splitlines()


def test_each_class_has_a_line_and_what_it_is_taken_for(tmp_path, capsys):
    """Rates, rows and the confusion matrix in one table; then the means and the calibration."""
    printed = shown(tmp_path, {"test": one_label(3)}, capsys, lines=20)

    assert printed[1].split() == [
        "label", "precision", "recall", "f1", "rows", "→", "label-0", "→", "label-1", "→", "label-2",
    ]  # fmt: skip
    assert printed[3].split() == ["label-1", *["0.6667"] * 3, "10", "1", "9", "0"]
    assert [line.split()[0] for line in printed[5:7]] == ["macro", "weighted"]
    assert printed[7] == "  calibration error 0.0312: confidence against accuracy in 15 bins"
    assert len(printed) == 8


def test_names_that_are_too_wide_give_way_to_numbers(tmp_path, capsys, monkeypatch):
    """Each row is numbered as its column is; where that is too wide too there is no matrix."""
    monkeypatch.setenv("COLUMNS", "100")

    twelve = shown(tmp_path, {"test": one_label(9)}, capsys, lines=30)
    twenty = shown(tmp_path, {"test": one_label(20)}, capsys, lines=30)

    assert twelve[1].split()[5:9] == ["→", "1", "→", "2"]
    assert twelve[2].split()[:2] == ["1", "label-0"]
    assert "→" not in twenty[1]
    assert len(twenty) == 2 + 20 + 2 + 1


@pytest.mark.parametrize("lines", range(-2, 30))
@pytest.mark.parametrize("labels", [2, 20, 300])
def test_training_40_the_tables_keep_to_their_lines(tmp_path, capsys, labels: int, lines: int):
    """Of one split, of two, and of numbers; where nothing fits nothing is printed."""
    for splits in (
        {"test": one_label(labels)},
        {"dev": one_label(labels), "test": one_label(labels)},
        {"test": NUMBERS},
        {name: one_label(labels) for name in "abcdef"},
    ):
        printed = shown(tmp_path, splits, capsys, lines=lines)
        assert len(printed) <= max(lines, 0)
        assert not printed or len(printed) > 2


def test_of_many_labels_the_worst_are_shown(tmp_path, capsys):
    """As many as there is room for, in their order, and how many there are."""
    printed = shown(tmp_path, {"test": one_label(300)}, capsys, lines=10)

    assert [line.split()[0] for line in printed[2:4]] == ["label-0", "label-1"]
    assert any("more of higher F1" in line for line in printed)


def test_each_split_and_output_has_a_title(tmp_path, capsys):
    """Where there is more than one."""
    outputs = {
        "kind": "multi_output_classification", "rows": 20, "labelled": 20,
        "outputs": {"intent": one_label(2), "topic": one_label(2)},
    }  # fmt: skip

    one = shown(tmp_path, {"test": outputs}, capsys, lines=30)
    two = shown(tmp_path, {"dev": outputs, "test": NUMBERS}, capsys, lines=30)

    assert [line.split()[0] for line in one if "precision" in line] == ["intent", "topic"]
    assert [line.split()[:2] for line in two if "precision" in line] == [
        ["dev", "intent"],
        ["dev", "topic"],
    ]
    assert any(line.startswith("  test  pearson") for line in two)


def test_numbers_have_one_line(tmp_path, capsys):
    """What is no number is none."""
    printed = shown(tmp_path, {"test": NUMBERS}, capsys, lines=5)

    assert printed[2].split() == ["0.8900", "0.8850", "0.5000", "0.2500", "none", "1,500"]


def test_a_split_without_labels_has_no_table(tmp_path, capsys):
    """And a run without a report none at all."""
    bare = {"kind": "single_label_classification", "rows": 5, "labelled": 0, "predicted": {"a": 5}}

    assert shown(tmp_path, {"test": bare}, capsys, lines=20) == []
    (tmp_path / "report.json").unlink()
    reported.show(Run(folder=tmp_path, facts={}), lines=20)
    assert capsys.readouterr().out == ""


def test_a_training_and_its_test_stand_side_by_side():
    """Where they have the same metrics; else one below the other."""
    valid, tested = [("valid/f1", "0.5000")], [("test/f1", "0.4000")]

    assert closing._numbers([valid, tested]) == [("valid/f1", "0.5000", "test/f1", "0.4000")]
    assert closing._numbers([valid, [("a/loss", "1.0000"), *tested]]) == [
        ("valid/f1", "0.5000"),
        ("a/loss", "1.0000"),
        ("test/f1", "0.4000"),
    ]
    assert closing._numbers([tested]) == tested


def test_lines_are_counted_from_where_the_command_begins(capsys):
    """On both streams."""
    render.begin()
    render.out("a\nb")
    render.say("c")

    assert render.written() == 3
    render.begin()
    assert render.written() == 0
    assert closing._LINES == 40


def judged(folder: Path, report: Mapping[str, Any], **facts: Any) -> Run:
    """A test run with a report; `facts` are what else it says of itself."""
    run = folder / "runs" / "t1"
    run.mkdir(parents=True)
    for name in report:
        (run / (f"predictions-{name}.arrow" if len(report) > 1 else "predictions.arrow")).touch()
    (run / "report.json").write_text(json.dumps({"splits": report}))
    (run / "metrics.json").write_text(json.dumps(facts.pop("metrics", {})))
    known = {"id": "t1", "stage": "test", "checkpoint": "best", "parent": "r1", "rows": 20,
             "split": list(report), "splits": dict.fromkeys(report, 10)}  # fmt: skip
    return Run(folder=run, facts={**known, **facts})


def closed(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed at the end of the run's command."""
    closing.close(Session(folder / "recipe.toml", here=folder), [run], as_json=False)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("stage", ["train", "test"])
def test_the_next_command_is_one(tmp_path, stage: str):
    """Every word of it is one that the command line knows; the recipe's name may have spaces."""
    run = Run(folder=tmp_path, facts={"id": "r1", "stage": stage, "parent": "r0", "split": "test"})

    *_, (_, found) = closing._next(run, Session(tmp_path / "my recipe.toml", here=tmp_path))

    program, name, *words = shlex.split(found)
    group: Any = typer.main.get_command(app)
    with group.make_context(program, [name, *words]) as parent:
        params = group.get_command(parent, name).make_context(name, words, parent=parent).params
    assert program == "mlrecipe"
    assert params.get("recipe" if stage == "train" else "model") == {
        "train": "my recipe.toml", "test": "r0"}[stage]  # fmt: skip
    assert (name, params.get("input")) == {
        "train": ("test", None), "test": ("predict", "FILE")}[stage]  # fmt: skip


def test_how_to_see_a_report_that_is_not_shown_is_said(tmp_path, capsys):
    """The command that shows it, in the line of the report, where no line is left for its tables."""
    run = judged(tmp_path, {"test": one_label(3)})
    render.begin()
    shown_whole = closed(run, tmp_path, capsys)
    render.begin()
    for _ in range(36):
        render.say("line")
    without = closed(run, tmp_path, capsys)

    assert any(line.split() == ["report", "runs/t1/report.json"] for line in shown_whole)
    assert any("precision" in line for line in shown_whole)
    told = "report runs/t1/report.json; its tables: mlrecipe runs show t1"
    assert told in [" ".join(line.split()) for line in without]
    assert not any("precision" in line for line in without)
    lines = [[line.split()[0] for line in each if line[:3] == "  t" or "mlrecipe" in line or "runs/" in line]
             for each in (shown_whole, without)]  # fmt: skip
    assert set(lines[0]) == set(lines[1]), "the last lines have the same names"


def test_sets_without_labels_are_told_apart_in_plain_lines(tmp_path, capsys):
    """No bracket beside another, a line for the report, and no two empty lines on end."""
    bare = {
        "kind": "single_label_classification",
        "rows": 10,
        "labelled": 0,
        "predicted": {"a": 10},
    }
    run = judged(tmp_path, {"dev": bare, "test": bare}, unlabelled=["dev", "test"])

    lines = closed(run, tmp_path, capsys)

    assert lines[:2] == ["", "  tested       best checkpoint of r1, 20 rows"]
    assert lines[2:5] == [
        "  predictions  runs/t1/predictions-dev.arrow: no labels, no metrics",
        "  predictions  runs/t1/predictions-test.arrow: no labels, no metrics",
        "  report       runs/t1/report.json",
    ]
