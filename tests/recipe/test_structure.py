"""Structure: every mistake of a recipe, each with its place."""

from __future__ import annotations

import pytest

OPS = """
import mlrecipe


@mlrecipe.op("load")
def load(*, path: str, size: int = 1, rate: float = 1.0, flag: bool = False):
    return 1


@mlrecipe.op("clean")
def clean(data, *, column: str = "text"):
    return 1
"""


@pytest.fixture(autouse=True)
def ops(work):
    work.write("ops.py", OPS)


def problems(work, text):
    work.write("recipe.toml", text)
    return work.problems()


def test_recipe_27_all_mistakes_come_at_once_sorted_by_place(work):
    """Nine different mistakes, nine problems, in the order of the file."""
    found = problems(
        work,
        """
        name = "x"
        plugins = ["ops.py", "gone.py"]
        sede = 1
        [nodes.a]
        use = "laod"
        [nodes.b]
        use = "load"
        path = 3
        flag = "no"
        [nodes.c]
        use = "clean"
        inputs = ["nowhere"]
        colunm = "x"
        [train]
        epochs = "3"
        [train.optimizer]
        use = "Adamw"
    """,
    )

    assert [text.split("  ")[0] for text in found] == [
        f"recipe.toml:{place}"
        for place in ["2:22", "3:1", "5:1", "8:1", "9:1", "12:11", "13:1", "15:1", "17:1"]
    ]
    assert "no plugin file 'gone.py'" in found[0]
    assert "sede: unknown key; did you mean 'seed'?" in found[1]
    assert "unknown op 'laod'; did you mean 'load'?" in found[2]
    assert "nodes.b.path: expected text, got 3" in found[3]
    assert "nodes.b.flag: expected true or false, got the text 'no'" in found[4]
    assert "nodes.c.inputs[0]: no node 'nowhere'" in found[5]
    assert "unknown key of op 'clean'; did you mean 'column'?" in found[6]
    assert "train.epochs: expected an integer, got the text '3'" in found[7]
    assert "unknown optimizer 'Adamw'; did you mean 'AdamW'?" in found[8]


def test_recipe_29_an_integer_is_taken_for_a_float(work):
    """And gives the same fingerprint as the float; true is no integer."""
    base = 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "load"\npath = "p"\n'
    work.write("recipe.toml", base + "rate = 1\n")
    whole = work.plan().by_node["a"].own
    work.write("recipe.toml", base + "rate = 1.0\n")

    assert work.plan().by_node["a"].own == whole
    assert (
        "nodes.a.size: expected an integer, got true" in problems(work, base + "size = true\n")[0]
    )


def test_recipe_30_a_misspelt_key_that_is_needed_is_one_problem(work):
    """Not one for the unknown key and another for the missing one."""
    [problem] = problems(
        work,
        """
        name = "x"
        plugins = ["ops.py"]
        [nodes.a]
        use = "load"
        paht = "p"
    """,
    )

    assert problem == (
        "recipe.toml:5:1  nodes.a.paht: unknown key; did you mean 'path', which is missing?"
    )


def test_a_missing_key_says_what_it_is_for(work):
    """With the first sentence of its documentation."""
    work.write("ops.py", OPS.replace(
        "    return 1", '    """Load.\n\n    Args:\n        path: where it lies.\n    """', 1
    ))  # fmt: skip

    [problem] = problems(work, 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "load"\n')

    assert problem == "recipe.toml:3:2  nodes.a: missing key 'path': where it lies"


def test_recipe_31_an_unknown_name_says_where_was_searched(work):
    """mlrecipe and the recipe's plugins."""
    [problem] = problems(
        work, 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "cleam"\ninputs = []\n'
    )

    assert problem == (
        "recipe.toml:4:1  nodes.a.use: unknown op 'cleam'; did you mean 'clean'?; "
        "searched mlrecipe and ops.py"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[nodes.a]\npath = 'p'", "missing key 'use'"),
        ("[nodes.a]\nused = 'load'", "missing key 'use'; did you mean it by 'used'?"),
        ("nodes.a = 3", "nodes.a: expected a table with `use`, got 3"),
        ("nodes = 3", "nodes: expected a table, got 3"),
        ("[model]\ncheckpoint = 'x'", "model: `use` must name a model"),
        ("model = 3", "model: expected a table with `use`, got 3"),
        ("task = ['a']", "task: expected a table with `use`, got a list"),
        ("train = 3", "train: expected a table, got 3"),
        ("test = 'x'", "test: expected a table, got the text 'x'"),
        ("[train]\ncallbacks = 3", "train.callbacks: expected a table, got 3"),
        ("[train]\ncallbacks.stop = 3", "train.callbacks.stop: expected a table with `use`, got 3"),
        ("[train]\noptimizer = 3", "train.optimizer: expected a table with `use`, got 3"),
        ("[train]\nbatching = 'bukket'", "did you mean 'bucket'?"),
        ("[train]\ndata = 'tokens'", "train.data: no node 'tokens'; there are none"),
        ("[test]\ndata = 'tokens.x'", "test.data: no node 'tokens.x'; there are none"),
        ("seed = 1.5", "seed: expected an integer, got 1.5"),
        ("plugins = 'ops.py'", "plugins: expected a list of text, got the text 'ops.py'"),
        ("plugins = [3]", "plugins[0]: expected text, got 3"),
        ("[nodes.'a.b']\nuse = 'statistics'\ninputs = []", "may not contain a dot"),
        ("[nodes.a]\nuse = 'statistics'\ninputs = 3", "nodes.a.inputs: expected a list of text"),
        ("[nodes.a]\nuse = 3", "nodes.a.use: expected text, got 3"),
        ("[nodes.a]\nuse = 'statistics'\nscratch = '/tmp'", "unknown key"),
        ("[task]\nuse = 'text-classification'\nmetrics = ['acuracy']", "did you mean 'accuracy'?"),
    ],
)
def test_each_malformed_table_is_one_clear_problem(work, text, message):
    """Whatever stands where a table, a list or a text should stand."""
    found = problems(work, f'name = "x"\n{text}\n')

    assert len([line for line in found if message in line]) == 1, found
    assert found[0].startswith("recipe.toml:")


def test_a_recipe_needs_a_name(work):
    """The one key of the recipe itself without a default."""
    [problem] = problems(work, "seed = 1\n")

    assert "missing key 'name'" in problem


def test_a_misplaced_section_is_found(work):
    """`[training]` is not `[train]`."""
    [problem] = problems(work, 'name = "x"\n[training]\nepochs = 1\n')

    assert "training: unknown key; did you mean 'train'?" in problem


def test_a_problem_with_a_reference_is_told_once(work):
    """What could not be resolved is not also of the wrong type."""
    found = problems(work, 'name = "x"\n[train]\nepochs = "${nowhere}"\n')

    assert len(found) == 1
    assert found[0].startswith("recipe.toml:3:1  train.epochs: ${nowhere} refers to nothing")


def test_a_reference_must_be_of_the_right_type(work):
    """Types are checked after references are put in."""
    [problem] = problems(work, 'name = "x"\n[train]\nepochs = "${name}"\n')

    assert problem == "recipe.toml:3:1  train.epochs: expected an integer, got the text 'x'"


def test_a_problem_inside_a_default_table_has_a_place(work):
    """Something that no file says is put at the file's start, not nowhere."""
    work.write("recipe.toml", 'name = "x"\n[train.scheduler]\nuse = "constant"\n')

    assert work.request().loaded.recipe.train.scheduler.params == {}
