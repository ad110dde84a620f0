"""Calls: an op called with its inputs and arguments, and its errors as errors of its node."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, MlrecipeError, OpError, RecipeError, StoreError, Terminated
from mlrecipe.graph.graph import Node
from mlrecipe.pipeline import blame, shards
from mlrecipe.pipeline.request import Request
from mlrecipe.pipeline.shards import Shard
from mlrecipe.recipe.deferred import reveal
from mlrecipe.registry import registries
from mlrecipe.store.outputs import VERIFY
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


def call(
    node: Node,
    request: Request,
    store: Store,
    records: Mapping[str, Record],
    *,
    scratch: Path | None,
    shard: Shard | None = None,
) -> Any:
    """What the op returns for its inputs, or for one shard of the first of them.

    Raises:
        MlrecipeError: the op failed; what it raised has become an error that names the node.
    """
    try:
        return _call(node, store, records, scratch, shard)
    except (KeyboardInterrupt, Terminated):
        raise
    except StoreError as error:  # says itself what is damaged
        _let_go(error)
        raise
    except BaseException as error:  # asyncio's and pytest's own are no `Exception`
        where = shards.place(shard, node, records) if shard else ""
        failure = _failure(error, node, request, where)
        _let_go(error)
        if damaged := blame.damaged(node, records, store):
            raise StoreError(f"{failure}; {damaged}", hint=VERIFY) from error
        if isinstance(error, DataError):
            raise placed(error, node, request, where=where) from error
        if isinstance(error, MlrecipeError):
            raise
        raise OpError(failure, hint=blame.HINT) from error


def apply(node: Node, request: Request, values: Sequence[Any], *, scratch: Path | None) -> Any:
    """What the op returns for values that are here already, in the order of its inputs; nothing is stored.

    Raises:
        MlrecipeError: as `call` does.
    """
    try:
        return _apply(node, values, scratch)
    except (KeyboardInterrupt, Terminated):
        raise
    except DataError as error:
        raise placed(error, node, request) from error
    except MlrecipeError:
        raise
    except BaseException as error:
        raise OpError(_failure(error, node, request, ""), hint=blame.HINT) from error


def placed(error: DataError, node: Node, request: Request, *, where: str = "") -> RecipeError:
    """The error of an op about its data, at the place of the parameter that it names."""
    path = node.path + ((error.key,) if error.key else ())
    message = error.message + where
    message = f"{message}; {error.hint}" if error.hint else message
    problem = request.tree.problem(path, message)
    return RecipeError([problem], subject=request.tree.layers[-1].name)


def _call(
    node: Node, store: Store, records: Mapping[str, Record], scratch: Path | None,
    shard: Shard | None,
) -> Any:  # fmt: skip
    # Loaded for this op alone: what one node does to an input no other ever sees.
    values = [store.load(records[i.node], entry=i.entry) for i in node.inputs]
    if shard is not None:
        values[0] = shards.cut(values[0], shard)
    return _apply(node, values, scratch)


def _apply(node: Node, values: Sequence[Any], scratch: Path | None) -> Any:
    function = registries["op"].get(node.spec.use)
    arguments: dict[str, Any] = copy.deepcopy(reveal(node.arguments))
    if "scratch" in node.found.signature.params:
        arguments["scratch"] = scratch
    try:
        return function(*values, **arguments)
    except SystemExit as error:  # an op does not decide how the command ends
        raise OpError(
            f"node {node.name!r} (op {node.spec.use!r}) called sys.exit({error.code!r})"
        ) from error


def _failure(error: BaseException, node: Node, request: Request, where: str) -> str:
    """What to say of an error of an op: where it came from."""
    if isinstance(error, OpError):
        return error.message
    cause = blame.cause_of(error, request.loaded.project)
    return f"node {node.name!r} (op {node.spec.use!r}) failed at {cause}{where}"


def _let_go(error: BaseException) -> None:
    """Free what the frames of an error hold: it is kept until the command ends, the data need not be."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        traceback.clear_frames(found.__traceback__)
        found = found.__cause__ or found.__context__
