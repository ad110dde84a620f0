"""`mlrecipe report` of one run: a page that stands alone, whatever is in it and whatever is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.projects import Done, Work
from tests.report import left
from tests.report.outside import Page

Cli = Callable[..., Done]


def of_kind(kind: str) -> tuple[pa.Table, Any]:
    """Predictions of a kind, and what gives the words of their rows."""
    if kind == "tags":
        return left.tags()
    made = {
        "one label": left.one_label, "several labels": left.several_labels,
        "several outputs": left.outputs, "numbers": left.numbers,
        "many labels": lambda: left.one_label(400, labels=[f"label-{i}" for i in range(40)]),
    }  # fmt: skip
    return made[kind](), None


def page_of(folder: Path, name: str = "s-0002") -> Page:
    """The page in a run's directory."""
    return Page((folder / "runs" / name / "report.html").read_text(encoding="utf-8"))


KINDS = ("one label", "many labels", "several labels", "several outputs", "numbers", "tags")


@pytest.mark.parametrize("kind", KINDS)
def test_training_45_the_report_needs_nothing_outside_itself(work: Work, cli: Cli, kind: str):
    """No script, address or file is asked for, every link leads into the page, and tags nest."""
    table, words = of_kind(kind)
    left.leave_training(work.folder, "t-0001")
    left.leave_test(work.folder, "s-0002", table, parent="t-0001", words=words)

    done = cli("report", "s-0002")

    assert (done.code, done.err) == (0, "")
    found = page_of(work.folder)
    assert found.problems == []
    assert "another layout" not in found.text
    assert found.policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_training_45_25000_predictions_with_long_texts_are_less_than_5_mb(work: Work, cli: Cli):
    """However long the texts are, and however many of them are wrong."""
    texts = [f"row {i} " + "a rather long text " * 80 for i in range(25_000)]
    table = left.one_label(25_000, texts=texts, skill=0.5)
    left.leave_test(work.folder, "s-0002", table)

    assert cli("report", "s-0002").code == 0

    assert (work.folder / "runs" / "s-0002" / "report.html").stat().st_size < 5_000_000


def test_what_a_run_is_stands_on_the_page(runs: Path, cli: Cli):
    """Recipe, runs, commit, curves, labels, slices, mistakes with texts, environment, inputs."""
    done = cli("report", "s-0002")

    found = page_of(runs)
    assert done.out.splitlines()[-1].startswith("  report: runs/s-0002/report.html (")
    for text in ("small.toml", "t-0001", "commit c0ffeec0ffee on main, clean", "took 1 min 00 s",
                 "train/loss", "learning_rate", "positive", "macro", "confusion matrix, in rows",
                 "by length in words", "by source", "mail", "of the greatest loss", "libraries/torch",
                 "2.13.0", "load-files", "rows.csv", "mlrecipe run small.toml"):  # fmt: skip
        assert text in found.text, text
    assert "lr = 0.001" in found.text
    assert found.tags.count("polyline") >= 4  # loss, metric, rate, calibration


def test_metrics_stand_with_their_intervals(runs: Path, cli: Cli):
    """As `significance` computes them; what the run measured beside that is there, too."""
    (facts,) = json.loads(cli("report", "s-0002", "--json").out)["splits"]

    accuracy = facts["metrics"]["accuracy"]
    assert facts["main"] == "accuracy"
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert facts["others"] == {"loss": 0.5}
    assert "says 0.8000" in facts["notes"][0]  # this run's metrics.json is made up
    assert not (runs / "runs" / "s-0002" / "report.html").exists()


def test_a_training_is_shown_with_its_newest_finished_test(runs: Path, cli: Cli):
    """The page then lies in the training's directory; a test that is not finished does not count."""
    left.leave_test(runs, "s-0003", left.one_label(50), parent="t-0001", status="failed",
                started="2026-12-01T00:00:00+00:00")  # fmt: skip

    facts = json.loads(cli("report", "t-0001", "--json").out)
    cli("report", "t-0001")

    assert [run["run"] for run in facts["about"]["runs"]] == ["t-0001", "s-0002"]
    assert "120 labelled rows" in page_of(runs, "t-0001").text


def test_without_a_name_it_is_the_newest_finished_test(runs: Path, cli: Cli):
    """As with `runs show`."""
    left.leave_training(runs, "t-0009", started="2026-12-01T00:00:00+00:00")

    assert cli("report").out.splitlines()[-1].startswith("  report: runs/s-0002/report.html")


