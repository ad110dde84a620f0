"""Recipes made of several files and of variants."""

from __future__ import annotations

import pytest

from mlrecipe.recipe.load import load
from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.resolved import recipe_hash, resolved
from mlrecipe.recipe.schema import Overrides

OPS = """
import mlrecipe


@mlrecipe.op("load")
def load(*, path: mlrecipe.File | None = None, size: int = 1, tags: list[str] = []):
    return 1


@mlrecipe.op("other")
def other(*, width: int = 1):
    return 1


@mlrecipe.op("fit")
def fit(data, *, source: mlrecipe.ModelSource = "some/id"):
    return 1
"""

BASE = """
plugins = ["../ops.py"]
seed = 1

[nodes.a]
use = "load"
size = 2
tags = ["x", "y"]

[train]
epochs = 5
scheduler = "cosine"
"""


@pytest.fixture
def project(work):
    work.write("ops.py", OPS)
    work.write("base/text.toml", BASE)
    work.write("recipe.toml", 'name = "r"\nextends = ["base/text.toml"]\n')
    return work


def opened(work, *, recipe="recipe.toml", here=None, **overrides):
    return load(work.folder / recipe, Overrides(**overrides), here=here or work.folder)


def values(work, **options):
    loading = opened(work, **options)
    assert loading.problems == []
    return loading.tree.values


def problems(work, **options):
    return [str(problem) for problem in opened(work, **options).problems]


def hashed(work, **options):
    loading = opened(work, **options)
    assert loading.problems == []
    return recipe_hash(loading.loaded, loading.catalog)


# ------------------------------------------------------------------------------------------- extends


def test_recipe_01_a_later_file_wins_and_the_recipe_over_all(work):
    """extends = [a, b]: b beats a; the file beats both."""
    work.write("a.toml", "seed = 1\nlimit = 1\n[train]\nepochs = 1\n")
    work.write("b.toml", "seed = 2\nlimit = 2\n")
    work.write("recipe.toml", 'name = "r"\nextends = ["a.toml", "b.toml"]\nseed = 3\n')

    found = values(work)

    assert (found["seed"], found["limit"], found["train"]["epochs"]) == (3, 2, 1)


def test_recipe_02_paths_resolve_against_the_declaring_file(project, tmp_path):
    """Recipes, plugins and data of an extended file, wherever the command is typed."""
    project.write("base/data.txt", "x")
    project.write("base/text.toml", BASE + '\n[nodes.b]\nuse = "load"\npath = "data.txt"\n')
    project.write("deep/er/recipe.toml", 'name = "r"\nextends = ["../../base/text.toml"]\n')

    loading = opened(project, recipe="deep/er/recipe.toml", here=tmp_path)

    assert loading.problems == []
    assert loading.tree.values["nodes"]["b"]["path"] == "../../base/data.txt"
    assert loading.tree.values["plugins"] == ["../../ops.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"data.txt"', "base/data.txt"),
        ('"${env:MLRECIPE_NO_SUCH:-sub}/data.txt"', "base/sub/data.txt"),
        ('"${env:MLRECIPE_NO_SUCH:-data.txt}"', "base/data.txt"),
        ('"/somewhere/data.txt"', "/somewhere/data.txt"),
        ('"${recipe_dir}/data.txt"', "{base}/data.txt"),
    ],
)
def test_recipe_02_paths_with_references(project, text, expected):
    """What a reference gives is relative to the file that has the reference."""
    project.write("base/text.toml", BASE + f'\n[nodes.b]\nuse = "load"\npath = {text}\n')

    found = values(project)["nodes"]["b"]["path"]

    assert found == expected.format(base=project.folder)


