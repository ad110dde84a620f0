"""The present: what the code, files and libraries that a recipe uses are now, to compare a run with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrecipe.code.closure import code_digest
from mlrecipe.graph.fingerprint import own_parts
from mlrecipe.interfaces import Memo
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.resolved import resolved
from mlrecipe.runs import differences, environment
from mlrecipe.runs.differences import Facts

_WHOLE = "*"
"""Stands for all that a file has, in digests of code."""

_COMPONENTS = ("data", "model", "task")


def facts(request: Request, nodes: Sequence[str], memo: Memo | None = None) -> Facts:
    """What can be compared of code, files, libraries and repository as they are now; nothing is run.

    Args:
        request: the recipe.
        nodes: whose files and ops count, with those that they need.
        memo: remembers digests.
    """
    project = request.loaded.project
    used = request.graph.upto(nodes).nodes if nodes else {}
    about = {}
    for name, node in used.items():
        parts = own_parts(node, project=project, memo=memo)
        op = node.found.signature.name
        about[name] = {"op": op, "code": parts["code"], "files": parts["files"]}
    made_of = components(request, memo)
    texts = {
        path.relative_to(project).as_posix(): path.read_text("utf-8", "replace")
        for path in sources(request, memo)
    }
    data = differences.data_facts(about, made_of)
    git, patch = environment.git_state(project)
    return Facts(
        name="now",
        parts={
            "code": differences.code_facts(about, made_of, texts),
            "data": {name: digest for name, digest in data.items() if digest is not None},
            "environment": differences.environment_facts(environment.environment()),
            "git": differences.git_facts(git, patch),
        },
        sources=texts,
    )


def components(request: Request, memo: Memo | None = None) -> dict[str, Any]:
    """Model, task and data module → what is used, the files that it names with digests, its code's digest."""
    values = resolved(request.loaded, request.catalog)
    found = {}
    for key in _COMPONENTS:
        if values.get(key):
            known = stages.component_facts(request, key, values[key], memo)
            found[key] = {
                "use": values[key]["use"], "files": [list(item) for item in known["files"]],
                "code": known["code"],
            }  # fmt: skip
    return found


def sources(request: Request, memo: Memo | None = None) -> list[Path]:
    """The project's own files that the recipe's plugins are made of: they and all that they import."""
    project = request.loaded.project
    root = project.resolve()
    found: set[Path] = set()
    for plugin in request.catalog.plugins:
        reached = code_digest(plugin.path, _WHOLE, roots=[root], memo=memo)
        names = {symbol.partition("::")[0] for symbol in reached.symbols}
        found |= {plugin.path, *(root / name for name in (*names, *reached.whole))}
    inside = {project / path.relative_to(root) for path in found if path.is_relative_to(root)}
    return sorted(path for path in inside if path.is_file())
