"""Names of splits, entries and columns that cannot be there: found before anything is run."""

from __future__ import annotations

import time

import pytest

from mlrecipe.graph import foresee
from mlrecipe.graph.known import Known, union
from mlrecipe.recipe.layers import UNRESOLVED

RECIPE = """
name = "reviews"

[nodes.reviews]
use   = "load-files"
train = "train.csv"
test  = "test.csv"

[nodes.split]
use    = "split"
inputs = ["reviews"]
size   = 1

[nodes.tokens]
use       = "tokenize"
inputs    = ["split"]
tokenizer = "bert-base-uncased"

[task]
use = "text-classification"

[train]
data = "tokens"

[test]
split = "test"
"""


@pytest.fixture
def reviews(work):
    """A project with data and a recipe without a mistake."""
    work.write("train.csv", "text,label\na,pos\nb,neg\n")
    work.write("test.csv", "text,label\nc,pos\n")
    work.write("recipe.toml", RECIPE)
    return work


def test_a_recipe_without_mistakes_has_none(reviews):
    """Defaults are there, whether written or not."""
    reviews.request()


MISTAKES = {
    "split to take from": (
        "size   = 1", 'size   = 1\nsource = "trian"',
        "recipe.toml:12:1  nodes.split.source: no split 'trian' in the output of node 'reviews'; "
        "did you mean 'train'?",
    ),
    "split that is there already": (
        "size   = 1", 'size   = 1\ntarget = "test"',
        "recipe.toml:12:1  nodes.split.target: there is a split 'test' already in the output of "
        "node 'reviews'",
    ),
    "column to stratify by": (
        "size   = 1", 'size   = 1\nstratify = "lable"',
        "recipe.toml:12:1  nodes.split.stratify: no column 'lable' in split 'train' of node "
        "'reviews' (the columns are text, label); did you mean 'label'?",
    ),
    "column that is found": (
        'test  = "test.csv"', 'test  = "test.csv"\ncolumns = ["label"]',
        "recipe.toml:14:2  nodes.tokens.text: no column is like the texts in split 'train' of "
        "node 'split' (the columns are label)",
    ),
    "entry of an output": (
        'inputs    = ["split"]', 'inputs    = ["split.tets"]',
        "recipe.toml:15:14  nodes.tokens.inputs[0]: no entry 'tets' in the output of node 'split'; "
        "did you mean 'test'?",
    ),
    "column of a file": (
        'test  = "test.csv"', 'test  = "test.csv"\ncolumns = ["txt", "label"]',
        "recipe.toml:7:12  nodes.reviews.columns[0]: no column 'txt' in the files "
        "(the columns are text, label); did you mean 'text'?",
    ),
    "split to learn from": (
        'data = "tokens"', 'data = "tokens"\ntrain_split = "trian"',
        "recipe.toml:23:1  train.train_split: no split 'trian' in the output of node 'tokens'; "
        "did you mean 'train'?",
    ),
    "split to validate on": (
        "size   = 1", 'size   = 1\ntarget = "dev"',
        "recipe.toml:22:2  train.valid_split: no split 'valid' (the default) in the output of node "
        '\'tokens\'; known: dev, test, train; `valid_split = ""` trains without validation',
    ),
    "split to test on": (
        'split = "test"', 'split = "tset"',
        "recipe.toml:25:1  test.split: no split 'tset' in the output of node 'tokens'; "
        "did you mean 'test'?",
    ),
    "column with the label": (
        'use = "text-classification"', 'use = "text-classification"\nlabel = "lable"',
        "recipe.toml:20:1  task.label: no column 'lable' in split 'train' of node 'tokens' (the "
        "columns are text, label, input_ids, truncated); did you mean 'label'?",
    ),
    "number that the op refuses": (
        "size   = 1",
        "size   = 1.5",
        "recipe.toml:11:1  nodes.split.size: a fraction lies between 0 and 1, got 1.5",
    ),
    "data without tokens": (
        'data = "tokens"', 'data = "split"',
        "recipe.toml:22:1  train.data: no column 'input_ids' in split 'train' of node 'split', and "
        "task 'text-classification' needs it; take the output of an op `tokenize`",
    ),
    "data without splits": (
        'data = "tokens"', 'data = "tokens.train"',
        "recipe.toml:22:1  train.data: the output of node 'tokens.train' is one data set without "
        "splits; put an op `split` between",
    ),
    "entry to train on": (
        'data = "tokens"', 'data = "tokens.trian"',
        "recipe.toml:22:1  train.data: no entry 'trian' in the output of node 'tokens'; "
        "did you mean 'train'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_name_is_reported_with_its_place(reviews, old, new, problem):
    """One line that says what is not there, where it was looked for, and what was likely meant."""
    reviews.edit("recipe.toml", old, new)

    assert reviews.problems() == [problem]


def test_an_override_is_blamed_for_its_name(reviews):
    """Not the file that it overrides."""
    [problem] = reviews.problems("nodes.tokens.text=txt")

    assert problem.startswith("--set #1  nodes.tokens.text: no column 'txt' in split 'train'")


def test_several_mistakes_are_reported_at_once(reviews):
    """What does not depend on a mistake is checked beyond it."""
    reviews.edit("recipe.toml", "size   = 1", 'size   = 1\nstratify = "lable"')
    reviews.edit("recipe.toml", '"bert-base-uncased"', '"bert-base-uncased"\ntext = "txt"')

    found = reviews.problems("train.train_split=trian", "task.label=lable")

    assert [problem.partition("  ")[2].partition(":")[0] for problem in found] == [
        "train.train_split", "task.label", "nodes.split.stratify", "nodes.tokens.text",
    ]  # fmt: skip


def test_one_mistake_is_one_problem(reviews):
    """Nothing is said of what depends on a column that may have been meant otherwise."""
    reviews.edit("recipe.toml", 'test  = "test.csv"', 'test  = "test.csv"\ncolumns = ["txt"]')

    [problem] = reviews.problems()

    assert "nodes.reviews.columns[0]" in problem


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size   = 1", "siez   = 1"),
        ("size   = 1", 'size   = 1\ntarget = ["dev"]'),
        ("size   = 1", 'size   = 1\ntarget = "${env:NONE_SUCH}"'),
        ('inputs = ["reviews"]\n', ""),
    ],
)
def test_nothing_is_foreseen_of_a_node_that_is_wrong_otherwise(reviews, old, new):
    """The one problem is that of the node itself."""
    reviews.edit("recipe.toml", old, new)

    for problem in reviews.problems():
        assert "nodes.split" in problem