def test_recipe_02_a_reference_to_a_path_is_that_path(project):
    """It is relative to the file that wrote the path, not to the one that refers to it."""
    more = '\n[nodes.b]\nuse = "load"\npath = "data.txt"\n[nodes.c]\nuse = "load"\npath = "${nodes.b.path}"\n'
    project.write("base/text.toml", BASE + more)
    project.write(
        "recipe.toml", 'name = "r"\nextends = ["base/text.toml"]\nnodes.b.path = "mine.txt"\n'
    )

    nodes = values(project)["nodes"]

    assert (nodes["b"]["path"], nodes["c"]["path"]) == ("mine.txt", "mine.txt")


def test_recipe_02_an_id_of_the_hub_stays_one(project):
    """Only a folder that is there beside the file is meant as a path."""
    (project.folder / "base/own").mkdir()
    more = '\n[nodes.b]\nuse = "fit"\ninputs = ["a"]\nsource = "{}"\n'
    project.write("base/text.toml", BASE + more.format("own"))
    assert values(project)["nodes"]["b"]["source"] == "base/own"

    project.write("base/text.toml", BASE + more.format("org/name"))
    assert values(project)["nodes"]["b"]["source"] == "org/name"


def test_recipe_03_a_circle_is_reported_with_its_lines(work):
    """A → B → A as file:line steps, once."""
    work.write("a.toml", 'name = "a"\n\nextends = ["b.toml"]\n')
    work.write("b.toml", 'extends = ["a.toml"]\n')

    [problem] = problems(work, recipe="a.toml")

    assert problem == (
        "b.toml:1:12  extends[0]: recipes extend each other in a circle: a.toml:3 → b.toml:1 → a.toml"
    )


def test_recipe_03_a_file_that_extends_itself(work):
    """The shortest circle."""
    work.write("a.toml", 'name = "a"\nextends = ["a.toml"]\n')

    assert "a.toml:2 → a.toml" in problems(work, recipe="a.toml")[0]


def test_recipe_04_arrays_replace_and_tables_merge(project):
    """The one rule."""
    project.write(
        "recipe.toml", 'name = "r"\nextends = ["base/text.toml"]\n[nodes.a]\ntags = ["z"]\n'
    )

    assert values(project)["nodes"]["a"] == {"use": "load", "size": 2, "tags": ["z"]}


def test_recipe_05_another_use_drops_what_was_inherited(project):
    """Parameters belong to one op; inputs and the like belong to the node."""
    project.write(
        "recipe.toml", 'name = "r"\nextends = ["base/text.toml"]\n[nodes.a]\nuse = "other"\n'
    )

    assert values(project)["nodes"]["a"] == {"use": "other"}


def test_recipe_06_unset_takes_a_key_out_of_what_was_inherited(project):
    """A key, a whole table; the default holds again."""
    project.write(
        "recipe.toml",
        'name = "r"\nextends = ["base/text.toml"]\nunset = ["train.scheduler", "nodes.a.size"]\n',
    )

    found = values(project)

    assert found["train"]["scheduler"] == {"use": "linear", "warmup": 0.06}
    assert found["nodes"]["a"] == {"use": "load", "tags": ["x", "y"]}


def test_recipe_06_unset_of_a_missing_key_names_the_nearest(project):
    """And of a text that is no key says what one looks like."""
    project.write(
        "recipe.toml",
        'name = "r"\nextends = ["base/text.toml"]\nunset = ["train.schduler", "a..b"]\n',
    )

    assert problems(project) == [
        "recipe.toml:3:10  unset[0]: nothing that is inherited has 'train.schduler'; did you mean "
        "'train.scheduler'?",
        "recipe.toml:3:28  unset[1]: expected a key such as train.scheduler, got 'a..b'",
    ]


def test_recipe_06_unset_reaches_only_what_its_own_file_extends(work):
    """Another file of the same recipe keeps its value."""
    work.write("x.toml", "seed = 7\n")
    work.write("low.toml", "seed = 1\nlimit = 5\n")
    work.write("a.toml", 'extends = ["low.toml"]\nunset = ["seed"]\n')
    work.write("recipe.toml", 'name = "r"\nextends = ["x.toml", "a.toml"]\n')

    found = values(work)

    assert (found["seed"], found["limit"]) == (7, 5)


