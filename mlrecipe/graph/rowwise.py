"""Rowwise ops: whether those that a recipe wants to run in shards may be."""

from __future__ import annotations

from collections.abc import Mapping

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.signatures import Signature
from mlrecipe.errors import Problem
from mlrecipe.recipe.evaluation import NODES
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath


def is_rowwise(signature: Signature) -> bool:
    """Whether the op says of itself that it treats each row of its first input by itself."""
    return signature.options.get("rowwise") is True and bool(signature.inputs)


def check(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Nodes with `shards` whose op is not rowwise; what is no number is left to the structure."""
    families: list[KeyPath] = [("nodes",), NODES]
    tables = {(*f, name): t for f in families for name, t in table_at(tree.values, f).items()}
    problems = []
    for path, table in tables.items():
        shards = table.get("shards") if isinstance(table, Mapping) else None
        if type(shards) is not int or shards <= 1 or not isinstance(table.get("use"), str):
            continue
        found = catalog.find("op", table["use"])
        if found is not None and not is_rowwise(found.signature):
            problems.append(tree.problem((*path, "shards"), _message(found.signature)))
    return problems


def _message(signature: Signature) -> str:
    if signature.options.get("rowwise") is True:
        return f"op {signature.name!r} has no input to cut into shards"
    return (
        f"op {signature.name!r} cannot run in shards: it is not declared to treat each row by itself "
        "(rowwise=True in its decorator)"
    )
