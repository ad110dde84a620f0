"""`--set`: directed by the type of the key."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RecipeError
from mlrecipe.pipeline.request import open_request
from mlrecipe.recipe.schema import Overrides

OPS = """
import mlrecipe
from typing import Literal


@mlrecipe.op("typed")
def typed(*, text: str = "", number: float = 1.0, whole: int = 1, flag: bool = False,
          way: Literal["fast", "slow"] = "fast", names: list[str] = [], free=None,
          either: int | str = 1, maybe: str | None = "x", path: mlrecipe.File | None = None,
          table: dict[str, int] = {}):
    return 1


@mlrecipe.op("other")
def other(*, text: int = 1):
    return 1
"""

RECIPE = """
name = "small"
plugins = ["ops.py"]

[nodes.n]
use = "typed"
text = "old"
"""


@pytest.fixture(autouse=True)
def typed(work):
    work.write("ops.py", OPS)
    work.write("recipe.toml", RECIPE)


def params(work, *overrides):
    return dict(work.request(*overrides).loaded.recipe.nodes["n"].params)


TEXTS = [
    "true", "1e3", "007", "2023-09-16", "#x", "日本", "a|b", "a=b", "", " spaced ", "[1, 2]", "{}",
    "it's", 'a "quoted" word', "x # y", "null", "-", "\\n",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_recipe_18_19_a_text_is_taken_as_it_stands(work, text):
    """What looks like another type, a comment or nothing at all is still the text."""
    assert params(work, f"nodes.n.text={text}")["text"] == text


def test_recipe_18_the_name_of_a_recipe_is_a_text(work):
    """Fields of the recipe itself have types too."""
    assert work.request("name=true").loaded.recipe.name == "true"


def test_one_quoted_text_loses_its_quotes(work):
    """`'"x"'` is how a shell hands on a TOML string."""
    assert params(work, 'nodes.n.text="a\\tb"')["text"] == "a\tb"


PARSED = [
    ("number", "1e-4", 1e-4),
    ("number", "3", 3.0),
    ("whole", "12", 12),
    ("whole", "1_000", 1000),
    ("flag", "true", True),
    ("way", "slow", "slow"),
    ("names", '["a", "b"]', ["a", "b"]),
    ("names", "[]", []),
    ("table", "{ a = 1 }", {"a": 1}),
    ("table.a", "1", None),
    ("free", "1", 1),
    ("free", "[1, 'x']", [1, "x"]),
    ("free", "plain words", "plain words"),
    ("either", "5", 5),
    ("either", "five", "five"),
    ("maybe", "none", "none"),
    ("maybe", "${none}", None),
]


@pytest.mark.parametrize(("key", "text", "value"), PARSED)
def test_recipe_20_other_types_are_read_as_toml(work, key, text, value):
    """Numbers, truth values, lists and tables by the type of the key."""
    found = params(work, f"nodes.n.{key}={text}")

    if key == "table.a":
        assert found["table"] == {"a": 1}
    else:
        assert repr(found[key]) == repr(value)


WRONG = [
    ("number=abc", "expected a number, got the text 'abc'"),
    ("number=true", "expected a number, got true"),
    ("number=.5", "expected a number, got the text '.5'; write 0.5"),
    ("whole=3.5", "expected an integer, got 3.5"),
    ("whole=", "expected an integer, got the text ''"),
    ("flag=1", "expected true or false, got 1"),
    ("flag=yes", "expected true or false, got the text 'yes'"),
    ("names=a", "expected a list of text, got the text 'a'"),
    ("names=[1]", "expected text, got 1"),
]


@pytest.mark.parametrize(("override", "message"), WRONG)
def test_recipe_20_a_value_of_another_type_is_refused(work, override, message):
    """With the number of the override that it came from."""
    [problem] = work.problems(f"nodes.n.{override}")

    key = "names[0]" if message.endswith("got 1") and "text" in message else override.split("=")[0]
    assert problem == f"--set #1  nodes.n.{key}: {message}"


def test_a_wrong_choice_is_refused(work):
    """With the choices."""
    [problem] = work.problems("nodes.n.way=quick")

    assert 'expected "fast" | "slow", got the text \'quick\'' in problem


UNKNOWN = [
    ("train.batch_sze=1", "train.batch_sze: unknown key; did you mean 'batch_size'?"),
    ("nodes.n.txt=1", "nodes.n.txt: unknown key of op 'typed'; did you mean 'text'?"),
    ("nodes.m.text=x", "nodes.m: no node of that name; known: n"),
    ("trian.epochs=1", "trian: unknown key; did you mean 'train'?"),
    ("naem=x", "naem: unknown key; did you mean 'name'?"),
]


@pytest.mark.parametrize(("override", "message"), UNKNOWN)
def test_recipe_21_a_key_that_does_not_exist_names_the_nearest(work, override, message):
    """An override creates no key."""
    assert message in work.problems(override)[0]
    assert work.problems(override)[0].startswith("--set #1")


@pytest.mark.parametrize(
    "text", ["nonsense", "=1", "a b=1", "a..b=1", "[a]=1", "a#b=1", "a\nb=1", "[train]\nepochs=1"]
)
def test_what_is_no_key_and_value_is_refused(work, text):
    """With an example of what is."""
    [problem] = work.problems("name=x", text)

    assert problem.startswith("--set #2  expected KEY=VALUE with a dotted key")


def test_a_key_with_other_letters_is_told_to_stand_in_quotes(work):
    """The message of a key that cannot be read names the cause."""
    [problem] = work.problems("nodes.ü.free=1")

    assert "parts with other letters than a to z stand in quotes" in problem


@pytest.mark.parametrize("key", ["nodes.n.free", "nodes.n.text", "nodes.n.whole", "train.epochs"])
def test_recipe_24_a_newline_creates_no_other_key(work, key):
    """What follows it is part of the value, or wrong."""
    text = f"{key}=1\nseed = 7\n[train]\nepochs = 9"
    try:
        recipe = work.request(text).loaded.recipe
    except RecipeError:  # refused, which is as good
        return

    assert (recipe.seed, recipe.train.epochs) == (0, 3)


def test_recipe_25_the_later_override_wins(work):
    """Both are kept as typed."""
    request = work.request("nodes.n.whole=2", "nodes.n.whole=3")

    assert request.loaded.recipe.nodes["n"].params["whole"] == 3
    typed = ("--set nodes.n.whole=2", "--set nodes.n.whole=3")
    assert request.loaded.overrides.typed == typed


def test_a_problem_of_the_second_override_says_so(work):
    """The number is that of the command line."""
    assert work.problems("nodes.n.whole=2", "nodes.n.flag=maybe")[0].startswith("--set #2  ")


def test_a_use_set_in_any_order_decides_the_types(work):
    """`text` of the other op is an integer, wherever `use` stands on the command line."""
    assert params(work, "nodes.n.text=5", "nodes.n.use=other") == {"text": 5}


def test_another_use_drops_what_the_file_says(work):
    """The parameters of the first op are gone."""
    assert params(work, "nodes.n.use=other") == {}


def test_nothing_is_evaluated(work):
    """A value is text or TOML, never code."""
    code = "__import__('os').system('touch evil')"

    assert params(work, f"nodes.n.free={code}")["free"] == code
    assert not (work.folder / "evil").exists()


def test_a_quoted_key_reaches_a_name_with_a_dot(work):
    """As in TOML."""
    work.write("recipe.toml", RECIPE.replace("[nodes.n]", '[nodes."my n"]'))

    assert work.request('nodes."my n".text=x').loaded.recipe.nodes["my n"].params["text"] == "x"


# ------------------------------------------------------------------------------------ lists and unset

LISTS = [
    ('names+=["c"]', ["a", "b", "c"]),
    ("names+=c", ["a", "b", "c"]),
    ("names+=true", ["a", "b", "true"]),
    ("names+=[]", ["a", "b"]),
    ('names-=["a"]', ["b"]),
    ("names-=b", ["a"]),
    ("names.0=z", ["z", "b"]),
    ("names.1=007", ["a", "007"]),
]


@pytest.fixture
def listed(work):
    work.write("recipe.toml", RECIPE + 'names = ["a", "b"]\n')
    return work


@pytest.mark.parametrize(("override", "value"), LISTS)
def test_recipe_22_23_a_list_is_changed_in_place(listed, override, value):
    """Items are added, taken away and replaced; one item needs no brackets."""
    assert params(listed, f"nodes.n.{override}")["names"] == value


def test_recipe_22_several_changes_add_up(listed):
    """In the order of the command line."""
    found = params(listed, "nodes.n.names+=c", "nodes.n.names-=a", "nodes.n.names.0=x")

    assert found["names"] == ["x", "c"]


def test_recipe_22_adding_starts_from_the_default(work):
    """Where the recipe sets nothing, the list that holds is the signature's."""
    work.edit("ops.py", "names: list[str] = []", 'names: list[str] = ["d"]')

    assert params(work, "nodes.n.names+=e")["names"] == ["d", "e"]