def test_a_file_that_two_extend_counts_once_below_both(work):
    """b does not undo what a changes of their common base."""
    work.write("base.toml", "seed = 1\nlimit = 1\n")
    work.write("a.toml", 'extends = ["base.toml"]\nseed = 2\n')
    work.write("b.toml", 'extends = ["base.toml"]\nlimit = 3\n')
    work.write("recipe.toml", 'name = "r"\nextends = ["a.toml", "b.toml"]\n')

    found = values(work)

    assert (found["seed"], found["limit"]) == (2, 3)


def test_a_missing_file_is_a_problem_of_its_line(project):
    """With the nearest file that is there."""
    project.write("recipe.toml", 'name = "r"\nextends = [\n  "base/txt.toml",\n]\n')

    [problem] = problems(project)

    assert problem.startswith("recipe.toml:3:3  extends[0]: no such recipe: 'base/txt.toml'")
    assert "did you mean 'base/text.toml'?" in problem


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('extends = "base.toml"', "extends: expected a list of text, got the text 'base.toml'"),
        ("extends = [1]", "extends[0]: expected text, got 1"),
        ("unset = 3", "unset: expected a list of text, got 3"),
        ('pick = ["a"]', "pick: expected a table, got a list"),
        ("pick = { a = 1 }", "pick.a: expected text, got 1"),
        ("variant = 1", "variant: expected [variant.<group>.<option>], got 1"),
        ("variant.a.b = 1", "variant.a.b: expected [variant.<group>.<option>], got 1"),
    ],
)
def test_keys_of_composition_have_types(work, line, message):
    """Reported like those of all others."""
    work.write("recipe.toml", f'name = "r"\n{line}\n')

    assert any(message in problem for problem in problems(work))


def test_recipe_28_an_error_in_an_extended_file_names_that_file(project):
    """With its own line, also where the recipe is fine."""
    project.write("base/text.toml", BASE.replace("size = 2", 'size = "two"'))

    [problem] = problems(project)

    assert problem == "base/text.toml:6:1  nodes.a.size: expected an integer, got the text 'two'"


def test_broken_toml_of_an_extended_file_is_reported_alone(project):
    """What is missing because of it is not."""
    project.write("base/text.toml", "seed = = 1\n")
    project.write("recipe.toml", 'name = "r"\nextends = ["base/text.toml"]\n[train]\ndata = "a"\n')

    [problem] = problems(project)

    assert problem.startswith("base/text.toml:1:8  not valid TOML")


def test_plugins_of_all_files_count(project):
    """A recipe that adds ops of its own keeps those that it inherits."""
    project.write("more.py", OPS.replace('"', "'").replace("'load'", "'load2'").split("@")[0]
                  + '@mlrecipe.op("mine")\ndef mine():\n    return 1\n')  # fmt: skip
    project.write(
        "recipe.toml",
        'name = "r"\nplugins = ["more.py"]\nextends = ["base/text.toml"]\n[nodes.m]\nuse = "mine"\n',
    )

    assert values(project)["plugins"] == ["ops.py", "more.py"]


def test_recipe_35_a_plugin_of_an_extended_file_lies_inside_the_project(project, tmp_path):
    """Extending reads values from anywhere, code from nowhere else."""
    (tmp_path / "evil.py").write_text("")
    project.write("base/text.toml", 'plugins = ["../../evil.py"]\n')

    [problem] = problems(project)

    assert problem.startswith(
        "base/text.toml:1:12  plugins[0]: plugin '../../evil.py' lies outside"
    )


# ------------------------------------------------------------------------------------------ variants

VARIANTS = """
name = "r"
plugins = ["ops.py"]
pick = { size = "small" }

[nodes.a]
use = "load"

[variant.size.small.nodes.a]
size = 10

[variant.size.large.nodes.a]
size = 1000

[variant.way.slow]
seed = 5
nodes.a.size = 11
"""


