"""The command that compares runs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlrecipe.runs.run import Run, create
from mlrecipe.significance import compare
from tests.projects import Done, Work
from tests.significance.tables import right_or_wrong, sentences

pytestmark = pytest.mark.heavy

Cli = Callable[..., Done]


def answers(share: float, *, rows: int = 400) -> pa.Table:
    """Predictions that are right in so large a share of the rows, the easy ones first."""
    return right_or_wrong(np.random.default_rng(0).random(rows) < share)


def write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


def predicted(
    work: Work, table: pa.Table | dict[str, pa.Table], *, rate: float = 0.1,
    metrics: tuple[str, ...] = ("accuracy",), parent: str = "", **facts: Any,
) -> Run:  # fmt: skip
    """A finished test run with predictions of one split, or of several by their names."""
    splits = table if isinstance(table, dict) else {"test": table}
    named = list(splits)
    run = create(
        work.folder, name="small", stage="test", recipe="small.toml", parent=parent,
        split=named[0] if len(named) == 1 else named, **facts,
    )  # fmt: skip
    recipe = f"[task]\nmetrics = {json.dumps(metrics)}\n[train]\noptimizer = {{ lr = {rate} }}\n"
    (run.folder / "recipe.resolved.toml").write_text(recipe)
    places = ["test"] if len(named) == 1 else named
    values = {f"{place}/{name}": 0.5 for place in places for name in (*metrics, "loss")}
    run.write("metrics.json", values)
    for name, rows in splits.items():
        file = "predictions.arrow" if len(named) == 1 else f"predictions-{name}.arrow"
        write(rows, run.folder / file)
    return run.finish("finished")


def trained(work: Work, **facts: Any) -> Run:
    """A finished train run."""
    return create(work.folder, name="small", stage="train", recipe="small.toml", **facts).finish(
        "finished"
    )


def group(work: Work, values: dict[str, float], *, rate: float = 0.1) -> Run:
    """A group of trainings with a metric each, and a test of each."""
    made = create(work.folder, name="small", stage="repeat", recipe="small.toml")
    (made.folder / "recipe.resolved.toml").write_text(f"[train]\noptimizer = {{ lr = {rate} }}\n")
    members = []
    for name, value in values.items():
        run = create(
            work.folder,
            name="small",
            stage="train",
            recipe="small.toml",
            group=made.id,
            member=name,
        )
        run.write("metrics.json", {"valid/accuracy": value - 0.01, "valid/loss": 1 - value})
        test = create(
            work.folder,
            name="small",
            stage="test",
            recipe="small.toml",
            parent=run.id,
            split="test",
        )
        test.write("metrics.json", {"test/accuracy": value, "test/loss": 1 - value})
        members.append({"run": run.finish("finished").id, "seed": 1, "fold": None})
        test.finish("finished")
    made.write("repeat.json", {"metrics": {}, "runs": members})
    return made.finish("finished")


def test_training_43_two_runs_are_compared_without_a_model(work: Work) -> None:
    """Difference, interval and p-value of the same rows; no torch is imported, and no checkpoint is there."""
    a, b = answers(0.7), answers(0.8)
    first, second = (predicted(work, each, rate=rate) for each, rate in ((a, 0.1), (b, 0.2)))
    code = (
        "import sys\nfrom mlrecipe.cli import app\n"
        f"code = app.run(['runs', 'compare', {first.id!r}, {second.id!r}, '--json'])\n"
        "heavy = [m for m in ('torch', 'transformers', 'datasets') if m in sys.modules]\n"
        "print(heavy, code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=work.folder, capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[] 0"
    (found,) = json.loads(done.stdout)["splits"]["test"]
    expected = compare(a, b, "accuracy")
    assert found["difference"] == pytest.approx(expected.difference)
    assert (found["low"], found["high"]) == (expected.interval.low, expected.interval.high)
    assert found["p_value"] == expected.p_value
    assert found["better"] == "b"
    assert found["verdict"].startswith("b is better than a: accuracy 0.7525 against")


def test_the_table_says_what_is_compared_and_what_may_be_said(cli: Cli, work: Work) -> None:
    """Which runs, in what they differ, the metrics of the recipe, the verdict, and what it is about."""
    metrics = ("f1", "accuracy")
    first = predicted(work, answers(0.7), metrics=metrics)
    second = predicted(work, answers(0.8), metrics=metrics, rate=0.2)

    lines = cli("runs", "compare", first.id, second.id).out.splitlines()

    assert lines[0].split() == ["a", f"runs/{first.id}", "small.toml"]
    assert lines[2] == "b differs from a in: train.optimizer.lr 0.1 → 0.2"
    assert lines[4] == "split test, 400 rows with a label"
    assert lines[5].split()[:4] == ["metric", "pair", "first", "second"]
    assert [line.split()[0] for line in lines[6:8]] == ["f1", "accuracy"]
    assert lines[7].split()[-1] == "b"
    assert lines[9].startswith("b is better than a: f1")
    assert "not what another seed would" in lines[-1]


def test_a_train_run_means_its_newest_test(cli: Cli, work: Work) -> None:
    """Which of several tests is taken is said; a training without one is an error."""
    one, other, untested = trained(work), trained(work), trained(work)
    predicted(work, answers(0.6), parent=one.id)
    newest = predicted(work, answers(0.7), parent=one.id)
    predicted(work, answers(0.75), parent=other.id)

    found = json.loads(cli("runs", "compare", one.id, other.id, "--json").out)

    assert (found["runs"][0]["run"], found["runs"][0]["test"]) == (one.id, newest.id)
    wrong = cli("runs", "compare", one.id, untested.id)
    assert wrong.code == 2
    assert f"train run {untested.id} has no finished test" in wrong.err


def test_several_runs_are_compared_with_the_first_and_corrected(cli: Cli, work: Work) -> None:
    """Or all pairs; Holm's correction is said."""
    runs = [predicted(work, answers(share)) for share in (0.7, 0.71, 0.9)]
    ids = [run.id for run in runs]

    found = json.loads(cli("runs", "compare", *ids, "--json").out)
    every = json.loads(cli("runs", "compare", *ids, "--pairs", "--json").out)

    said = found["splits"]["test"]
    assert [each["names"] for each in said] == [["a", "b"], ["a", "c"]]
    assert [each["better"] for each in said] == [None, "c"]
    assert said[0]["p_adjusted"] == said[0]["p_value"]
    assert said[1]["p_adjusted"] == 2 * said[1]["p_value"]
    assert found["correction"] == "Holm"
    assert [each["names"] for each in every["splits"]["test"]] == [
        ["a", "b"],
        ["a", "c"],
        ["b", "c"],
    ]
    assert "Holm's correction for 2 pairs" in cli("runs", "compare", *ids).out