def test_recipe_22_adding_to_an_input_that_is_a_name(work):
    """`inputs = "n"` is a list of one."""
    work.edit("ops.py", "def other(*,", "def other(*data,")
    work.write("recipe.toml", RECIPE + '\n[nodes.m]\nuse = "other"\ninputs = "n"\n')

    assert work.request("nodes.m.inputs+=n").loaded.recipe.nodes["m"].inputs == ["n", "n"]


WRONG_LISTS = [
    ('names-=["c"]', "nodes.n.names: has no item 'c' to take away; known: a, b"),
    ("names-=aa", "nodes.n.names: has no item 'aa' to take away; did you mean 'a'?"),
    ("names+=[1]", "nodes.n.names[2]: expected text, got 1"),
    ("names.2=c", "nodes.n.names.2: there is no item 2: the list has 2 items, from 0"),
    ("names.x=c", "nodes.n.names.x: expected the number of an item, got 'x'"),
    ("names.0.x=c", "nodes.n.names.0.x: nothing below '0' can be set"),
    ("text+=x", "nodes.n.text: += changes a list, and this is the text 'old'"),
    ("whole-=1", "nodes.n.whole: -= changes a list, and this is 1"),
]


@pytest.mark.parametrize(("override", "message"), WRONG_LISTS)
def test_recipe_22_23_what_cannot_be_changed_is_an_error(listed, override, message):
    """An absent item with the nearest, an index out of range with the length."""
    assert listed.problems(f"nodes.n.{override}") == [f"--set #1  {message}"]


