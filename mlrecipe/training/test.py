"""Testing: a checkpoint over every row of a split, once, with its predictions kept."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from torch import nn

from mlrecipe import events
from mlrecipe.interfaces import Head, Model, Task
from mlrecipe.recipe import splits
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.reporting import report as reporting
from mlrecipe.reporting.examples import words_of
from mlrecipe.training import trainer as trainers
from mlrecipe.training.checks import check_trainer
from mlrecipe.training.companions import companions
from mlrecipe.training.data import test_loader
from mlrecipe.training.devices import precision
from mlrecipe.training.frozen import layers as frozen
from mlrecipe.training.keeping.checkpoints import metrics_of, read_record
from mlrecipe.training.keeping.tested import Keep, Kept
from mlrecipe.training.module import Learner
from mlrecipe.training.preparing import keyed
from mlrecipe.training.progress import TestProgress
from mlrecipe.training.sets import TestSet, test_sets, unlabelled
from mlrecipe.training.settling import of_head


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """What the test came to."""

    __test__ = False  # not a test class for pytest

    metrics: Mapping[str, float]
    """`test/loss` and `test/…` for each metric of the task; of several splits under their own names.

    Splits without labels have none."""

    rows: int
    """Rows tested, of all splits."""

    seconds: float
    """Wall-clock time, loading of the model left out."""

    predictions: Mapping[str, Path]
    """Split → Arrow stream with row, label, prediction, probabilities and columns of its rows; none for a
    module of the user's own."""

    splits: Mapping[str, int] = field(default_factory=dict)
    """Split → its rows, in the recipe's order."""

    unlabelled: Sequence[str] = ()
    """Those of the splits that have no labels: their rows were only predicted."""


def test(
    *,
    task: Task,
    model: Model,
    spec: TestSpec,
    data: Mapping[str, Dataset],
    checkpoint: Path,
    folder: Path,
    trainer: Mapping[str, Any] | None = None,
    derive: frozen.Derive | None = None,
) -> TestReport:
    """Test a checkpoint on one split or several; predictions and `metrics.json` go into `folder`.

    Labels go by the names that the checkpoint was trained with; a split without any is predicted. `trainer`
    holds arguments of Lightning's Trainer. Several processes take the batches in turn; the first puts
    together what they give. `derive` keeps the outputs of a frozen encoder.

    Each batch is in the folder as soon as it is tested. Where an equal test was stopped there, this one goes on
    with it, to the same metrics and predictions; `keeping.tested.forget` removes what that needs.

    Raises:
        DataError: a split is missing or does not fit the checkpoint; `key` is the recipe's own.
        TrainingError: there is no checkpoint, or it is damaged; or the folder has what another test left.
    """
    check_trainer(trainer or {}, trainers.TRAINER_ARGUMENTS)
    head = read_record(checkpoint).head
    task = of_head(task, head)
    with keyed("task", data="test.data"):
        sets = test_sets(task, spec.split, data, head)
    with trainers.quiet(), keyed("task", data="test.data"):
        network = model.load(checkpoint)
        for each in sets:
            task.check(network, each.rows, split=each.split)
        sets, kept = _kept(sets, task, model, network, derive)
        learner = Learner(task=task, head=head, network=network, tested=sets)
        rows = {each.split: len(each.rows) for each in sets}
        keep = Keep(
            [_to_keep(each, data[each.split], folder, head, spec) for each in sets], head,
            checkpoint=checkpoint, batch_size=spec.batch_size,
        )  # fmt: skip
        progress = TestProgress(rows=sum(rows.values()))
        lightning = trainers.make_trainer(
            folder=folder, loggers=[], callbacks=[progress, keep],
            **trainers.test_arguments(trainer or {}),
        )  # fmt: skip
        precision.use_kept(lightning, trainer or {}, checkpoint.parents[1])
        events.emit(events.StageStarted("test", splits.counted(rows)))
        if (text := unlabelled(sets)) is not None and lightning.is_global_zero:
            events.emit(events.Note(text))
        started = time.perf_counter()
        if kept is not None:
            kept.settle(lightning, network, pays=True)
        ranks = {"rank": lightning.global_rank, "world_size": lightning.world_size}
        keep.take_up(**ranks)
        progress.done = keep.rows
        loaders = [
            test_loader(each.task, spec, each.rows, start=start, **ranks)
            for each, start in zip(sets, keep.starts, strict=True)
        ]
        trainers.run(lambda: lightning.test(learner, loaders, verbose=False))
    report = TestReport(
        metrics=_ordered(metrics_of(lightning), sets), rows=sum(rows.values()),
        seconds=time.perf_counter() - started, splits=rows,
        predictions={each.split: folder / each.file for each in sets},
        unlabelled=[each.split for each in sets if not each.is_labelled],
    )  # fmt: skip
    if lightning.is_global_zero:
        _write_metrics(report, spec, folder / "metrics.json")
        words = {each.split: words_of(data[each.split]) for each in sets}
        reporting.write(folder, report.predictions, words=words)
    return report


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def _to_keep(each: TestSet, rows: Dataset, folder: Path, head: Head, spec: TestSpec) -> Kept:
    """What is to be kept of a split; `rows` are its own, not encoded."""
    return Kept(
        path=folder / each.file, split=each.split, rows=len(rows),
        beside=companions(rows, head, keep=spec.keep),
    )  # fmt: skip


def _kept(
    sets: list[TestSet], task: Task, model: Model, network: nn.Module,
    derive: frozen.Derive | None,
) -> tuple[list[TestSet], frozen.Frozen | None]:  # fmt: skip
    """The sets such that outputs of a frozen encoder are kept, where they can be, and what keeps them."""
    encoded = {each.split: each.rows for each in sets if each.is_labelled}
    kept = frozen.of_test(task=task, model=model, network=network, encoded=encoded, derive=derive)
    if kept is None:
        return sets, None
    return [
        replace(each, task=kept.task, rows=kept.encoded[each.split]) if each.is_labelled else each
        for each in sets
    ], kept


def _ordered(metrics: Mapping[str, float], sets: Sequence[TestSet]) -> dict[str, float]:
    """The metrics of each split on end, in the order of the splits."""
    places = [each.place for each in sets]
    number = {name: places.index(p) for name in metrics for p in places if name.startswith(f"{p}/")}
    return {name: metrics[name] for name in sorted(metrics, key=lambda n: number.get(n, -1))}


def _write_metrics(report: TestReport, spec: TestSpec, path: Path) -> None:
    content = {
        "split": spec.split, "rows": report.rows, "splits": dict(report.splits),
        "metrics": dict(report.metrics),
    }  # fmt: skip
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