def test_recipe_07_a_pick_replaces_the_default(project):
    """`pick` says what holds, `--pick` something else."""
    project.write("recipe.toml", VARIANTS)

    assert values(project)["nodes"]["a"]["size"] == 10
    assert values(project, picks=("size=large",))["nodes"]["a"]["size"] == 1000


def test_recipe_07_an_unknown_option_lists_the_choices(project):
    """And an unknown group the groups."""
    project.write("recipe.toml", VARIANTS)

    assert problems(project, picks=("size=lage",)) == [
        "--pick #1  group 'size' has no option 'lage'; did you mean 'large'? options: large, small"
    ]
    assert problems(project, picks=("siz=small",)) == [
        "--pick #1  no group of variants 'siz'; did you mean 'size'?"
    ]
    assert problems(project, picks=("small",)) == ["--pick #1  expected GROUP=OPTION, got 'small'"]


def test_recipe_07_a_wrong_pick_in_the_file_has_its_line(project):
    """Like every other value."""
    project.write("recipe.toml", VARIANTS.replace('size = "small" }', 'size = "tiny" }'))

    [problem] = problems(project)

    assert problem.startswith("recipe.toml:3:10  pick.size: group 'size' has no option 'tiny'")


def test_recipe_08_of_two_groups_the_later_in_pick_wins(project):
    """The origin names the variant that gave the value."""
    project.write("recipe.toml", VARIANTS.replace('"small" }', '"small", way = "slow" }'))

    loading = opened(project)

    assert loading.tree.values["nodes"]["a"]["size"] == 11
    assert origins(loading.tree)["nodes.a.size"] == "recipe.toml:16:1 (variant way=slow)"

    project.edit("recipe.toml", 'size = "small", way = "slow"', 'way = "slow", size = "small"')
    assert values(project)["nodes"]["a"]["size"] == 10


def test_recipe_09_a_variant_in_a_file_of_its_own_is_the_same(project):
    """Inline and file variants give equal recipe hashes, paths included."""
    project.write("data.txt", "x")
    inline = VARIANTS.replace("size = 1000", 'size = 1000\npath = "data.txt"')
    project.write("recipe.toml", inline)
    expected = hashed(project, picks=("size=large",))

    start = inline.index("[variant.size.large")
    end = inline.index("[variant.way")
    project.write("recipe.toml", inline[:start] + inline[end:])
    project.write("variants/size/large.toml", '[nodes.a]\nsize = 1000\npath = "data.txt"\n')

    assert hashed(project, picks=("size=large",)) == expected
    assert hashed(project) != expected


def test_variants_of_an_extended_file_can_be_picked(project):
    """They win over the recipe itself, and the recipe may change one."""
    project.write("base/text.toml", BASE + "[variant.size.big]\nseed = 99\nlimit = 4\n")
    project.write("base/variants/size/huge.toml", "seed = 1000\n")
    project.write(
        "recipe.toml",
        'name = "r"\nextends = ["base/text.toml"]\nseed = 2\n[variant.size.big]\nlimit = 5\n',
    )

    found = values(project, picks=("size=big",))

    assert (found["seed"], found["limit"]) == (99, 5)
    assert values(project, picks=("size=huge",))["seed"] == 1000


def test_a_variant_may_unset(project):
    """What lies below it loses the key."""
    project.write("recipe.toml", VARIANTS + 'unset = ["nodes.a.size"]\n')

    assert "unset" not in values(project)
    found = values(project, picks=("way=slow",))
    assert found["nodes"]["a"]["size"] == 11


@pytest.mark.parametrize("line", ['extends = ["a.toml"]', "pick = {}", "variant.a.b.seed = 1"])
def test_a_variant_is_a_patch_and_nothing_else(project, line):
    """No files and no picks of its own."""
    project.write("variants/size/odd.toml", f"{line}\n")
    project.write("recipe.toml", VARIANTS)

    [problem] = problems(project, picks=("size=odd",))

    assert problem.startswith("variants/size/odd.toml:1:1")
    assert problem.endswith("has no place in a variant")


