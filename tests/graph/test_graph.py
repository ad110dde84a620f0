"""The graph: nodes bound to their ops, inputs first."""

from __future__ import annotations

import pytest


def recipe(work, text):
    work.write("recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n{text}')


def inputs(work, node):
    return [(i.slot, i.node, i.entry) for i in work.request().graph.nodes[node].inputs]


BASE = """
[nodes.a]
use = "numbers"
[nodes.p]
use = "parity"
inputs = "a"
"""


@pytest.mark.parametrize(
    ("op", "written", "expected"),
    [
        ("scale", '"a"', [("values", "a", "")]),
        ("scale", '["a"]', [("values", "a", "")]),
        ("scale", '{ values = "a" }', [("values", "a", "")]),
        ("add", '["a", "p.odd"]', [("left", "a", ""), ("right", "p", "odd")]),
        ("add", '{ right = "p.odd", left = "a" }', [("left", "a", ""), ("right", "p", "odd")]),
        ("total", '"a"', [("input0", "a", "")]),
        ("total", '["a", "a", "a"]', [(f"input{i}", "a", "") for i in range(3)]),
        ("scale", '"p.x.y"', [("values", "p", "x.y")]),
    ],
)
def test_experiment_05_inputs_are_one_a_list_or_named(work, op, written, expected):
    """However they are written they are in the op's own order; a dot chooses one entry."""
    recipe(work, f'{BASE}[nodes.n]\nuse = "{op}"\ninputs = {written}\n')

    assert inputs(work, "n") == expected


@pytest.mark.parametrize(
    ("op", "written", "message"),
    [
        ("scale", "[]", "op 'scale' takes 1 input (values), got 0"),
        ("scale", '["a", "p"]', "op 'scale' takes 1 input (values), got 2"),
        ("add", '"a"', "op 'add' takes 2 inputs (left, right), got 1"),
        ("numbers", '"a"', "op 'numbers' takes no inputs, got 1"),
        ("total", "[]", "op 'total' needs at least 1 input, got 0"),
        ("add", '{ left = "a", rihgt = "p" }', "has no input 'rihgt'; did you mean 'right'?"),
        ("add", '{ left = "a" }', "op 'add' also needs the input 'right'"),
        ("scale", '"aa"', "no node 'aa'; did you mean 'a'?"),
        ("scale", '{ values = "b" }', "nodes.n.inputs.values: no node 'b'"),
    ],
)
def test_wrong_inputs_are_a_problem(work, op, written, message):
    """Too few, too many, misnamed or unknown, each with its place."""
    recipe(work, f'{BASE}[nodes.n]\nuse = "{op}"\ninputs = {written}\n')

    [problem] = work.problems()

    assert message in problem
    assert problem.startswith("recipe.toml:11:")


def test_a_forgotten_inputs_key_is_put_at_the_node(work):
    """There is no line of its own."""
    recipe(work, '[nodes.n]\nuse = "scale"\n')

    assert work.problems() == ["recipe.toml:3:2  nodes.n: op 'scale' takes 1 input (values), got 0"]


def test_recipe_32_every_cycle_is_reported(work):
    """A node that needs itself, and a longer way round."""
    recipe(
        work,
        """
[nodes.self]
use = "scale"
inputs = ["self"]
[nodes.a]
use = "scale"
inputs = ["b"]
[nodes.b]
use = "scale"
inputs = ["c.x"]
[nodes.c]
use = "scale"
inputs = ["a"]
""",
    )

    found = work.problems()

    assert len(found) == 2
    assert "nodes.self.inputs: inputs go in a circle: self → self" in found[0]
    assert "nodes.a.inputs: inputs go in a circle: a → b → c → a" in found[1]


def test_nodes_come_after_their_inputs(work):
    """In whatever order the recipe has them."""
    recipe(
        work,
        """
[nodes.last]
use = "add"
inputs = ["middle", "first"]
[nodes.middle]
use = "scale"
inputs = ["first"]
[nodes.first]
use = "numbers"
""",
    )

    assert list(work.request().graph.nodes) == ["first", "middle", "last"]


def test_the_part_that_a_node_needs(work):
    """Its ancestors and itself, nothing else."""
    assert list(work.request().graph.upto(["sum"]).nodes) == ["first", "second", "sum"]
    assert list(work.request().graph.upto(["second"]).nodes) == ["second"]


def test_a_long_chain_is_no_deep_recursion(work):
    """Thousands of nodes in a row."""
    chain = "".join(
        f'[nodes.n{i}]\nuse = "scale"\ninputs = "n{i + 1}"\n' for i in range(1500)
    )  # fmt: skip
    recipe(work, chain + '[nodes.n1500]\nuse = "numbers"\n')

    assert next(iter(work.request().graph.nodes)) == "n1500"


OPS = """
import mlrecipe


@mlrecipe.op("filled")
def filled(*, seed: int, limit: int | None, scratch, size: int = 2):
    return [seed, limit, size]
"""


def test_experiment_07_an_op_sees_seed_and_limit_of_the_recipe(work):
    """Unless the node sets its own; the scratch folder is no part of the fingerprint."""
    work.write("ops.py", OPS)
    recipe(work, 'seed = 7\nlimit = 3\n[nodes.a]\nuse = "filled"\n'
                 '[nodes.b]\nuse = "filled"\nseed = 8\nlimit = 4\n')  # fmt: skip

    nodes = work.request().graph.nodes

    assert dict(nodes["a"].params) == {"seed": 7, "limit": 3, "size": 2}
    assert dict(nodes["b"].params) == {"seed": 8, "limit": 4, "size": 2}