def test_without_validation_no_split_is_asked_for(reviews):
    """`valid_split = ""` names none."""
    reviews.edit("recipe.toml", 'inputs    = ["split"]', 'inputs    = ["reviews"]')

    reviews.request('train.valid_split=""')


def test_who_does_not_name_a_test_split_need_not_have_one(reviews):
    """The default is held against the data only where it is said on which data to test."""
    reviews.edit("recipe.toml", 'test  = "test.csv"\n', "")
    reviews.edit("recipe.toml", 'split = "test"', "batch_size = 8")
    reviews.request()

    [problem] = reviews.problems("test.data=tokens")

    assert "test.split: no split 'test' (the default) in the output of node 'tokens'" in problem


def test_glue_7_data_that_are_only_tested_need_no_labels(reviews):
    """Those that are learnt from do: the default column, wherever the train split has it."""
    reviews.write(
        "recipe.toml",
        RECIPE.replace("[test]", '[test]\ndata = "other"') + '\n[nodes.other]\nuse = "rename"\n'
        'inputs = "tokens"\ncolumns = { label = "class" }\n',
    )

    reviews.request()
    [problem] = reviews.problems("task.label=class")
    assert "task.label: no column 'class' in split 'train' of node 'tokens'" in problem


def test_a_task_without_anything_like_a_label_is_a_mistake(reviews):
    """Whatever the columns hold: there are none but the texts and what was made of them."""
    reviews.write("train.csv", "text,id\na,1\nb,2\n")
    reviews.write("test.csv", "text,id\nc,3\n")

    [problem] = reviews.problems()

    assert "task.label: no column is like the label in split 'train' of node 'tokens'" in problem


