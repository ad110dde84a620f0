"""Outputs in Python: the value of a node, in a notebook say, computed if need be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrecipe import plugins
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.pipeline.execute import execute
from mlrecipe.pipeline.places import store_root
from mlrecipe.pipeline.plan import plan
from mlrecipe.pipeline.request import open_request
from mlrecipe.pipeline.secrets import check_secrets
from mlrecipe.recipe.project import find_recipe, project_of
from mlrecipe.recipe.schema import Overrides
from mlrecipe.store.store import Store


def output(
    recipe: str | os.PathLike[str],
    node: str,
    *,
    set: Sequence[str] = (),
    pick: Sequence[str] = (),
) -> Any:
    """The output of a recipe's node; what is not in the store is computed first.

    Args:
        recipe: a file, or the name of one in the project's `recipes/`, as on the command line.
        node: name of a node, or `"split.train"` for one entry of its output.
        set: what `--set` takes: `["nodes.tokens.max_length=64"]`.
        pick: what `--pick` takes: `["model=tiny"]`.

    Raises:
        RequestError: the recipe or the request is wrong; nothing was run.
        MlrecipeError: a node failed.
    """
    here = Path.cwd()
    path = find_recipe(os.fspath(recipe), here=here)
    project = project_of(path.parent)
    store = Store(store_root(project))
    overrides = Overrides(sets=tuple(set), picks=tuple(pick))
    request = open_request(path, overrides, here=here, memo=store.memo)
    name, _, entry = node.partition(".")
    planned = plan(request, store, nodes=[name])
    if not planned.is_done:
        todo = [step.node.name for step in planned.steps if step.status != "hit"]
        check_secrets(request, [("nodes", each) for each in todo])
        plugins.load(request.catalog.plugins, project=project)
    results = execute(planned, request, store)
    results.raise_failures()
    value = store.load(results.records[name])
    return value if not entry else _entry(value, node, entry)


def _entry(value: Any, node: str, entry: str) -> Any:
    try:
        return value[entry]
    except (KeyError, TypeError, IndexError):
        known = list(map(str, value)) if isinstance(value, dict) else []
        raise RequestError(
            f"{node!r}: the output has no entry {entry!r}", hint=did_you_mean(entry, known)
        ) from None
