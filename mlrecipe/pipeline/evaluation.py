"""Evaluation: the recipe's evaluation nodes over the predictions of a run, stored and explained as any node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError, Problem, RecipeError, RequestError
from mlrecipe.graph import evaluation as graphs
from mlrecipe.graph.graph import Graph, Node
from mlrecipe.pipeline import calls
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.layers import Tree
from mlrecipe.recorder.metrics import metrics_of
from mlrecipe.runs import predictions
from mlrecipe.runs.run import Run, find
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

FILE = "evaluation.json"
"""What the evaluation nodes came to, in a test run's folder."""

METRICS = "metrics.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an evaluation of a test run will compute."""

    run: Run

    request: Request
    """The recipe, with the evaluation graph in place of the data graph."""

    places: Mapping[str, str]
    """Name of each evaluation node in that graph → what its metrics' names begin with: `test/slices`."""

    left_out: tuple[str, ...] = ()
    """Splits of the test that have no labels: they are not evaluated."""


def target(request: Request, run: Run) -> Target:
    """The evaluation of a finished test run by a recipe; of several splits each has nodes of its own.

    Raises:
        RequestError: the run has no predictions, or none with labels.
        RecipeError: predictions that a node takes are not there.
    """
    if why := why_not(run):
        raise RequestError(f"run {run.id} cannot be evaluated: {why}")
    splits, known = predictions.labelled(run), predictions.files(run)
    wanted = list(request.loaded.recipe.evaluate.nodes)
    nodes: dict[str, Any] = {}
    places: dict[str, str] = {}
    for split in splits:
        prefix = "" if len(known) == 1 else f"{split}/"
        files = _files(request, run, split, wanted)
        graph = graphs.build(
            request.loaded, request.catalog, request.graph, files=files, prefix=prefix
        )
        nodes |= graph.nodes
        start = predictions.place(run, split)
        places |= {f"{prefix}{name}": f"{start}/{name}" for name in wanted}
    return Target(
        run=run, request=request.over(Graph(nodes)), places=places,
        left_out=tuple(name for name in known if name not in splits),
    )  # fmt: skip


def untested(request: Request) -> Graph:
    """The evaluation graph of a recipe of which nothing was tested yet: there are no predictions to read."""
    names = graphs.sources(request.loaded, request.loaded.recipe.evaluate.nodes)
    files = dict.fromkeys(names, request.loaded.base / "predictions.arrow")
    return graphs.build(request.loaded, request.catalog, request.graph, files=files)


def why_not(run: Run) -> str:
    """Why a finished test has nothing to evaluate; empty where it has."""
    if not predictions.files(run):
        return predictions.NO_ROWS
    return "" if predictions.labelled(run) else "it was tested on rows without labels"


def runs_of(project: Path) -> Callable[[Tree, Catalog], list[Problem]]:
    """A check of a recipe: whether the runs are there whose predictions its evaluation nodes take."""

    def check(tree: Tree, catalog: Catalog) -> list[Problem]:
        found = []
        for path, text in evaluation.places(tree.values):
            run_id, split = evaluation.of_run(text)
            if not text.startswith(evaluation.RUN) or not run_id:
                continue
            try:
                predictions.referred(project, run_id, split, other=_tested(tree))
            except RequestError as error:
                found.append(tree.problem(path, str(error)))
        return found

    return check


def evaluated(target: Target, records: Mapping[str, Record], store: Store) -> dict[str, Any]:
    """What each evaluation node came to, now that its output is in the store: what `evaluation.json` says.

    Node → `op`, `fingerprint`, `digest`, `seconds` and `metrics`, its numbers by their names.

    Raises:
        RecipeError: a node gave a number a name that no metric can have.
    """
    known, found = of(target.run), {}
    for name in target.places:
        try:
            found[name] = _facts(records[name], store, known.get(name))
        except DataError as error:
            raise unnamed(error, target.request.graph.nodes[name], target.request) from error
    return found


def unnamed(error: DataError, node: Node, request: Request) -> RecipeError:
    """The error of a node whose output has a metric without a fit name, at its place in the recipe."""
    told = DataError(f"op {node.spec.use!r}: {error.message}", hint=error.hint)
    return calls.placed(told, node, request)


def conclude(target: Target, found: Mapping[str, Any]) -> dict[str, float]:
    """Write what an evaluation came to into its run: `evaluation.json`, and its metrics to the others.

    Returns:
        Its metrics, as `metrics.json` has them.
    """
    run = target.run
    before, metrics = of(run), _read(run, METRICS)
    stale = metrics_in(run, metrics)
    metrics = {key: value for key, value in metrics.items() if key not in stale}
    fresh = {
        key: value
        for name, facts in found.items()
        for key, value in under(target.places[name], facts["metrics"]).items()
    }
    if before != dict(found) or stale != fresh:
        run.write(METRICS, {**metrics, **fresh})
        run.write(FILE, dict(found))
    return fresh


def of(run: Run) -> dict[str, Any]:
    """What a test run's `evaluation.json` says; nothing where it was not evaluated."""
    return _read(run, FILE)


def metrics_in(run: Run, metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of a test run's metrics that its evaluation nodes gave."""
    starts = [_place(run, name) for name in of(run)]
    return {
        key: value
        for key, value in metrics.items()
        if any(key == start or key.startswith(f"{start}/") for start in starts)
    }


def under(start: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """A node's metrics by their whole names; one without a name of its own has that of the node."""
    return {f"{start}/{name}" if name else start: value for name, value in metrics.items()}


def _facts(record: Record, store: Store, known: Any) -> dict[str, Any]:
    metrics = known.get("metrics") if isinstance(known, dict) else None
    if not isinstance(metrics, dict) or (
        known.get("fingerprint"), known.get("digest")
    ) != (record.fingerprint, record.digest):  # fmt: skip
        metrics = metrics_of(store.load(record))
    return {
        "op": record.op, "fingerprint": record.fingerprint, "digest": record.digest,
        "seconds": record.seconds, "metrics": metrics,
    }  # fmt: skip


def _files(request: Request, run: Run, split: str, wanted: list[str]) -> dict[str, Path]:
    """The file of each input that is predictions."""
    found: dict[str, Path] = {}
    for name in graphs.sources(request.loaded, wanted):
        try:
            found[name] = _file(request, run, split, name)
        except RequestError as error:
            at = next(p for p, text in evaluation.places(request.tree.values) if text == name)
            problem = request.tree.problem(at, str(error))
            raise RecipeError([problem], subject=request.name) from error
    return found


def _file(request: Request, run: Run, split: str, name: str) -> Path:
    project = request.loaded.project
    if name == evaluation.PREDICTIONS:
        return predictions.files(run)[split]
    if name == evaluation.VALIDATION:
        parent = find(project, str(run.facts.get("parent")))
        return predictions.of_validation(parent, str(run.facts.get("checkpoint")))
    run_id, wanted = evaluation.of_run(name)
    return predictions.referred(project, run_id, wanted, other=split)


def _place(run: Run, node: str) -> str:
    """What the metrics of a node of `evaluation.json` begin with."""
    split, slash, name = node.rpartition("/")
    return f"{predictions.place(run, split)}/{name}" if slash else f"test/{name}"


def _tested(tree: Tree) -> str:
    """The split that the recipe tests on; the first of several, empty where that cannot be told."""
    test = tree.values.get("test")
    split = test.get("split", "test") if isinstance(test, dict) else "test"
    split = split[0] if isinstance(split, list) and split else split
    return split if isinstance(split, str) else ""


def _read(run: Run, name: str) -> dict[str, Any]:
    try:
        found = json.loads((run.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
