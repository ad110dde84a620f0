"""What a report shows of each kind of predictions, and of evaluation nodes and data in the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from mlrecipe import Recorder
from mlrecipe.interfaces import Fingerprint
from mlrecipe.store.records import Computation, Record
from tests.projects import Done, Work
from tests.report import left
from tests.report.outside import Page

Cli = Callable[..., Done]


def shown(work: Work, cli: Cli, name: str = "s-0002") -> Page:
    """The page of a run."""
    done = cli("report", name)
    assert done.code == 0, done.err
    return Page((work.folder / "runs" / name / "report.html").read_text(encoding="utf-8"))


def published(work: Work, name: str, value: object, **changes: object) -> Record:
    """An output in the project's store."""
    fields = {
        "fingerprint": Fingerprint((name.encode().hex() * 64)[:64]), "own": "own", "parts": {},
        "recipe": "small.toml", "node": name, "op": name, "created": "2026-01-31T12:00:00+00:00",
        "seconds": 1.0, "cpu_seconds": 1.0,
    }  # fmt: skip
    return work.store.publish(value, Computation(**(fields | changes)))  # type: ignore[arg-type]


def evaluated(folder: Path, **found: Record) -> None:
    """Note what the evaluation nodes of a run came to."""
    content = {
        name: {"op": record.op, "fingerprint": record.fingerprint, "digest": record.digest,
               "seconds": 1.0, "metrics": {"worst": 0.25, "rows": 160.0}}
        for name, record in found.items()
    }  # fmt: skip
    (folder / "evaluation.json").write_text(json.dumps(content))


def test_many_labels_are_shown_by_their_commonest_confusions(work: Work, cli: Cli):
    """A matrix of 40 columns nobody can read."""
    table = left.one_label(600, labels=[f"label-{i}" for i in range(40)], skill=1)
    left.leave_test(work.folder, "s-0002", table)

    found = shown(work, cli)

    assert "taken for" in found.text
    assert "label ↓ prediction →" not in found.text
    assert "40 labels are too many" in found.text


def test_numbers_are_clouds_of_points(work: Work, cli: Cli):
    """Predictions and errors over the labels, and the rows with the largest errors."""
    left.leave_test(work.folder, "s-0002", left.numbers())

    found = shown(work, cli)

    assert found.tags.count("circle") > 180
    assert "errors over labels" in found.text
    assert "The mean absolute error is" in found.text
    assert "confusion" not in found.text


def test_tags_are_shown_with_span_errors_and_sentences(work: Work, cli: Cli):
    """Types of spans, each sort of error with examples, the worst rows word by word."""
    table, words = left.tags()
    left.leave_test(work.folder, "s-0002", table, words=words)

    found = shown(work, cli)

    for text in ("PER", "LOC", "a span that was not found", "examples", "Vienna", "B-LOC → O",
                 "all tags are right in"):  # fmt: skip
        assert text in found.text, text


def test_several_outputs_have_a_table_each(work: Work, cli: Cli):
    """And the share of rows of which all are right."""
    left.leave_test(work.folder, "s-0002", left.outputs())

    found = shown(work, cli)

    for text in ("topic", "tone", "loud", "All outputs of a row are right"):
        assert text in found.text or text == "All outputs of a row are right", text


def test_several_splits_have_their_parts_each(work: Work, cli: Cli):
    """Metrics of each under its own name, in the order of the recipe."""
    run = left.leave_test(
        work.folder, "s-0002", left.one_label(80), split=["old", "new"],
        metrics={"old/accuracy": 0.5, "new/accuracy": 0.5, "new/loss": 0.25},
    )  # fmt: skip
    (run.folder / "predictions.arrow").rename(run.folder / "predictions-old.arrow")
    left.put(run.folder / "predictions-new.arrow", left.one_label(60, seed=1))
    (run.folder / "report.json").unlink()

    found = shown(work, cli)
    facts = json.loads(cli("report", "s-0002", "--json").out)

    assert found.problems == []
    assert [(one["split"], one["rows"]) for one in facts["splits"]] == [("old", 80), ("new", 60)]
    assert facts["splits"][1]["others"] == {"loss": 0.25}
    assert {"metrics-old", "metrics-new", "mistakes-old"} <= found.ids


def test_evaluation_nodes_are_shown_with_their_first_rows(work: Work, cli: Cli):
    """Metrics, ten rows and the images in them; their metrics are not told among the run's own."""
    pytest.importorskip("PIL")
    from PIL import Image

    recorder = Recorder(statistics={"worst": 0.25})
    for number in range(12):
        recorder.log(
            slice=f"slice {number}", rows=number, picture=Image.new("RGB", (4, 4), (number, 0, 0))
        )
    left.leave_training(work.folder, "t-0001")
    run = left.leave_test(
        work.folder, "s-0002", left.one_label(), metrics={"test/parts/worst": 0.25}
    )
    evaluated(run.folder, parts=published(work, "slices", recorder))

    found = shown(work, cli)

    assert found.problems == []
    assert "the first 10 of 12 rows" in found.text
    assert "160" in found.texts
    assert "slice 9" in found.text
    assert "slice 10" not in found.text
    assert found.tags.count("img") == 10
    assert "parts/worst" not in found.text


def test_a_node_whose_output_is_gone_is_named(work: Work, cli: Cli):
    """With its metrics, and how to make it again."""
    run = left.leave_test(work.folder, "s-0002", left.one_label())
    record = published(work, "slices", {"a": 1})
    evaluated(run.folder, parts=record)
    work.store.paths.record(record.fingerprint).unlink()

    found = shown(work, cli)

    assert "not in the store any more: mlrecipe evaluate makes it again" in found.text
    assert "0.2500" in found.text


def test_data_are_shown_with_labels_and_lengths(work: Work, cli: Cli):
    """What an op `statistics` found, if it looked at the very data that the run used."""
    recipe = left.RECIPE + '\n[nodes.facts]\nuse = "statistics"\ninputs = ["rows"]\n'
    run = left.leave_training(work.folder, "t-0001", recipe=recipe)
    left.leave_test(work.folder, "s-0002", left.one_label(), parent="t-0001")
    rows = published(work, "rows", pa.table({"text": ["a", "b"], "label": ["x", "y"]}))
    inputs = {"rows": {"fingerprint": rows.fingerprint, "digest": rows.digest, "op": "load-files"}}
    (run.folder / "inputs.json").write_text(json.dumps(inputs))
    length = {"unit": "words", "mean": 4.0, "p5": 1, "p50": 4, "p95": 9, "max": 12,
              "histogram": {"edges": [0, 5, 10], "rows": [3, 1]}}  # fmt: skip
    split = {"rows": 4, "labels": {"label": {"rows": {"x": 3, "y": 1}}}, "length": length}
    value = {
        "text": ["text"],
        "label": ["label"],
        "splits": {"train": split},
        "warnings": ["few rows"],
    }

    published(work, "facts", value, op="statistics", parts={"digests": [["rows", rows.digest]]})
    found = shown(work, cli)
    published(work, "facts", value | {"warnings": ["others"]}, op="statistics",
              fingerprint=Fingerprint("f" * 64), parts={"digests": [["rows", "0" * 64]]})  # fmt: skip
    other = shown(work, cli)

    for text in (
        "found by node facts",
        "few rows",
        "words p95",
        "label in train",
        "words a row in train",
    ):
        assert text in found.text, text
    assert "found by node facts" not in other.text