@pytest.mark.parametrize("kind", ["one label", "tags"])
def test_a_text_with_markup_stays_a_text(work: Work, cli: Cli, kind: str):
    """Neither tags, quotes, control characters nor marks that turn the direction come through."""
    evil = "<script>alert(1)</script>\"'><img src=x onerror=y>\x1b[31m\u202eevil\u2066"
    if kind == "tags":
        table, words = left.tags(evil=evil)
    else:
        labels, words = ["fine", f"bad {evil}"], None
        table = left.one_label(60, labels=labels, texts=[f"{evil} {i}" for i in range(60)], skill=0)
    left.leave_test(work.folder, "s-0002", table, words=words, name=f"<b>{evil}")

    cli("report", "s-0002")

    content = (work.folder / "runs" / "s-0002" / "report.html").read_text(encoding="utf-8")
    assert Page(content).problems == []
    assert "<script" not in content
    assert "<img" not in content
    assert "<b><" not in content
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
    assert not {"\x1b", "\u202e", "\u2066"} & set(content)
    assert "\\x1b[31m\\u202eevil\\u2066" in content


def test_a_long_text_is_shortened(work: Work, cli: Cli):
    """Its beginning is shown."""
    texts = [f"start {i} " + "long " * 2000 for i in range(40)]
    left.leave_test(work.folder, "s-0002", left.one_label(40, texts=texts, skill=0))

    cli("report", "s-0002")

    shown = [text for text in page_of(work.folder).texts if text.startswith("start ")]
    assert shown
    assert all(len(text) < 1000 and text.endswith(" …") for text in shown)


def test_a_report_needs_no_torch(runs: Path, work: Work):
    """Nor Lightning, transformers or datasets: no model is loaded, and it starts at once."""
    done = work.python("""
        import sys
        from mlrecipe.cli.app import run
        code = run(["report", "s-0002"])
        heavy = {"torch", "pytorch_lightning", "transformers", "datasets", "torchmetrics"}
        print(code, *sorted(heavy & set(sys.modules)), file=sys.stderr)
    """)

    assert done.err.splitlines()[-1] == "0"


def test_a_training_without_a_test_is_a_report_too(runs: Path, cli: Cli):
    """What is missing is said in a sentence: log, predictions, evaluation, store."""
    left.leave_training(runs, "t-0003", status="interrupted")
    (runs / "runs" / "t-0003" / "logs" / "metrics.csv").unlink()

    done = cli("report", "t-0003")

    found = page_of(runs, "t-0003")
    assert (done.code, found.problems) == (0, [])
    assert "warning: the train run t-0003 is interrupted, not finished" in done.err
    for text in ("is interrupted, not finished", "There are no predictions", "0.7500",
                 "has no log (logs/metrics.csv)", "has no [evaluate.nodes]",
                 "is not in the store any more", "lengths are not known"):  # fmt: skip
        assert text in found.text, text


def test_the_validation_at_the_best_step_stands_in_for_a_test(runs: Path, cli: Cli):
    """Where there is none, and the predictions of validations were kept."""
    left.leave_training(runs, "t-0003")
    for step, rows in ((10, 30), (20, 40)):
        folder = runs / "runs" / "t-0003" / "validations" / f"step-{step}"
        folder.mkdir(parents=True)
        left.put(folder / "predictions.arrow", left.one_label(rows))

    (facts,) = json.loads(cli("report", "t-0003", "--json").out)["splits"]

    assert (facts["split"], facts["is_validation"], facts["rows"]) == ("valid", True, 40)
    assert facts["others"] == {"loss": 0.5}
    assert facts["account"]["confusion"]["negative"]


def test_a_test_that_was_killed_shows_the_rows_that_it_had_done(runs: Path, cli: Cli):
    """Those before the place where its file was cut off."""
    run = left.leave_test(runs, "s-0003", left.one_label(100), status="failed", cause="killed")
    whole = left.put(run.folder / "predictions.arrow", left.one_label(100), size=20)
    part = run.folder / "predictions.arrow.part"
    part.write_bytes(whole.read_bytes()[:-1500])
    whole.unlink()
    (run.folder / "report.json").unlink()

    (facts,) = json.loads(cli("report", "s-0003", "--json").out)["splits"]

    assert 0 < facts["rows"] < 100
    assert facts["rows"] % 20 == 0
    assert facts["account"]["rows"] == facts["rows"]
    assert f"the {facts['rows']} rows that it had done" in facts["notes"][0]
    assert cli("report", "s-0003").code == 0


def test_rows_without_labels_are_only_counted(work: Work, cli: Cli):
    """There is nothing to judge: no slices, no mistakes; what was predicted is there."""
    table = left.one_label(30)
    blind = table.set_column(1, "label", pa.nulls(30, pa.string()))
    left.leave_test(work.folder, "s-0002", blind)

    cli("report", "s-0002")

    found = page_of(work.folder)
    assert found.problems == []
    assert "no row has a label" in found.text
    assert "predicted" in found.text
    assert "greatest loss" not in found.text