def test_other_rows_are_refused_unless_the_common_ones_will_do(cli: Cli, work: Work) -> None:
    """The error names both runs and the option."""
    whole, part = answers(0.7), answers(0.8).slice(100)
    first, second = predicted(work, whole), predicted(work, part)

    wrong = cli("runs", "compare", first.id, second.id)
    found = json.loads(cli("runs", "compare", first.id, second.id, "--common", "--json").out)

    assert wrong.code == 2
    assert f"{first.id} and {second.id}: not the same rows were tested" in wrong.err
    assert "--common" in wrong.err
    assert found["splits"]["test"][0]["rows"] == 300


def test_each_split_that_all_were_tested_on_is_compared(cli: Cli, work: Work) -> None:
    """Or the one that is named; one without labels is left out."""
    tables = {"test": answers(0.7), "other": answers(0.75), "blind": answers(0.5)}
    blind = tables["blind"].set_column(1, "label", pa.nulls(400, pa.string()))
    runs = [predicted(work, tables | {"blind": blind}, unlabelled=["blind"]) for _ in range(2)]
    ids = [run.id for run in runs]

    found = json.loads(cli("runs", "compare", *ids, "--json").out)
    one = json.loads(cli("runs", "compare", *ids, "--split", "other", "--json").out)
    wrong = cli("runs", "compare", *ids, "--split", "blind")

    assert list(found["splits"]) == ["test", "other"]
    assert list(one["splits"]) == ["other"]
    assert (wrong.code, "not all were tested on 'blind'" in wrong.err) == (2, True)


def test_metrics_that_runs_were_not_tested_by_can_be_asked_for(cli: Cli, work: Work) -> None:
    """Any that the predictions have; a wrong name gets a suggestion."""
    runs = [predicted(work, answers(share)).id for share in (0.7, 0.75)]

    found = json.loads(cli("runs", "compare", *runs, "--metric", "cohen-kappa", "--json").out)
    wrong = cli("runs", "compare", *runs, "--metric", "acuracy")

    assert [each["metric"] for each in found["splits"]["test"]] == ["cohen-kappa"]
    assert (wrong.code, "did you mean 'accuracy'?" in wrong.err) == (2, True)


@pytest.mark.parametrize(("option", "value"), [("--confidence", "95"), ("--resamples", "3"),
                                               ("--seed", "-3")])  # fmt: skip
def test_numbers_out_of_range_are_refused(cli: Cli, work: Work, option: str, value: str) -> None:
    """By the name of the option."""
    runs = [predicted(work, answers(share)).id for share in (0.7, 0.75)]

    wrong = cli("runs", "compare", *runs, option, value)

    assert (wrong.code, f"error: {option}: " in wrong.err) == (2, True)


