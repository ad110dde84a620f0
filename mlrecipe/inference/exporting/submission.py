"""Submissions to GLUE: eleven tables of predictions for its test sets, as gluebenchmark.com reads them."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.inference.exporting.glue_runs import ROWS, predictions_of, sets_of
from mlrecipe.runs.run import Run

HEADER = "index\tprediction"
ARCHIVE = "submission.zip"
_LOWEST, _HIGHEST = 0.0, 5.0
"""The scale of STS-B."""

_THREE = ("entailment", "neutral", "contradiction")
_TWO = ("entailment", "not_entailment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One file of a submission."""

    file: str
    kind: Literal["names", "digits", "number"]
    """What GLUE wants in it: the labels' names, 0 and 1, or a number."""

    labels: tuple[str, ...] = ()
    """The labels' names, in the hub's order where they are written as digits."""


TABLES: Mapping[str, Table] = {
    "cola": Table(file="CoLA.tsv", kind="digits", labels=("unacceptable", "acceptable")),
    "sst2": Table(file="SST-2.tsv", kind="digits", labels=("negative", "positive")),
    "mrpc": Table(file="MRPC.tsv", kind="digits", labels=("not_equivalent", "equivalent")),
    "stsb": Table(file="STS-B.tsv", kind="number"),
    "mnli_matched": Table(file="MNLI-m.tsv", kind="names", labels=_THREE),
    "mnli_mismatched": Table(file="MNLI-mm.tsv", kind="names", labels=_THREE),
    "qnli": Table(file="QNLI.tsv", kind="names", labels=_TWO),
    "qqp": Table(file="QQP.tsv", kind="digits", labels=("not_duplicate", "duplicate")),
    "rte": Table(file="RTE.tsv", kind="names", labels=_TWO),
    "wnli": Table(file="WNLI.tsv", kind="digits", labels=("not_entailment", "entailment")),
    "ax": Table(file="AX.tsv", kind="names", labels=_THREE),
}
"""Task → its file, in the order of a submission; the diagnostic set is predicted by a model of MNLI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The predictions that a table is made of."""

    task: str
    run: Run
    path: Path


def choose(runs: Iterable[Run]) -> dict[str, Chosen]:
    """Of each task the predictions of the first finished test run of its test set; newest runs first."""
    found: dict[str, Chosen] = {}
    for run in runs:
        if run.facts.get("stage") != "test" or run.status != "finished":
            continue
        for task, split in sets_of(run, "test").items():
            path = predictions_of(run, split)
            if task in TABLES and task not in found and path.is_file():
                found[task] = Chosen(task=task, run=run, path=path)
    return {task: found[task] for task in TABLES if task in found}


def write(
    chosen: Mapping[str, Chosen], output: Path, *, partial: bool = False, force: bool = False,
    archive: bool = False,
) -> list[Path]:  # fmt: skip
    """Write a submission's tables into a folder, and its archive where that is wanted; gives the files.

    Nothing is written before all predictions have proved whole.

    Raises:
        RequestError: a task is missing and `partial` is not asked for, predictions are not GLUE's, or a file
            is there already and `force` is not asked for.
        MlrecipeError: they cannot be read or written.
    """
    missing = [task for task in TABLES if task not in chosen]
    if missing and (not partial or not chosen):
        what = f"the test set of {', '.join(missing)}" if chosen else "a test set of GLUE"
        raise RequestError(
            f"no finished test run has predictions for {what}",
            hint="test them, or leave them out with --partial"
            if chosen
            else 'a recipe of GLUE has a node with `use = "load-glue"`, and `test.split` names its test set',
        )
    names = [TABLES[task].file for task in chosen] + [ARCHIVE] * archive
    there = [name for name in names if (output / name).exists()]
    if there and not force:
        message = f"{str(output)!r} has {there[0]} already"
        raise RequestError(message, key="--output", hint="--force writes over it")
    texts = {TABLES[task].file: table(found) for task, found in chosen.items()}
    try:
        return _put(texts, output, archive=archive)
    except OSError as error:
        message = f"cannot write {str(output)!r}: {error.strerror or error}"
        raise MlrecipeError(message) from error


def table(chosen: Chosen) -> str:
    """The content of a task's file.

    Raises:
        RequestError: the predictions are not as many as the test set has rows, not in order, or of other
            labels.
        MlrecipeError: they cannot be read.
    """
    rows, predictions = _read(chosen.path)
    official = ROWS[chosen.task]["test"]
    if len(rows) != official:
        raise RequestError(
            f"run {chosen.run.id} has {len(rows):,} predictions for {chosen.task}, whose test set has "
            f"{official:,} rows",
            hint="test it again on all rows, without a limit",
        )
    if any(row != number for number, row in enumerate(rows)):
        raise RequestError(
            f"the predictions of run {chosen.run.id} are not in the order of the rows"
        )
    lines = _lines(predictions, TABLES[chosen.task], chosen)
    return "\n".join([HEADER, *(f"{n}\t{line}" for n, line in enumerate(lines))]) + "\n"


def _lines(predictions: Sequence[object], wanted: Table, chosen: Chosen) -> list[str]:
    if wanted.kind == "number":
        return [_number(value, chosen) for value in predictions]
    written = {name: name for name in wanted.labels}
    if wanted.kind == "digits":
        digits = {name: str(number) for number, name in enumerate(wanted.labels)}
        written = {**digits, **{digit: digit for digit in digits.values()}}
    unknown = {value for value in predictions if value not in written}
    if unknown:
        raise RequestError(
            f"run {chosen.run.id} predicts {sorted(map(repr, unknown))[0]}, which is no label of "
            f"{chosen.task}",
            hint=f"its labels are {', '.join(wanted.labels)}",
        )
    return [written[str(value)] for value in predictions]


def _number(value: object, chosen: Chosen) -> str:
    if not isinstance(value, float) or not math.isfinite(value):
        raise RequestError(f"run {chosen.run.id} predicts {value!r}, which is no number to submit")
    return f"{min(max(value, _LOWEST), _HIGHEST) + 0.0:.3f}"  # + 0.0: no minus before a zero


def _read(path: Path) -> tuple[list[int], list[object]]:
    """The rows' numbers and predictions."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            found = stream.read_all()
            return found.column("row").to_pylist(), found.column("prediction").to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise MlrecipeError(f"cannot read the predictions {str(path)!r}: {error}") from error


def _put(texts: Mapping[str, str], output: Path, *, archive: bool) -> list[Path]:
    output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with _aside(output / name).open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    if archive:
        with zipfile.ZipFile(_aside(output / ARCHIVE), "w", zipfile.ZIP_DEFLATED) as packed:
            for (
                name,
                text,
            ) in texts.items():  # without times: the same predictions give the same bytes
                packed.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    written = [output / name for name in (*texts, *([ARCHIVE] if archive else []))]
    for path in written:
        os.replace(_aside(path), path)
    return written


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
