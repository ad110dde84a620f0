"""Submissions to GLUE: eleven tables with exact headers, rows and labels."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.inference.exporting import submission
from mlrecipe.inference.exporting.glue_runs import ROWS
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from tests.glue_runs import judged, recipe, write_predictions

pytestmark = pytest.mark.heavy

OFFICIAL = {
    "CoLA.tsv": 1063, "SST-2.tsv": 1821, "MRPC.tsv": 1725, "STS-B.tsv": 1379, "MNLI-m.tsv": 9796,
    "MNLI-mm.tsv": 9847, "QNLI.tsv": 5463, "QQP.tsv": 390965, "RTE.tsv": 3000, "WNLI.tsv": 146,
    "AX.tsv": 1104,
}  # fmt: skip
"""Rows of each test set, as GLUE gives them."""

NAMES = {
    "cola": ["unacceptable", "acceptable"], "sst2": ["negative", "positive"],
    "mrpc": ["not_equivalent", "equivalent"], "qqp": ["not_duplicate", "duplicate"],
    "wnli": ["not_entailment", "entailment"], "qnli": ["entailment", "not_entailment"],
    "rte": ["entailment", "not_entailment"], "mnli": ["entailment", "neutral", "contradiction"],
}  # fmt: skip
"""The labels in the hub's order."""


def predictions(task: str, count: int) -> list[Any]:
    """Any at all, always the same."""
    draw = random.Random(task)
    if task == "stsb":
        return [draw.uniform(-1, 6) for _ in range(count)]
    return draw.choices(NAMES["mnli" if task.startswith(("mnli", "ax")) else task], k=count)


def predicted(project: Path, task: str, **changes: Any) -> Run:
    """A test of a task's test set, MNLI's both at once, AX's by a model of MNLI."""
    if task == "mnli":
        splits = ["test_matched", "test_mismatched"]
        found = {s: predictions(f"mnli_{s[5:]}", ROWS[f"mnli_{s[5:]}"]["test"]) for s in splits}
        return judged(project, recipe("mnli"), {}, split=splits, predictions=found)
    values = recipe("mnli", tested="ax") if task == "ax" else recipe(task)
    rows = changes.get("count", ROWS[task]["test"])
    return judged(project, values, {}, predictions={"test": predictions(task, rows)})


@pytest.fixture
def export(project: Path) -> Callable[..., list[Path]]:
    """Writes the submission of a project's runs."""

    def call(**options: Any) -> list[Path]:
        chosen = submission.choose(running.every(project))
        return submission.write(chosen, project / "out", **options)

    return call


def cells(path: Path) -> list[list[str]]:
    """A table's lines, cell by cell."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [line.split("\t") for line in text[:-1].split("\n")]


def test_glue_33_eleven_tables_have_the_rows_and_labels_that_glue_wants(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """Header, an index for each row of the test set, label names for four tasks, 0 and 1 or a number."""
    for task in ("cola", "sst2", "mrpc", "stsb", "mnli", "qnli", "qqp", "rte", "wnli", "ax"):
        predicted(project, task)

    written = {path.name: cells(path) for path in export()}

    assert {name: len(lines) - 1 for name, lines in written.items()} == OFFICIAL
    for name, lines in written.items():
        assert lines[0] == ["index", "prediction"], name
        assert [index for index, _ in lines[1:]] == [str(n) for n in range(OFFICIAL[name])], name
    for name, task in [("MNLI-m.tsv", "mnli_matched"), ("MNLI-mm.tsv", "mnli_mismatched"),
                       ("AX.tsv", "ax"), ("QNLI.tsv", "qnli"), ("RTE.tsv", "rte")]:  # fmt: skip
        assert [line[1] for line in written[name][1:]] == predictions(task, OFFICIAL[name])
    for name, task in [("CoLA.tsv", "cola"), ("SST-2.tsv", "sst2"), ("MRPC.tsv", "mrpc"),
                       ("QQP.tsv", "qqp"), ("WNLI.tsv", "wnli")]:  # fmt: skip
        ids = [str(NAMES[task].index(label)) for label in predictions(task, OFFICIAL[name])]
        assert [line[1] for line in written[name][1:]] == ids


def test_similarities_have_three_decimals_between_0_and_5(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """As GLUE's scale has them; never a minus before a zero."""
    values = [-0.4, -0.0001, 0.0, 2.34567, 5.0, 7.25]
    judged(project, recipe("stsb"), {}, predictions={"test": values + [1.0] * 1373})

    (path,) = export(partial=True)

    shown = [line[1] for line in cells(path)[1:7]]
    assert shown == ["0.000", "0.000", "0.000", "2.346", "5.000", "5.000"]