def test_the_groups_are_known(project):
    """For options and completion: names, places, what is picked."""
    project.write("recipe.toml", VARIANTS)

    groups = opened(project).groups

    assert {name: list(group.options) for name, group in groups.items()} == {
        "size": ["large", "small"], "way": ["slow"],
    }  # fmt: skip
    assert (groups["size"].picked, groups["way"].picked) == ("small", None)
    assert groups["size"].options["large"].line == 11


def test_a_mistake_in_a_variant_has_its_own_line(project):
    """The patch's line, not that of what it patches."""
    project.write("recipe.toml", VARIANTS.replace("size = 1000", 'size = "big"'))

    [problem] = problems(project, picks=("size=large",))

    assert problem.startswith("recipe.toml:12:1  nodes.a.size: expected an integer")


# ----------------------------------------------------------------------------------- --set-file


def test_a_set_file_lies_over_variants_and_under_set(project):
    """TOML and JSON; null is none."""
    project.write("recipe.toml", VARIANTS)
    project.write("one.toml", "seed = 7\n[nodes.a]\nsize = 20\n")
    project.write("two.json", '{"limit": null, "nodes": {"a": {"tags": ["q"]}}}')

    found = values(project, files=("one.toml", "two.json"), sets=("seed=8",))

    assert (found["seed"], found["limit"]) == (8, None)
    assert found["nodes"]["a"] == {"use": "load", "size": 20, "tags": ["q"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.toml", "sed = 1\n", "x.toml:1:1  sed: unknown key; did you mean 'seed'?"),
        ("x.toml", "seed = \n", "x.toml:1:8  not valid TOML"),
        ("x.json", '{"seed": }', "x.json:1:10  not valid JSON"),
        ("x.json", "[1]", "x.json  not valid: expected an object of keys"),
        (
            "x.json",
            '{"seed": 1, "seed": 2}',
            "x.json  not valid JSON: the key 'seed' is there twice",
        ),
        ("x.toml", 'plugins = ["a.py"]\n', "x.toml:1:1  plugins: belongs into a recipe"),
        ("x.yaml", "seed: 1\n", "--set-file x.yaml  expected a .toml or .json file, got 'x.yaml'"),
    ],
)
def test_a_set_file_is_checked_like_a_recipe(project, name, text, message):
    """Each mistake with its place."""
    project.write("recipe.toml", VARIANTS)
    project.write(name, text)

    assert problems(project, files=(name,))[0].startswith(message)


def test_a_set_file_that_is_missing(project):
    """Named as it was typed."""
    project.write("recipe.toml", VARIANTS)

    assert problems(project, files=("no.toml",)) == ["--set-file no.toml  no such file: 'no.toml'"]


# ------------------------------------------------------------------------------ the resolved recipe


def test_recipe_40_the_resolved_recipe_of_many_files_is_flat_and_equal(project):
    """No extends, no variants; kept elsewhere in the project it has the same hash."""
    from mlrecipe.recipe.resolved import to_toml

    project.write("base/data.txt", "x")
    project.write("base/text.toml", BASE + '\n[nodes.b]\nuse = "load"\npath = "data.txt"\n')
    text = VARIANTS.replace('plugins = ["ops.py"]', 'extends = ["base/text.toml"]')
    project.write("recipe.toml", text)
    loading = opened(project, picks=("size=large",), sets=("seed=3",))
    assert loading.problems == []

    flat = resolved(loading.loaded, loading.catalog, elsewhere=True)
    project.write("runs/one/flat.toml", to_toml(flat))

    assert not {"extends", "variant", "pick", "unset"} & flat.keys()
    expected = recipe_hash(loading.loaded, loading.catalog)
    assert hashed(project, recipe="runs/one/flat.toml") == expected


