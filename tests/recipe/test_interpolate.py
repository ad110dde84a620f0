"""References in texts."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.recipe.deferred import reveal
from mlrecipe.recipe.interpolate import interpolate
from mlrecipe.recipe.layers import UNRESOLVED, Layer, merge


def resolved(values):
    tree = merge([Layer(name="r.toml", values=values)])
    problems = interpolate(tree, recipe_dir="/data/here")
    return tree.values, [f"{problem.key}: {problem.message}" for problem in problems]


@pytest.mark.parametrize("value", [3, 2.5, True, "text", [1, "a"], {"x": {"y": 1}}])
def test_recipe_10_a_whole_reference_keeps_its_type(value):
    """What it refers to is put in its place, tables too."""
    values, problems = resolved({"a": {"b": value}, "c": "${a.b}"})

    assert (values["c"], problems) == (value, [])


def test_an_embedded_reference_becomes_text():
    """Numbers and truth values as TOML writes them."""
    values, _ = resolved({"n": 3, "yes": True, "t": "x", "all": "${n}-${yes}-${t}"})

    assert values["all"] == "3-true-x"


def test_a_reference_to_a_reference_is_followed():
    """Through tables and lists."""
    values, _ = resolved({"a": "${b}", "b": ["${c}"], "c": 7})

    assert values["a"] == [7]


def test_recipe_11_a_circle_is_shown_as_a_path():
    """One problem with the way round, none for whatever refers to it."""
    values, problems = resolved({"a": "${b}", "b": "x${c}", "c": "${a}", "d": "see ${b}"})

    assert problems == ["a: references go in a circle: a → b → c → a"]
    assert values["d"] is UNRESOLVED


def test_a_reference_to_itself_is_a_circle():
    """The shortest one."""
    assert resolved({"a": "${a}"})[1] == ["a: references go in a circle: a → a"]


def test_a_reference_into_its_own_table_is_a_circle():
    """A table cannot hold itself."""
    _, problems = resolved({"t": {"a": "${t}"}})

    assert "circle" in problems[0]


def test_recipe_13_two_dollars_write_one():
    """`$${x}` yields `${x}`."""
    assert resolved({"a": "$${x} and $${y}", "x": 1})[0]["a"] == "${x} and ${y}"


@pytest.mark.parametrize("text", ["${x and $5", "${env:X:-${b}}", "a ${b} ${"])
def test_a_reference_that_is_not_closed_is_an_error(text):
    """Nor does one stand inside another; a lone dollar is text."""
    _, [problem] = resolved({"a": text, "b": "$5 {x}"})

    assert problem.startswith("a: a reference that is not closed, or stands inside another")


def test_recipe_15_the_environment(monkeypatch):
    """Its variables are texts; an unset one without a default is a problem."""
    monkeypatch.setenv("MLRECIPE_TEST_SET", "7")
    monkeypatch.delenv("MLRECIPE_TEST_UNSET", raising=False)

    values, problems = resolved({
        "a": "${env:MLRECIPE_TEST_SET}",
        "b": "${env:MLRECIPE_TEST_UNSET:-else/where}",
        "c": "${env:MLRECIPE_TEST_UNSET:-}",
        "d": "${env:MLRECIPE_TEST_UNSET}",
    })  # fmt: skip

    assert (values["a"], values["b"], values["c"]) == ("7", "else/where", "")
    assert problems == [
        "d: the environment variable MLRECIPE_TEST_UNSET is not set; set it, or write "
        "${env:MLRECIPE_TEST_UNSET:-default}"
    ]


def test_a_variable_that_is_empty_takes_the_default(monkeypatch):
    """As `:-` means in a shell."""
    monkeypatch.setenv("MLRECIPE_TEST_SET", "")

    assert resolved({"a": "${env:MLRECIPE_TEST_SET:-x}"})[0]["a"] == "x"


def test_none_and_the_recipes_folder():
    """TOML has no none; paths may start at the recipe."""
    values, _ = resolved({"a": "${none}", "b": "${recipe_dir}/data"})

    assert (values["a"], values["b"]) == (None, "/data/here/data")


def test_a_reference_to_nothing_names_the_nearest():
    """A misspelt key comes with what was probably meant."""
    _, problems = resolved({"model": {"checkpoint": "x"}, "a": "${model.chekpoint}"})

    assert problems == ["a: ${model.chekpoint} refers to nothing; did you mean 'model.checkpoint'?"]


def test_nothing_cannot_stand_inside_a_text():
    """It would read as the word None."""
    assert resolved({"a": "x-${none}"})[1] == ["a: ${none} is none and cannot stand inside a text"]


def test_a_variable_has_a_name():
    """`-` belongs to `:-`."""
    [problem] = resolved({"a": "${env:X-def}"})[1]

    assert problem == "a: 'X-def' is no name of a variable; write ${env:NAME:-default}"


def test_a_table_cannot_stand_inside_a_text():
    """Only a whole reference may be a table or a list."""
    assert "no single value" in resolved({"t": {"x": 1}, "a": "x${t}"})[1][0]


def test_nothing_but_references_is_understood():
    """No code, no other prefixes."""
    _, problems = resolved({"a": "${eval:1+1}", "b": "${1+1}"})

    assert problems[0].startswith("a: unknown reference ${eval:1+1}")
    assert problems[1].startswith("b: ${1+1} refers to nothing")


def test_recipe_14_all_that_is_required_is_told_together():
    """With the reasons; what refers to it is not reported again."""
    values, problems = resolved({
        "a": "${required:the folder with your data}",
        "b": {"c": "x-${required: }"},
        "d": "${a}/train",
    })  # fmt: skip

    assert problems == [
        "a: must be given: the folder with your data; for example --set a=…",
        "b.c: must be given; for example --set b.c=…",
    ]
    assert values["d"] is UNRESOLVED


def test_recipe_17_the_runs_folder_has_no_place_in_a_node():
    """Not by way of a reference either; in [train] it stays for later."""
    values, problems = resolved({
        "nodes": {"n": {"a": "${run_dir}/x", "b": "${train.p}"}},
        "train": {"p": "${run_dir}/y"},
        "model": {"q": "${run_dir}"},
    })  # fmt: skip

    why = "${run_dir} is known only while training, in [train]"
    assert problems == [
        f"nodes.n.a: {why}: a node's output belongs to no run",
        f"nodes.n.b: {why}: a node's output belongs to no run",
        f"model.q: {why}",
    ]
    assert values["train"]["p"] == "${run_dir}/y"
    assert reveal(values["train"], run_dir="/r")["p"] == "/r/y"


def test_a_secret_is_read_when_it_is_used(monkeypatch):
    """Until then it is the recipe's text; other references in it are resolved."""
    values, problems = resolved({
        "n": 3, "whole": "${secret:MLRECIPE_KEY}", "part": "u${n}:${secret:MLRECIPE_KEY}@$${h}",
        "list": ["${secret:MLRECIPE_KEY}"],
    })  # fmt: skip
    monkeypatch.setenv("MLRECIPE_KEY", "pass-word")

    assert problems == []
    assert values["part"] == "u3:${secret:MLRECIPE_KEY}@$${h}"
    assert reveal(values) == {
        "n": 3, "whole": "pass-word", "part": "u3:pass-word@${h}", "list": ["pass-word"],
    }  # fmt: skip