def test_a_key_that_ends_in_a_sign_is_quoted(work):
    """Else `-=` is the operator."""
    work.write("recipe.toml", RECIPE.replace("[nodes.n]", '[nodes."n-"]'))

    assert work.request('nodes."n-".text=x').loaded.recipe.nodes["n-"].params["text"] == "x"


def test_an_equals_sign_inside_a_quoted_key(work):
    """The first one outside of quotes divides."""
    work.write("recipe.toml", RECIPE.replace("[nodes.n]", '[nodes."a=b"]'))

    assert work.request('nodes."a=b".text=x=y').loaded.recipe.nodes["a=b"].params["text"] == "x=y"


def test_recipe_12_an_override_changes_every_reference(work):
    """References are resolved after overrides."""
    work.write(
        "recipe.toml",
        RECIPE + 'number = "${train.optimizer.lr}"\nfree = "lr-${train.optimizer.lr}"\n',
    )

    found = params(work, "train.optimizer.lr=0.25")

    assert (found["number"], found["free"]) == (0.25, "lr-0.25")


def test_recipe_26_unset_restores_the_default(work):
    """Of a signature, of the recipe's own tables, of a whole table."""
    work.write("recipe.toml", RECIPE + '[train]\nepochs = 9\noptimizer = "SGD"\n')
    unset = Overrides(unsets=("nodes.n.text", "train.epochs", "train.optimizer"))

    recipe = open_request(work.folder / "recipe.toml", unset, here=work.folder).loaded.recipe

    assert "text" not in recipe.nodes["n"].params
    assert (recipe.train.epochs, recipe.train.optimizer.use) == (3, "AdamW")


