"""Origins: what a model was trained on, as far as predicting other rows needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlrecipe.pipeline.request import Request
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run


def node(request: Request) -> str:
    """The node that was trained on."""
    return request.loaded.recipe.train.data.partition(".")[0]


def trained(run: Run) -> dict[str, dict[str, str]]:
    """Node → column → type, of all that the model was trained on; runs of older versions do not say it."""
    return {name: facts.get("columns", {}) for name, facts in manifest.inputs_of(run).items()}


def files(request: Request) -> Mapping[str, Any]:
    """What the recipe's first `load-files` is given."""
    graph = request.graph.upto([node(request)])
    found = (n for n in graph if n.spec.use == "load-files" and not n.found.plugin)
    return next((node.arguments for node in found), {})
