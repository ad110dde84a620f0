"""Loading a recipe file."""

from __future__ import annotations

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.recipe.load import load


def test_a_recipe_is_read_whole(work):
    """Nodes with their parameters, the rest by default."""
    loaded = load(work.folder / "recipe.toml", here=work.folder).loaded

    assert loaded.recipe.name == "small"
    assert loaded.recipe.nodes["first"].params == {"count": 4}
    assert loaded.recipe.nodes["sum"].inputs == ["first", "second"]
    assert (loaded.project, loaded.base) == (work.folder, work.folder)


def test_nothing_is_imported_or_written(work):
    """Loading reads."""
    before = sorted(work.folder.rglob("*"))

    load(work.folder / "recipe.toml", here=work.folder)

    assert sorted(work.folder.rglob("*")) == before


def test_a_text_that_is_not_toml_is_one_problem_with_its_place(work):
    """And nothing else is reported: it would be guesswork."""
    work.write("recipe.toml", 'name = "x"\nplugins = ["gone.py"]\nseed == 3\n')

    [problem] = work.problems()

    assert problem.startswith("recipe.toml:3:7  not valid TOML: ")


def test_recipe_32_a_node_declared_twice_comes_with_all_other_problems(work):
    """Unknown input, cycle and duplicate in one report."""
    work.write(
        "recipe.toml",
        """
        name = "x"
        plugins = ["ops.py"]
        [nodes.a]
        use = "scale"
        inputs = ["b"]
        [nodes.b]
        use = "scale"
        inputs = ["a"]
        [nodes.c]
        use = "scale"
        inputs = ["d"]
        [nodes.a]
        use = "numbers"
    """,
    )

    found = work.problems()

    assert found == [
        "recipe.toml:5:1  nodes.a.inputs: inputs go in a circle: a → b → a (each needs the next)",
        "recipe.toml:11:11  nodes.c.inputs[0]: no node 'd'; known: a, b",
        "recipe.toml:12:2  nodes.a: declared twice; first in line 3",
    ]


def test_a_key_declared_twice_is_a_problem_with_both_lines(work):
    """In one table."""
    work.write("recipe.toml", 'name = "x"\nseed = 1\nseed = 2\n')

    assert work.problems() == ["recipe.toml:3:1  seed: declared twice; first in line 2"]


def test_a_missing_file_is_an_error(work):
    """Without a traceback's words."""
    with pytest.raises(RequestError, match=r"no such recipe: 'none\.toml'"):
        load(work.folder / "none.toml", here=work.folder)


def test_a_file_that_is_no_text_is_an_error(work):
    """Latin-1, for example."""
    (work.folder / "recipe.toml").write_bytes(b'name = "caf\xe9"\n')

    with pytest.raises(RequestError, match=r"'recipe.toml' cannot be read"):
        load(work.folder / "recipe.toml", here=work.folder)


def test_recipe_02_plugins_and_files_start_from_the_recipes_own_folder(work, monkeypatch, tmp_path):
    """Wherever the command is typed."""
    work.write(
        "deep/recipe.toml",
        """
        name = "x"
        plugins = ["own.py"]
        [nodes.a]
        use = "lines"
        path = "data.txt"
    """,
    )
    work.write("deep/own.py", (work.folder / "ops.py").read_text())
    work.write("deep/data.txt", "one\n")
    monkeypatch.chdir(tmp_path)

    node = work.request(recipe="deep/recipe.toml").graph.nodes["a"]

    assert node.arguments["path"] == str(work.folder / "deep" / "data.txt")


def test_a_recipe_kept_elsewhere_says_where_its_paths_start(work):
    """As the resolved recipe of a run does."""
    text = (work.folder / "recipe.toml").read_text()
    work.write("runs/one/recipe.toml", f'relative_to = "."\n{text}')

    assert work.request(recipe="runs/one/recipe.toml").loaded.base == work.folder


def test_plugins_cannot_be_overridden(work):
    """No `--set` decides which code is read."""
    work.write("other.py", "import mlrecipe\n@mlrecipe.op('evil')\ndef evil(): ...\n")

    assert work.problems('plugins=["ops.py", "other.py"]') == [
        "--set #1  plugins: read from the recipe file alone: write it there"
    ]