def test_a_secret_that_is_not_set_is_named(monkeypatch):
    """When it is read."""
    values, _ = resolved({"a": "${secret:MLRECIPE_KEY}"})
    monkeypatch.delenv("MLRECIPE_KEY", raising=False)

    with pytest.raises(RequestError, match="the secret 'MLRECIPE_KEY' is not set"):
        reveal(values)


def test_references_reach_items_and_quoted_keys():
    """By number and as TOML quotes them."""
    values, problems = resolved({
        "l": [1, {"x": 2}], "t": {"a.b": 3},
        "a": "${l.0}", "b": "${l.1.x}", "c": '${t."a.b"}', "d": "${l.5}",
    })  # fmt: skip

    assert (values["a"], values["b"], values["c"]) == (1, 2, 3)
    assert problems == ["d: ${l.5} refers to nothing; l has 2 items, from 0"]


def test_a_reference_to_a_key_that_is_not_set_gives_its_default(work):
    """Of the recipe's own tables and of components."""
    work.edit("recipe.toml", 'inputs = "sum"', 'inputs = "sum"\nfactor = "${train.epochs}"')
    work.edit("recipe.toml", "start = 10", 'start = "${nodes.first.start}"')

    work.edit("recipe.toml", 'name = "small"', 'name = "small"\nlimit = "${train.seed}"')
    recipe = work.request().loaded.recipe

    assert recipe.limit is None
    assert recipe.nodes["scaled"].params["factor"] == 3.0
    assert recipe.nodes["second"].params["start"] == 0


def test_recipe_15_a_variable_is_read_as_the_key_takes_it(work, monkeypatch):
    """A number where a number is taken, text where text is; what is none is told as text."""
    monkeypatch.setenv("MLRECIPE_N", "7")
    work.edit(
        "recipe.toml", 'name = "small"', 'name = "${env:MLRECIPE_N}"\nseed = "${env:MLRECIPE_N}"'
    )
    work.edit("recipe.toml", "start = 10", 'start = "${seed}"')

    recipe = work.request().loaded.recipe

    assert (recipe.name, recipe.seed, recipe.nodes["second"].params["start"]) == ("7", 7, 7)
    monkeypatch.setenv("MLRECIPE_N", "x")
    assert "recipe.toml:2:1  seed: expected an integer, got the text 'x'" in work.problems()
