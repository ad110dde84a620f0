"""Pins: which commit of the hub each id of a recipe stands for, and how a component is told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlrecipe.code.kinds import sources
from mlrecipe.code.signatures import Parameter
from mlrecipe.graph.externals import External
from mlrecipe.graph.graph import Graph, Node
from mlrecipe.recipe.deferred import Deferred

MAIN = "main"
"""The revision of those who ask for none."""

Asked = tuple[str, str, str]
"""What the hub is asked: kind of repository (`dataset` or `model`), its id, and the revision."""

Commits = Mapping[Asked, str]
"""The hub's answers, of 40 digits each."""

_REPOSITORIES = {"dataset": "dataset", "tokenizer": "model", "model": "model"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def is_commit(text: str) -> bool:
    """Whether a revision is a commit written in full: the hub need not be asked what it is."""
    return _COMMIT.fullmatch(text) is not None


def asked(external: External) -> Asked | None:
    """What to ask the hub of an external; None where there is nothing to ask."""
    if not external.is_hub or not external.revision:
        return None
    return _REPOSITORIES[external.kind], external.text, external.revision


def pin_graph(graph: Graph, commits: Commits) -> Graph:
    """The graph with every id of the hub at its commit, as far as commits are known."""
    return Graph({name: _pin_node(node, commits) for name, node in graph.nodes.items()})


def pin(
    values: Mapping[str, Any],
    named: Mapping[str, Sequence[External]],
    parameters: Mapping[str, Parameter],
    commits: Commits,
) -> tuple[dict[str, str], dict[str, tuple[External, ...]]]:
    """The parameters that tell a component its commits, and what it names with these commits.

    The first parameter that may name something of the hub has its revision in the parameter
    `revision`, another one in `<its name>_revision`. A component without such a parameter cannot be
    told, so what it names is not pinned.

    Args:
        values: the component's parameters.
        named: parameter → what it names outside the recipe.
        parameters: what the component accepts.
        commits: what the hub said.
    """
    told: dict[str, str] = {}
    pinned = {key: tuple(items) for key, items in named.items()}
    for key, items in pinned.items():
        teller = _revision_of(key, parameters)
        revision = values.get(teller) or _default(parameters.get(teller)) or MAIN
        is_one = isinstance(values.get(key), str) and len(items) == 1 and items[0].is_hub
        if not teller or not is_one or type(revision) is Deferred:
            continue
        external = replace(items[0], revision=revision)
        found = revision if is_commit(revision) else commits.get(asked(external) or ("", "", ""))
        if found:
            external, told[teller] = replace(external, commit=found), found
        pinned[key] = (external,)
    return told, pinned


def _pin_node(node: Node, commits: Commits) -> Node:
    if not any(e.is_hub for items in node.externals.values() for e in items):
        return node
    parameters = node.found.signature.params
    told, named = pin(node.arguments, node.externals, parameters, commits)
    return replace(
        node,
        arguments={**node.arguments, **told},
        params={key: value for key, value in node.params.items() if key not in told},
        externals=named,
    )


def _revision_of(key: str, parameters: Mapping[str, Parameter]) -> str:
    """The parameter with the revision of what `key` names; empty where there is none."""
    own = f"{key}_revision"
    if own in parameters:
        return own
    first = next((k for k, p in parameters.items() if _may_name_hub(p)), None)
    return "revision" if key == first and "revision" in parameters else ""


def _default(parameter: Parameter | None) -> str:
    return parameter.default if parameter and isinstance(parameter.default, str) else ""


def _may_name_hub(parameter: Parameter) -> bool:
    return sources(parameter.kind) in _REPOSITORIES
