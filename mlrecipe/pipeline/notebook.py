"""Outputs in Python: the value of a node, in a notebook say, computed if need be."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from mlrecipe import events, plugins
from mlrecipe.errors import DataError, RequestError
from mlrecipe.pipeline.execute import execute
from mlrecipe.pipeline.places import store_root
from mlrecipe.pipeline.plan import plan
from mlrecipe.pipeline.request import open_request
from mlrecipe.pipeline.secrets import check_secrets
from mlrecipe.recipe.project import find_recipe, project_of
from mlrecipe.recipe.schema import Overrides
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


def output(
    recipe: str | os.PathLike[str],
    node: str,
    *,
    set: str | Sequence[str] = (),
    pick: str | Sequence[str] = (),
) -> Any:
    """The output of a recipe's node; what is not in the store is computed first.

    Args:
        recipe: a file, or the name of one in the project's `recipes/`, as on the command line.
        node: name of a node, or `"split.train"` for one entry of its output.
        set: what `--set` takes: `"nodes.tokens.max_length=64"`, or a list of such texts.
        pick: what `--pick` takes: `"model=tiny"`, or a list of such texts.

    Warns:
        UserWarning: what the command line would warn of, such as a stored output that is damaged.

    Raises:
        RequestError: the recipe or the request is wrong; nothing was run.
        MlrecipeError: a node failed.
    """
    overrides = Overrides(sets=_texts(set), picks=_texts(pick))
    with nullcontext() if events.are_heard() else events.listening(_warner(sys._getframe(1))):
        return _output(recipe, node, overrides)


def _output(recipe: str | os.PathLike[str], node: str, overrides: Overrides) -> Any:
    here = Path.cwd()
    path = find_recipe(os.fspath(recipe), here=here)
    project = project_of(path.parent)
    store = Store(store_root(project))
    request = open_request(path, overrides, here=here, memo=store.memo)
    name, _, entry = node.partition(".")
    planned = plan(request, store, nodes=[name])
    hits = [step.record for step in planned.steps if step.record is not None]
    # A gc elsewhere leaves alone what is used and made in the block. Afterwards it may delete files that the
    # value has mapped into memory: on Linux and macOS those can be read though they have no name any more.
    with store.using(hits) as is_there:
        if not is_there:  # gone for long and not needed, or a gc was quicker
            planned = plan(request, store, nodes=[name])
        if not planned.is_done:
            todo = [step.node.name for step in planned.steps if step.status != "hit"]
            check_secrets(request, [("nodes", each) for each in todo])
            plugins.load(request.catalog.plugins, project=project)
        results = execute(planned, request, store)
        results.raise_failures()
        return _loaded(store, results.records[name], entry)


def _loaded(store: Store, record: Record, entry: str) -> Any:
    try:
        return store.load(record, entry=entry)
    except DataError as error:  # there is no such entry: here no key of a recipe is to blame
        raise RequestError(error.message, hint=error.hint) from None


def _warner(caller: FrameType) -> Callable[[events.Event], None]:
    """Makes warnings of Python, at the caller's line, of those among the events."""
    place, line = caller.f_code.co_filename, caller.f_lineno
    module = caller.f_globals.get("__name__", "<string>")

    def warn(event: events.Event) -> None:
        if isinstance(event, events.Note) and event.level == "warning":
            text = f"{event.node}: {event.text}" if event.node else event.text
            warnings.warn_explicit(text, UserWarning, place, line, module=module)

    return warn


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