def test_what_predictions_do_not_tell_is_left_out_and_said(cli: Cli, work: Work) -> None:
    """A metric of the project's own; not those of evaluation nodes, nor their settings as differences."""
    metrics = ("accuracy", "own")
    runs = [predicted(work, answers(share), metrics=metrics) for share in (0.7, 0.75)]
    for number, run in enumerate(runs):
        values = {"test/accuracy": 0.5, "test/own": 0.5, "test/sure/accuracy": 0.5}
        run.write("metrics.json", values)
        with (run.folder / "recipe.resolved.toml").open("a") as file:
            file.write(f'[evaluate.nodes.sure]\nuse = "bootstrap"\nseed = {number}\n')

    done = cli("runs", "compare", *(run.id for run in runs))

    assert "warning: not compared, for predictions do not tell it: own\n" in done.err
    assert "b differs from a in: nothing that is known" in done.out


def test_a_run_is_not_compared_with_itself(cli: Cli, work: Work) -> None:
    """Nor a training with its own test, nor alone."""
    train = trained(work)
    test = predicted(work, answers(0.7), parent=train.id)

    assert "with itself" in cli("runs", "compare", test.id, test.id).err
    assert "with itself" in cli("runs", "compare", train.id, test.id).err
    alone = cli("runs", "compare", test.id)
    assert (alone.code, "nothing to compare it with" in alone.err) == (2, True)


def test_runs_that_predict_something_else_are_refused(cli: Cli, work: Work) -> None:
    """In words, without a traceback; so is a file that is damaged."""
    words = sentences([["O"]] * 400, [["O"]] * 400, tags=["O", "B-PER"])
    first, second = predicted(work, answers(0.7)), predicted(work, words, metrics=("span-f1",))
    third = predicted(work, answers(0.7))
    (third.folder / "predictions.arrow").write_bytes(b"nothing")

    wrong, damaged = (cli("runs", "compare", first.id, run.id) for run in (second, third))

    assert (wrong.code, damaged.code) == (2, 2)
    assert "Traceback" not in wrong.err + damaged.err
    assert "cannot be read as predictions" in damaged.err


def test_groups_of_trainings_are_compared_by_their_means(cli: Cli, work: Work) -> None:
    """The same seeds are paired; tests count rather than validation; it says which chance is meant."""
    first = group(work, {"seed-1": 0.80, "seed-2": 0.81, "seed-3": 0.79})
    second = group(work, {"seed-1": 0.85, "seed-2": 0.85, "seed-3": 0.845}, rate=0.2)

    found = json.loads(cli("runs", "compare", first.id, second.id, "--json").out)
    lines = cli("runs", "compare", first.id, second.id).out.splitlines()

    (said,) = found["trainings"]
    assert (said["metric"], said["test"], said["better"]) == ("test/accuracy", "paired t", "b")
    assert said["difference"] == pytest.approx(0.0483333)
    assert said["low"] < said["difference"] < said["high"]
    assert lines[2] == "b differs from a in: train.optimizer.lr 0.1 → 0.2"
    assert "0.8000 ± 0.0100" in lines[5]
    assert "what other seeds would give" in lines[-1]


def test_a_group_is_not_compared_with_a_single_training(cli: Cli, work: Work) -> None:
    """The error says what goes with what."""
    some = group(work, {"seed-1": 0.80, "seed-2": 0.81})
    one = predicted(work, answers(0.7))

    wrong = cli("runs", "compare", some.id, one.id)

    assert (wrong.code, "compare groups with groups" in wrong.err) == (2, True)


def with_texts(share: float, texts: list[str]) -> pa.Table:
    """Predictions with the texts of their rows beside them."""
    table = answers(share, rows=len(texts))
    return table.append_column("text", pa.array(texts))


def read_data(run: Run, **digests: str) -> Run:
    """A run that says which files its node `rows` read."""
    files = {name: [[f"{name}.csv", digest * 8]] for name, digest in digests.items()}
    node = {"op": "load-files", "digest": "".join(digests.values()) * 4, "files": files}
    run.write("inputs.json", {"rows": node})
    return run