def test_experiment_2_a_fragment_is_shared_and_changed(project):
    """`extends`, deep merge, deletion of keys: two recipes of one fragment, each in a few lines."""
    project.write("one.toml", 'name = "one"\nextends = ["base/text.toml"]\ntrain.epochs = 1\n')
    project.write(
        "two.toml",
        'name = "two"\nextends = ["one.toml"]\nunset = ["nodes.a.tags"]\nnodes.a.size = 9\n',
    )

    one, two = values(project, recipe="one.toml"), values(project, recipe="two.toml")

    assert one["nodes"]["a"] == {"use": "load", "size": 2, "tags": ["x", "y"]}
    assert two["nodes"]["a"] == {"use": "load", "size": 9}
    assert one["train"] == two["train"]


# ------------------------------------------------------------------------- what first users ran into


def test_an_option_is_declared_once(project):
    """Inline or in a file: which of two would win could only be guessed."""
    project.write("recipe.toml", VARIANTS)
    project.write("variants/size/large.toml", "seed = 1\n")

    [problem] = problems(project)

    assert problem == (
        "recipe.toml:11:2  variant.size.large: declared twice: also in variants/size/large.toml"
    )


@pytest.mark.parametrize("name", ["variants/big.toml", "variants/size/deep/big.toml"])
def test_a_variant_in_the_wrong_place_is_told(project, name):
    """It could never be picked."""
    project.write("recipe.toml", VARIANTS)
    project.write(name, "seed = 1\n")

    assert problems(project) == [
        f"{name}:1  belongs to no group: a variant is variants/<group>/<option>.toml"
    ]


@pytest.mark.parametrize("table", ['variant."a=b".x', 'variant."".x', 'variant.a.""'])
def test_what_cannot_be_picked_is_told(project, table):
    """At its own line, not as somebody's --pick."""
    project.write("recipe.toml", VARIANTS + f"[{table}]\nseed = 2\n")

    [problem] = problems(project)

    assert problem.startswith("recipe.toml:17:2  variant.")
    assert "need names" in problem


def test_what_follows_from_a_missing_file_is_not_told(project):
    """Neither missing keys nor what cannot be unset."""
    project.write("recipe.toml", 'extends = ["no.toml"]\nunset = ["seed", "train.epochs"]\n')

    [problem] = problems(project, picks=("size=x",))

    assert problem == "recipe.toml:1:12  extends[0]: no such recipe: 'no.toml'"


def test_files_that_lead_in_circles_or_nowhere(project):
    """Links in a loop, a name that is no path."""
    (project.folder / "l1.toml").symlink_to("l2.toml")
    (project.folder / "l2.toml").symlink_to("l1.toml")
    project.write("recipe.toml", 'name = "r"\nextends = ["l1.toml", "a\\u0000b"]\n')

    first, second = problems(project)

    assert "l1.toml" in first
    assert "is no path" in second


def test_half_a_character_is_no_text(project):
    """As JSON can write it."""
    project.write("i.json", '{"name": "\\ud800"}')

    assert "not valid JSON: half a character" in problems(project, files=("i.json",))[0]


def test_a_misspelt_key_of_composition_is_suggested(work):
    """The language's own keys are known to it."""
    for wrong, right in {"extend": "extends", "variants": "variant", "unsets": "unset"}.items():
        work.write("recipe.toml", f'name = "r"\n{wrong} = 1\n')

        assert problems(work) == [f"recipe.toml:2:1  {wrong}: unknown key; did you mean {right!r}?"]


@pytest.mark.parametrize("key", ["nodes.a.version", "test.split", "train.train_split", "name"])
def test_a_secret_has_no_place_in_the_recipes_own_keys(project, key):
    """They are hashed and written; parameters of components are what takes one."""
    found = problems(project, sets=(f"{key}=${{secret:X}}",))

    assert found == [
        f"--set #1  {key}: a secret or ${{run_dir}} may stand only where a component takes it"
    ]