def test_of_columns_with_other_names_nothing_is_said(reviews):
    """Which of them hold texts and labels is seen only when they are read."""
    reviews.write("train.csv", "plot,mood\na,pos\nb,neg\n")
    reviews.write("test.csv", "plot,mood\nc,pos\n")

    reviews.request()


@pytest.mark.parametrize("key", ["task.label", "nodes.tokens.text", "nodes.own.column"])
def test_secrets_are_no_names(reviews, key):
    """What a text stands for that is read late is not known."""
    reviews.write("ops.py", OWN)
    own = '[nodes.own]\nuse = "own"\ninputs = "reviews"\n'
    reviews.write("recipe.toml", RECIPE.replace("[nodes", 'plugins = ["ops.py"]\n[nodes', 1) + own)

    reviews.request(key + "=${secret:NAME}")


OWN = """
from __future__ import annotations

from typing import Literal

import mlrecipe
from mlrecipe import Column, Split


@mlrecipe.op("own")
def own(data, *, column: Column = "none", columns: list[Column] | None = None,
        split: Split | None = None, by: Literal["auto"] | Column = "auto",
        weights: dict[str, Column] = {}, name: str = ""):
    return data


@mlrecipe.op("two")
def two(left, right, *, column: Column = "none"):
    return left


@mlrecipe.op("maker")
def maker(*, column: Column = "new"):
    return column


@mlrecipe.task("chore")
class Chore:
    def __init__(self, *, column: Column = "none"): ...
"""