def test_missing_tasks_are_named_or_left_out(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """Nothing is written before one has asked for a part."""
    predicted(project, "wnli")
    predicted(project, "cola")

    with pytest.raises(RequestError, match=r"sst2, mrpc, stsb, mnli_matched, .*ax; .*--partial"):
        export()
    assert not (project / "out").exists()

    assert [path.name for path in export(partial=True)] == ["CoLA.tsv", "WNLI.tsv"]


@pytest.mark.parametrize("count", [145, 147])
def test_another_number_of_rows_than_the_test_set_has_is_an_error(
    project: Path, export: Callable[..., list[Path]], count: int
) -> None:
    """Of a limited run, or of another set."""
    predicted(project, "wnli", count=count)

    with pytest.raises(RequestError, match=f"has {count} predictions for wnli, .* 146 rows"):
        export(partial=True)
    assert not (project / "out").exists()


def test_rows_out_of_order_are_an_error(project: Path, export: Callable[..., list[Path]]) -> None:
    """GLUE goes by the index."""
    run = predicted(project, "wnli")
    rows = [1, 0, *range(2, 146)]
    write_predictions(run.folder / "predictions.arrow", predictions("wnli", 146), rows=rows)

    with pytest.raises(RequestError, match="not in the order of the rows"):
        export(partial=True)


def test_labels_that_are_none_of_the_task_are_an_error(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """Not guessed at by their order."""
    judged(project, recipe("wnli"), {}, predictions={"test": ["yes", "no"] * 73})

    with pytest.raises(RequestError, match=r"predicts 'no', which is no label of wnli; its labels"):
        export(partial=True)


def test_the_newest_finished_test_of_the_test_set_counts(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """Not one of the validation set, nor one that failed."""
    old, new = (["entailment"] * 146, ["not_entailment"] * 146)
    judged(project, recipe("wnli"), {}, predictions={"test": old})
    judged(project, recipe("wnli"), {}, predictions={"test": new})
    judged(project, recipe("wnli"), {}, predictions={"test": old}).finish("failed")
    judged(project, recipe("wnli"), {}, split="validation", predictions={"validation": old[:71]})

    (path,) = export(partial=True)

    assert {line[1] for line in cells(path)[1:]} == {"0"}


def test_files_that_are_there_stay_unless_forced(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """All or nothing; other files of the folder stay in any case."""
    predicted(project, "wnli")
    (project / "out").mkdir()
    for name in ("WNLI.tsv", "notes.txt"):
        (project / "out" / name).write_text("mine")

    with pytest.raises(RequestError, match=r"has WNLI.tsv already"):
        export(partial=True)
    export(partial=True, force=True)

    assert len(cells(project / "out" / "WNLI.tsv")) == 147
    assert (project / "out" / "notes.txt").read_text() == "mine"
    assert len(list((project / "out").iterdir())) == 2


def test_the_archive_has_the_tables_at_its_top(
    project: Path, export: Callable[..., list[Path]]
) -> None:
    """And is the same for the same predictions."""
    predicted(project, "wnli")

    table, archive = export(partial=True, archive=True)
    first = archive.read_bytes()
    export(partial=True, archive=True, force=True)

    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["WNLI.tsv"]
        assert packed.read("WNLI.tsv") == table.read_bytes()
    assert archive.read_bytes() == first