def test_recipe_26_what_is_unset_can_be_set(work):
    """`--set` comes after `--unset`, wherever it stands."""
    both = Overrides(unsets=("nodes.n.text",), sets=("nodes.n.text=new",))

    recipe = open_request(work.folder / "recipe.toml", both, here=work.folder).loaded.recipe

    assert recipe.nodes["n"].params["text"] == "new"


def test_recipe_26_an_item_of_a_list_is_unset(listed):
    """By its number."""
    one = Overrides(unsets=("nodes.n.names.0",))

    recipe = open_request(listed.folder / "recipe.toml", one, here=listed.folder).loaded.recipe

    assert recipe.nodes["n"].params["names"] == ["b"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nodes.n.txt", "the recipe does not set it; did you mean 'nodes.n.text'?"),
        ("train.epochs", "the recipe does not set it; known: name, nodes, plugins"),
        ("a b", "expected a dotted key, got 'a b'; for example train.scheduler"),
        ("plugins", "decided by the recipe file alone: change it there"),
        ("pick", "decided by the recipe file alone: change it there"),
    ],
)
def test_recipe_26_unset_of_what_is_not_set_is_an_error(work, key, message):
    """A misspelt key never passes in silence."""
    with pytest.raises(RecipeError) as caught:
        open_request(work.folder / "recipe.toml", Overrides(unsets=(key,)), here=work.folder)

    assert str(caught.value.problems[0]) == f"--unset #1  {key}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugins=[]", "plugins: read from the recipe file alone: write it there"),
        ("extends=[]", "extends: read from the recipe file alone: write it there"),
        ("pick.model=tiny", "pick: has an option of its own: --pick GROUP=OPTION"),
        ("unset=[]", "unset: has an option of its own: --unset KEY"),
    ],
)
def test_keys_of_composition_are_not_set(work, text, message):
    """They decide what is read before an override counts."""
    assert work.problems(text) == [f"--set #1  {message}"]


def test_problems_of_overrides_are_sorted_by_their_number(work):
    """`--set #10` after `--set #2`."""
    wrong = [f"nodes.n.none{n}=1" for n in range(11)]

    numbers = [problem.split()[1] for problem in work.problems(*wrong)]

    assert numbers == [f"#{n}" for n in range(1, 12)]


def test_a_component_by_its_bare_name_comes_first_too(work):
    """It is another way to write `use`: what was typed for it stays."""
    recipe = work.request("train.optimizer.lr=0.5", "train.optimizer=SGD").loaded.recipe

    assert recipe.train.optimizer.use == "SGD"
    assert recipe.train.optimizer.params == {"lr": 0.5}


def test_a_key_that_a_table_in_a_list_lacks_is_an_error(work):
    """As below anything that is no table."""
    work.write("recipe.toml", RECIPE + "free = [{ a = 1 }]\n")

    assert work.problems("nodes.n.free.0.b.c=1") == [
        "--set #1  nodes.n.free.0.b.c: nothing below 'b' can be set"
    ]


def test_a_variable_in_a_list_of_texts_is_a_text(work, monkeypatch):
    """As where the key itself takes a text."""
    monkeypatch.setenv("MLRECIPE_N", "2024")
    work.write("recipe.toml", RECIPE + 'names = ["${env:MLRECIPE_N}"]\n')

    assert params(work)["names"] == ["2024"]