def test_rows_with_other_texts_are_told_beside_the_verdict(cli: Cli, work: Work) -> None:
    """Equal labels do not make them the same rows: which column, how many, and where."""
    texts = [f"text {i}" for i in range(100)]
    a = read_data(predicted(work, with_texts(0.7, texts)), train="aa", test="bb")
    texts[17] = "another text"
    b = read_data(predicted(work, with_texts(0.8, texts)), train="aa", test="cc")

    done = cli("runs", "compare", a.id, b.id)
    found = json.loads(cli("runs", "compare", a.id, b.id, "--json").out)

    said = (
        "a and b were not tested on the same data: 'text' differs in 1 of 100 rows, first in row 17"
    )
    lines = done.out.splitlines()
    (place,) = [i for i, line in enumerate(lines) if line == f"warning: {said}"]
    assert "accuracy" in lines[place - 1]
    assert found["warnings"] == [said]
    assert "the tested rows are the same" not in done.out
    cli("report", a.id, b.id, "--output", "both.html")
    assert said.replace("'", "&#x27;") in (work.folder / "both.html").read_text().replace(
        "&#39;", "&#x27;"
    )


def test_data_that_were_only_learnt_from_are_told_as_such(cli: Cli, work: Work) -> None:
    """The training files differ and the tested rows do not: no warning, and the line says so."""
    texts = [f"text {i}" for i in range(100)]
    a = read_data(predicted(work, with_texts(0.7, texts)), train="aa", test="bb")
    b = read_data(predicted(work, with_texts(0.8, texts)), train="dd", test="bb")

    out = cli("runs", "compare", a.id, b.id).out

    assert "train.csv" in out
    assert "(the tested rows are the same: what differs in data was only learnt from)" in out
    assert "warning" not in out


def test_without_kept_columns_other_files_are_a_warning(cli: Cli, work: Work) -> None:
    """Nothing tells whether the rows are the same; nodes whose outputs alone differ are no reason."""
    a = read_data(predicted(work, answers(0.7)), test="bb")
    b = read_data(predicted(work, answers(0.8)), test="cc")
    c = read_data(predicted(work, answers(0.8)), test="bb")

    assert (
        "warning: a and b may not have been tested on the same data"
        in cli("runs", "compare", a.id, b.id).out
    )
    assert "warning" not in cli("runs", "compare", a.id, c.id).out


def test_intervals_and_corrected_p_values_do_not_contradict_each_other(
    cli: Cli, work: Work
) -> None:
    """Of several pairs it is said that an interval is for itself, and what `better` goes by."""
    ids = [predicted(work, answers(share)).id for share in (0.7, 0.71, 0.9)]

    several, two = cli("runs", "compare", *ids).out, cli("runs", "compare", *ids[:2]).out

    assert "each interval is for itself, not corrected" in several
    assert "`better` goes by p" in several
    assert "each interval" not in two


def test_metrics_of_evaluation_nodes_are_not_missed(cli: Cli, work: Work) -> None:
    """Even of a node that was added after the training; a metric of the task is."""
    runs = [predicted(work, answers(share), metrics=("accuracy", "own")) for share in (0.7, 0.8)]
    for run in runs:
        values = {"test/accuracy": 0.5, "test/own": 0.5, "test/threshold/accuracy": 0.6}
        run.write("metrics.json", values)
        run.write("evaluation.json", {"threshold": {"metrics": {"accuracy": 0.6}}})

    done = cli("runs", "compare", *(run.id for run in runs))

    assert done.err == "warning: not compared, for predictions do not tell it: own\n"


def test_a_group_without_a_number_changes_no_other_pair(cli: Cli, work: Work) -> None:
    """And that p is corrected is said."""
    ids = [
        group(work, {"seed-1": value, "seed-2": value + gap, "seed-3": value - gap}).id
        for value, gap in ((0.80, 0.01), (float("nan"), 0.0), (0.90, 0.012))
    ]

    found = json.loads(cli("runs", "compare", *ids, "--json").out)["trainings"]
    shown = cli("runs", "compare", *ids).out

    assert (found[0]["p_adjusted"], found[1]["better"]) == (None, "c")
    assert "nothing can be said of a and b" in shown
    assert "Holm's correction for 2 pairs" in shown


def test_the_tests_of_groups_decide_by_a_metric_that_is_named(cli: Cli, work: Work) -> None:
    """Validation is told below."""
    values = ({"seed-1": 0.80, "seed-2": 0.81}, {"seed-1": 0.85, "seed-2": 0.87})
    ids = [group(work, each).id for each in values]

    found = json.loads(cli("runs", "compare", *ids, "--metric", "accuracy", "--json").out)

    assert [each["metric"] for each in found["trainings"]] == ["test/accuracy", "valid/accuracy"]


def test_a_split_of_groups_is_refused(cli: Cli, work: Work) -> None:
    """Their metrics have it in their names."""
    ids = [group(work, {"seed-1": value, "seed-2": value + 0.01}).id for value in (0.8, 0.9)]

    done = cli("runs", "compare", *ids, "--split", "nothing")

    assert (done.code, "--metric nothing/accuracy" in done.err) == (2, True)