OWN_RECIPE = """
name = "x"
plugins = ["ops.py"]
[nodes.reviews]
use = "load-files"
train = "train.csv"
[nodes.a]
use = "own"
inputs = "reviews"
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('column = "txt"', "column: no column 'txt' in the output of node 'reviews' (the"),
        ('columns = ["text", "lable"]', "columns[1]: no column 'lable' in the output of node"),
        ('split = "trian"', "split: no split 'trian' in the output of node 'reviews'; did you"),
        ('by = "txt"', "by: no column 'txt' in the output of node 'reviews'"),
        ('weights = { x = "txt" }', "weights.x: no column 'txt' in the output of node 'reviews'"),
    ],
)
def test_marked_parameters_of_ones_own_op_are_checked(reviews, text, problem):
    """`Column` and `Split` say that a text names what an input must have."""
    reviews.write("ops.py", OWN)
    reviews.write("recipe.toml", f"{OWN_RECIPE}{text}\n")

    [found] = reviews.problems()

    assert found.startswith(f"recipe.toml:9:{found.split(':')[2].split()[0]}  nodes.a.{problem}")


@pytest.mark.parametrize(
    "text",
    [
        "", 'column = "label"', 'by = "auto"', 'name = "txt"', 'weights = { txt = "text" }',
        'split = "train"', 'inputs = "unknown"\ncolumn = "txt"', 'use = "maker"\ncolumn = "x"',
        'use = "two"\ninputs = ["unknown", "reviews"]\ncolumn = "txt"',
        'use = "two"\ninputs = ["reviews.train", "other"]\ncolumn = "body"',
        'inputs = "reviews.train"\nsplit = "whole"',
    ],
)  # fmt: skip
def test_what_ones_own_op_may_do_is_no_mistake(reviews, text):
    """Defaults, values that are no names, and all that depends on outputs which are not known."""
    reviews.write("ops.py", OWN)
    kept = [
        line for line in ('use = "own"', 'inputs = "reviews"')
        if line.split()[0] not in [t.split()[0] for t in text.splitlines() if t]
        and not ("maker" in text and line.startswith("inputs"))
    ]  # fmt: skip
    reviews.write(
        "recipe.toml",
        OWN_RECIPE.partition("[nodes.a]")[0]
        + '[nodes.other]\nuse = "rename"\ninputs = "reviews"\ncolumns = { text = "body" }\n'
        + '[nodes.unknown]\nuse = "own"\ninputs = "reviews"\n[nodes.a]\n'
        + "\n".join([*kept, text]),
    )

    reviews.request()


def test_ones_own_task_is_checked_against_the_data_to_train_on(reviews):
    """What the recipe writes, not the default."""
    reviews.write("ops.py", OWN)
    reviews.write(
        "recipe.toml",
        OWN_RECIPE + '[train]\ndata = "reviews"\nvalid_split = ""\n[task]\nuse = "chore"\n',
    )
    reviews.request()

    [problem] = reviews.problems("task.column=txt")

    assert "task.column: no column 'txt' in the output of node 'reviews'" in problem


def test_a_column_of_two_inputs_may_be_in_either(reviews):
    """It is a mistake where neither has it."""
    reviews.write("ops.py", OWN)
    nodes = '[nodes.b]\nuse = "two"\ninputs = ["reviews", "reviews.train"]\ncolumn = "x"\n'
    reviews.write("recipe.toml", OWN_RECIPE + nodes)

    [problem] = reviews.problems()

    assert (
        "output of node 'reviews' and node 'reviews.train' (the columns are text, label)" in problem
    )


WRONG = [UNRESOLVED, None, 3, "x", "", [], [UNRESOLVED], {}, {"use": UNRESOLVED}, {"a": [{}]}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_anything_may_stand_anywhere(reviews, wrong):
    """The values are not checked yet: whatever they are, there is no accident."""
    request = reviews.request()
    places = [
        ("nodes",), ("train",), ("test",), ("task",), ("train", "data"), ("test", "data"),
        ("test", "split"), ("train", "train_split"), ("task", "use"), ("task", "label"),
        *(("nodes", name) for name in request.tree.values["nodes"]),
        *(("nodes", n, k) for n, t in request.tree.values["nodes"].items() for k in t),
    ]  # fmt: skip
    for path in places:
        *above, last = path
        table = request.tree.values
        for key in above:
            table = table[key]
        kept = table.get(last)
        table[last] = wrong

        foresee.check(request.tree, request.catalog, request.loaded.base)

        table[last] = kept


def test_nodes_in_a_circle_are_left_out(reviews):
    """The rest is still looked at."""
    circle = '[nodes.a]\nuse = "shuffle"\ninputs = "b"\n[nodes.b]\nuse = "shuffle"\ninputs = "a"\n'
    reviews.write("recipe.toml", RECIPE.replace('"split"\n', '"split"\nsource = "x"\n', 1) + circle)

    found = " ".join(reviews.problems())

    assert "inputs go in a circle" in found
    assert "nodes.split.source: no split 'x'" in found


def test_two_thousand_nodes_take_no_time(reviews):
    """Each is looked at once, and a file is read once."""
    chain = "".join(
        f'[nodes.n{n}]\nuse = "rename"\ninputs = "{f"n{n - 1}" if n else "reviews"}"\n'
        'columns = { text = "label", label = "text" }\n'
        f'[nodes.f{n}]\nuse = "load-files"\ntrain = "train.csv"\n'
        for n in range(1000)
    )
    reviews.write("recipe.toml", RECIPE + chain)
    request = reviews.request()
    started = time.perf_counter()

    assert foresee.check(request.tree, request.catalog, request.loaded.base) == []
    assert time.perf_counter() - started < 1.0


def test_nothing_is_known_of_a_split_that_is_not_there():
    """Rather than that it has no columns."""
    data = Known(tables={"train": ("a",), "test": None}, name="node 'x'")

    assert data.only(["train"]).union == ("a",)
    assert data.only(["train", "tets"]).union is None
    assert (data.union, data.of("test"), data.entry("tets")) == (None, None, Known())
    assert data.only(["train", "test"]).place == "splits 'train' and 'test' of node 'x'"
    assert union([("a", "b"), ("b", "c")]) == ("a", "b", "c")


def test_of_very_many_columns_some_are_listed(reviews):
    """And how many there are."""
    names = ",".join(f"c{number}" for number in range(30))
    reviews.write("train.csv", f"{names}\n{names}\n")
    reviews.write("test.csv", f"{names}\n{names}\n")

    problem = reviews.problems("nodes.tokens.text=text")[0]

    assert "(the columns are c0, c1, " in problem
    assert "c19 and 10 more)" in problem
