"""A trial: one batch of every stage, to see whether they work; nothing of it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError
from mlrecipe.pipeline import stages as requests
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import splits
from mlrecipe.recipe.project import MARKERS
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store
from mlrecipe.training.collapse import COLLAPSED
from mlrecipe.training.conduct import blaming, describe, judging, learning, order_of
from mlrecipe.training.devices import distributed, ranks
from mlrecipe.training.signals import Stop

Metrics = Mapping[str, float]


def train(
    request: Request, records: Mapping[str, Record], store: Store, *, needs_test: bool = False
) -> dict[str, Metrics]:
    """Train and test as the recipe says, in a folder that is then removed; the metrics of both stages.

    Without a split to test on there is no test, unless it is needed.

    Raises:
        MlrecipeError: what the stage itself would raise.
    """
    recipe = request.loaded.recipe
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    with _aside(request) as folder, _placing(request), _calm():
        run = _run(folder / "train")
        with blaming("training", request):
            learn = learning(request, records, store)
            describe(run, request, records, [recipe.train.data])
            with distributed.stage(lambda: order_of("train", run, request, records)):
                report = learn(seed=seed, folder=run.folder, state=None, stop=Stop())
        found: dict[str, Metrics] = {"train": dict(report.best_metrics)}
        with blaming("testing", request):
            judge = judging(request, records, store)
        if needs_test or _has_split(judge, recipe.test.split):
            found["test"] = _test(request, records, judge, report.checkpoints["best"], folder)
        return found


def test(
    request: Request, records: Mapping[str, Record], store: Store, *, checkpoint: Path
) -> dict[str, Metrics]:
    """Test one batch with a checkpoint; its metrics.

    Raises:
        MlrecipeError: what the stage itself would raise.
    """
    with _aside(request) as folder, _placing(request), _calm():
        with blaming("testing", request):
            judge = judging(request, records, store)
        return {"test": _test(request, records, judge, checkpoint, folder)}


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def _test(
    request: Request, records: Mapping[str, Record], judge: Any, checkpoint: Path, folder: Path
) -> Metrics:
    recipe = request.loaded.recipe
    run = _run(folder / "test")
    if _is_alone(recipe.train.trainer) and _has_split(judge, recipe.test.split):
        judge = _with_one_batch(judge, recipe.test.split, recipe.test.batch_size)
    with blaming("testing", request):
        describe(run, request, records, [recipe.test.data or recipe.train.data])
        order = partial(order_of, "test", run, request, records, checkpoint=str(checkpoint))
        with distributed.stage(order):
            metrics: Metrics = judge(checkpoint=checkpoint, folder=run.folder).metrics
    return metrics


def _with_one_batch(judge: Any, split: str | list[str], size: int) -> Any:
    """What tests, on the first rows of each split."""
    from datasets import Dataset

    def first(rows: Dataset) -> Dataset:
        chosen = rows._indices is not None
        return rows if chosen else Dataset(rows.data.slice(0, size), info=rows.info)

    data = judge.keywords["data"]
    few = {name: first(data[name]) for name in splits.names(split)}
    whole = {"derive": None} if "derive" in judge.keywords else {}  # what is kept is of all rows
    return partial(judge, data={**data, **few}, **whole)


def _has_split(judge: Any, split: str | list[str]) -> bool:
    """Whether the data have it, or all of them; of a module's own data nothing is known."""
    data, names = judge.keywords.get("data"), splits.names(split)
    return isinstance(data, Mapping) and all(data.get(name) for name in names) and bool(names)


def _is_alone(trainer: Mapping[str, Any]) -> bool:
    """Whether this process tests by itself."""
    return trainer.get("devices", 1) == 1 and trainer.get("num_nodes", 1) == 1 and not ranks.own()


def _run(folder: Path) -> Run:
    """A folder in which a stage finds what it needs, and that is no run."""
    folder.mkdir()
    return Run(folder=folder, facts={"id": folder.name, "status": "running"})


@contextmanager
def _aside(request: Request) -> Iterator[Path]:
    """A folder of the project that is there for the block."""
    home = request.loaded.project / MARKERS[0]
    home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trial-", dir=home) as folder:
        yield Path(folder)


@contextmanager
def _calm() -> Iterator[None]:
    """Keep from saying that a model is no good which has learnt from one batch."""
    outside = copy_context()

    def listen(event: events.Event) -> None:
        if not (isinstance(event, events.Note) and event.text.endswith(COLLAPSED)):
            outside.run(events.emit, event)

    with events.listening(listen):
        yield


@contextmanager
def _placing(request: Request) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise requests.placed(error, request) from error
