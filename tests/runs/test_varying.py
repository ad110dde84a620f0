"""Keys in which recipes differ."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.runs.varying import table, value, varying

NODE = {"evaluate.nodes.scaled.use": "scale", "evaluate.nodes.scaled.folds": 5}


@pytest.mark.parametrize(
    ("recipes", "keys"),
    [
        ([{"a": 1, "b": 2}, {"a": 1, "b": 3}], ["b"]),
        ([{"a": 1}, {"a": 1, "b": 2}], ["b"]),
        ([{"t.x": 1}, {"t.x": 1, "t.y": 2}], ["t.y"]),
        ([{"evaluate.keep": 1}, {"evaluate.keep": 1, **NODE}], ["evaluate.nodes.scaled"]),
        ([{"evaluate.nodes": {}}, NODE], ["evaluate.nodes.scaled"]),
        ([{"a": 1}, {"a": 1, "t.only": 2}], ["t.only"]),
        ([{"evaluate.nodes": {}}, NODE, {**NODE, "evaluate.nodes.scaled.folds": 3}],
         ["evaluate.nodes.scaled", "evaluate.nodes.scaled.folds"]),
        ([{"optimizer": "adam"}, {"optimizer.use": "adam", "optimizer.lr": 1}],
         ["optimizer", "optimizer.use", "optimizer.lr"]),
        ([{"t": {}}, {"t": {}}], []),
        ([{"n.c": 0}, {"n.c": 0, 'n."a.b".x': 1, 'n."a.b".y': 1}], ['n."a.b"']),
    ],
)  # fmt: skip
def test_a_table_that_only_some_have_is_one_key(
    recipes: list[dict[str, Any]], keys: list[str]
) -> None:
    """With those keys in it in which they that have it differ; of a table of one key that is told."""
    assert varying(recipes) == keys


def test_a_table_is_there_or_not() -> None:
    """Or has the values in it."""
    assert (value(NODE, "evaluate.nodes.scaled"), value({}, "evaluate.nodes.scaled")) == (
        "there", None,
    )  # fmt: skip
    assert table(NODE, "evaluate.nodes.scaled") == {"use": "scale", "folds": 5}
    assert value(NODE, "evaluate.nodes.scaled.folds") == 5
