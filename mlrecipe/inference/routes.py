"""Routes: the ops between the source of a recipe's data and what the model takes, as new rows must go."""

from __future__ import annotations

from collections.abc import Iterator

from mlrecipe.errors import RequestError
from mlrecipe.graph.graph import Graph, Node

_CHOOSES = ("split", "shuffle", "deduplicate", "filter", "concat", "breakpoint")
"""Built-in ops that choose or order rows: new rows are all taken, in their order."""

_OF_LABELS = ("map-labels", "convert-tags")
"""Built-in ops that write labels otherwise: done to new rows where they have some."""


def routes(graph: Graph, name: str) -> list[list[Node]]:
    """Every way from a source to the node, the source left out; several where rows were put together.

    Raises:
        RequestError: on each of them is an op of which it is not known how to do the same to new rows.
    """
    found, refused = [], []
    for way in _ways(graph, name):
        odd = next((node for node in way if not _is_known(node)), None)
        if odd is None:
            found.append(
                [node for node in way if node.found.plugin or node.spec.use not in _CHOOSES]
            )
        else:
            refused.append(odd)
    if not found:
        raise _unknown(refused[0])
    return found


def _ways(graph: Graph, name: str) -> Iterator[list[Node]]:
    node = graph.nodes[name]
    if not node.inputs:
        yield []
        return
    is_several = node.spec.use == "concat" and not node.found.plugin
    for feeding in node.inputs if is_several else node.inputs[:1]:
        for way in _ways(graph, feeding.node):
            yield [*way, node]


def _is_known(node: Node) -> bool:
    if not node.found.plugin and node.spec.use in (*_CHOOSES, *_OF_LABELS, "select"):
        return True
    return node.found.signature.options.get("rowwise") is True and len(node.inputs) == 1


def _unknown(node: Node) -> RequestError:
    what = f"node {node.name!r} (op {node.spec.use!r})"
    if len(node.inputs) > 1:
        return RequestError(f"{what} has a second input: the same cannot be done to new rows alone")
    return RequestError(
        f"{what} is not declared rowwise: it is not known how to do the same to new rows",
        hint="write rowwise=True in its decorator if each row of its output hangs on one row, and train again",
    )