def test_a_file_that_is_no_predictions_is_said(runs: Path, cli: Cli):
    """The rest of the page is there."""
    (runs / "runs" / "s-0002" / "predictions.arrow").write_bytes(b"not arrow")

    done = cli("report", "s-0002")

    assert done.code == 0
    assert "cannot read predictions.arrow" in page_of(runs).text


def test_a_part_whose_files_another_version_wrote_says_so(runs: Path, cli: Cli):
    """The other parts stand."""
    path = runs / "runs" / "s-0002" / "report.json"
    account = {"kind": "single_label_classification", "classes": {"negative": 0.5}}
    path.write_text(json.dumps({"splits": {"test": account}}))

    done = cli("report", "s-0002")

    found = page_of(runs)
    assert done.code == 0
    assert "the files that this part is made of have another layout" in found.text
    assert "of the greatest loss" in found.text


def test_secrets_stay_references(work: Work, cli: Cli):
    """The recipe stands on the page as the run's directory has it."""
    recipe = left.RECIPE + '\n[train.loggers.board]\nuse = "W"\nkey = "${secret:KEY}"\n'
    left.leave_test(work.folder, "s-0002", left.one_label(), recipe=recipe)

    cli("report", "s-0002")

    assert "${secret:KEY}" in page_of(work.folder).text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "no run 'nope'"),
        (["s-0002", "--output", "runs"], "--output: 'runs' is a folder; name a file in it"),
        (
            ["s-0002", "--output", "plain/x.html"],
            "--output: cannot make the folder 'plain': a file of that name is there",
        ),
        (["s-0002", "--json", "--output", "x.html"], "--json and --output cannot be combined"),
    ],
)
def test_a_wrong_request_writes_nothing(runs: Path, cli: Cli, arguments: list[str], message: str):
    """One line says what is wrong."""
    (runs / "plain").touch()

    done = cli("report", *arguments)

    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not list(runs.rglob("*.html"))


def test_where_there_is_no_run_that_is_said(work: Work, cli: Cli):
    """With what makes one."""
    done = cli("report")

    assert (done.code, done.err) == (2, "error: no runs in runs; mlrecipe run RECIPE makes some\n")


def test_a_perfect_score_says_that_all_resamples_agree(work: Work, cli: Cli):
    """No bounds of no width: on the page and on the terminal, in words; of accuracy Wilson's."""
    left.leave_test(work.folder, "s-0002", left.one_label(skill=50.0))

    done = cli("report", "s-0002")

    assert done.code == 0
    assert re.search(r"accuracy +1\.0000 +0\.9\d+ to 1\.0000", done.out)
    assert re.search(r"f1 +1\.0000 +all resamples agree", done.out)
    assert "all resamples agree" in page_of(work.folder).text


def test_training_45_the_verdict_is_of_the_tasks_first_metric_where_a_node_was_watched(
    work: Work, cli: Cli
):
    """Or the loss: of neither there is an interval."""
    recipe = (
        '[task]\nmetrics = ["f1-macro", "accuracy"]\n[train]\nmonitor = "valid/lengths/worst"\n'
    )
    left.leave_training(work.folder, "t-0001", recipe=recipe)
    left.leave_test(work.folder, "s-0002", left.one_label(40), parent="t-0001")

    found = json.loads(cli("report", "s-0002", "--json").out)

    assert [split["main"] for split in found["splits"]] == ["f1-macro"]


def test_the_folder_of_a_report_is_made(work: Work, cli: Cli):
    """And those above it."""
    left.leave_test(work.folder, "s-0002", left.one_label(40))

    assert cli("report", "s-0002", "--output", "out/all/report.html").code == 0
    assert (work.folder / "out" / "all" / "report.html").is_file()


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ("", ["files that are not in git, and so in no patch: new.py"]),
        (
            "+x",
            [
                "the code had changes that were not committed; they are in git.patch",
                "files that are not in git, and so in no patch: new.py",
            ],
        ),
    ],
)
def test_what_was_not_committed_is_said_to_be_where_it_is(
    runs: Path, cli: Cli, patch: str, expected: list[str]
):
    """No patch is named that is not there."""
    folder = runs / "runs" / "t-0001"
    git = {"commit": "c" * 40, "dirty": True, "untracked": ["new.py"]}
    (folder / "env.json").write_text(json.dumps({"git": git}))
    if patch:
        (folder / "git.patch").write_text(patch)

    assert json.loads(cli("report", "s-0002", "--json").out)["about"]["warnings"] == expected
