"""The judge of validations: evaluation nodes over a file of predictions, in this process; nothing is stored."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError
from mlrecipe.graph import evaluation as graphs
from mlrecipe.graph import fingerprint as prints
from mlrecipe.graph.graph import Input, Node
from mlrecipe.interfaces import Memo
from mlrecipe.pipeline import calls
from mlrecipe.pipeline.evaluation import under, unnamed
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import evaluation
from mlrecipe.recorder.metrics import metrics_of
from mlrecipe.registry import registries


class Judge:
    """Computes the evaluation nodes that run on validation: an `Evaluator`.

    Plugins must have been loaded before it evaluates.
    """

    def __init__(self, request: Request, names: Sequence[str]) -> None:
        self._request = request
        self._names = names
        self._nodes = nodes_of(request, names)
        self._told: set[tuple[str, str]] = set()

    def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
        """The metrics of the nodes over a file of predictions: `<node>/<name>`, or `<node>` → value.

        `split` is the name of the predictions' split; the nodes are not told.

        Raises:
            MlrecipeError: a node failed; the error says which.
        """
        read = registries["op"].get(graphs.READS)
        outputs: dict[str, Any] = {}
        for node in self._nodes:
            # Taken for this op alone: what one node does to an input no other ever sees.
            values = [
                read(path=str(predictions)) if i.node == evaluation.PREDICTIONS
                else _copied(_entry(outputs[i.node], i)) for i in node.inputs
            ]  # fmt: skip
            outputs[node.name] = self._call(node, values)
        found: dict[str, float] = {}
        nodes = {node.name: node for node in self._nodes}
        for name in self._names:
            try:
                found |= under(name, metrics_of(outputs[name]))
            except DataError as error:
                raise unnamed(error, nodes[name], self._request) from error
        return found

    def _call(self, node: Node, values: Sequence[Any]) -> Any:
        with ExitStack() as stack:
            scratch = None
            if "scratch" in node.found.signature.params:
                scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            with events.passing(lambda event: self._news(event, node.name)):
                return calls.apply(node, self._request, values, scratch=scratch)

    def _news(self, event: events.Event, node: str) -> events.Event | None:
        """A note with the node that it is of, once: every validation would say it again."""
        if not isinstance(event, events.Note):
            return event
        what = (node, re.sub(r"\d+", "", event.text))  # the next one may have other numbers
        is_new = what not in self._told
        self._told.add(what)
        return replace(event, node=event.node or node) if is_new else None


def judge(request: Request) -> Judge | None:
    """The judge of a recipe's validations; None where their predictions are of no use.

    Where a node takes `validation` they are kept for it, even if no node runs on them.
    """
    values = request.loaded.values
    names = evaluation.on_validation(values)
    is_taken = any(text == evaluation.VALIDATION for _, text in evaluation.places(values))
    return Judge(request, names) if names or is_taken else None


def nodes_of(request: Request, names: Sequence[str]) -> list[Node]:
    """Evaluation nodes and those that they need, inputs first."""
    wanted = dict.fromkeys(
        each for name in names for each in evaluation.needed(request.loaded.values, name)
    )
    return [graphs.node(name, request.loaded, request.catalog) for name in wanted]


def watched_facts(request: Request, memo: Memo | None) -> list[Any]:
    """All that decides over the metrics of evaluation nodes by which a training is guided; else nothing."""
    found = []
    for node in nodes_of(request, evaluation.watched(request.loaded.values)):
        parts = prints.own_parts(
            node, project=request.loaded.project, memo=memo,
            strictness=request.loaded.recipe.library_versions,
        )  # fmt: skip
        found.append([node.name, [i.node for i in node.inputs], prints.own_hash(parts)])
    return found


def _copied(value: Any) -> Any:
    from mlrecipe.recorder.recorder import Recorder  # late: it brings pyarrow along

    return value.copy() if isinstance(value, Recorder) else copy.deepcopy(value)


def _entry(value: Any, taken: Input) -> Any:
    if not taken.entry:
        return value
    try:
        return value[taken.entry]
    except (KeyError, TypeError, IndexError):
        raise DataError(f"the output of {taken.node!r} has no entry {taken.entry!r}") from None
