"""Layers and the one rule by which they merge."""

from __future__ import annotations

from mlrecipe.recipe.files import read
from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.recipe.layers import Layer, default_layer, merge


def merged(*values):
    return merge([Layer(name=f"layer {n}", values=v) for n, v in enumerate(values)])


def test_tables_merge_and_the_rest_is_replaced():
    """Arrays and scalars of a later layer take the place of earlier ones."""
    tree = merged({"t": {"a": 1, "b": [1, 2]}, "c": 1}, {"t": {"b": [3]}, "c": {"d": 1}})

    assert tree.values == {"t": {"a": 1, "b": [3]}, "c": {"d": 1}}


def test_a_change_of_use_drops_what_the_other_component_was_given():
    """Parameters of one op mean nothing to another."""
    tree = merged(
        {"nodes": {"n": {"use": "a", "inputs": ["m"], "size": 1, "deep": {"x": 1}}}},
        {"nodes": {"n": {"use": "b", "width": 2}}},
    )

    assert tree.values == {"nodes": {"n": {"use": "b", "inputs": ["m"], "width": 2}}}
    assert not [path for path in tree.sources if "size" in path or "x" in path]


def test_the_same_use_keeps_what_was_given():
    """Writing `use` again changes nothing."""
    tree = merged({"m": {"use": "a", "size": 1}}, {"m": {"use": "a", "width": 2}})

    assert tree.values == {"m": {"use": "a", "size": 1, "width": 2}}


def test_another_optimizer_does_not_inherit_the_defaults_of_the_first():
    """`optimizer = "SGD"` has none of AdamW's defaults."""
    tree = merge([default_layer(), Layer(name="file", values={"train": {"optimizer": "SGD"}})])

    assert tree.values["train"]["optimizer"] == {"use": "SGD"}
    assert tree.values["train"]["scheduler"] == {"use": "linear", "warmup": 0.06}


def test_each_value_knows_the_layer_that_gave_it():
    """Where tables merge, every key keeps its own source."""
    tree = merged({"t": {"a": 1, "b": 1}}, {"t": {"b": 2}})

    assert tree.sources["t", "a"].name == "layer 0"
    assert tree.sources["t", "b"].name == "layer 1"


def test_merging_leaves_the_layers_alone():
    """A layer can be merged again."""
    first, second = {"t": {"a": [1]}}, {"t": {"b": 2}}
    tree = merged(first, second)

    tree.values["t"]["a"].append(5)

    assert (first, second) == ({"t": {"a": [1]}}, {"t": {"b": 2}})


def test_a_file_may_start_with_a_byte_order_mark(tmp_path):
    """Editors of Windows write one."""
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xef\xbb\xbfname = 'x'\r\n")

    layer, problems = read(path, shown="r.toml")

    assert (layer.values, problems) == ({"name": "x"}, [])


def test_paths_are_written_as_a_recipe_writes_them():
    """Dotted, quoted where they must be, with indices."""
    assert dotted(("nodes", "my node", "inputs", 0)) == 'nodes."my node".inputs[0]'


def test_an_empty_table_is_a_leaf():
    """So that it is not lost."""
    assert list(leaves({"a": {}, "b": {"c": 1}})) == [(("a",), {}), (("b", "c"), 1)]
