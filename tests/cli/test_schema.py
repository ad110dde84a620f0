"""`mlrecipe schema`: which recipes it looks at, what it writes and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft7Validator

from mlrecipe.cli import app
from tests.projects import RECIPE, ROOT, Done, Work

FILE = ".mlrecipe/recipe.schema.json"
VARIANT = ".mlrecipe/variant.schema.json"
Cli = Callable[..., Done]


def _written(work: Work) -> dict[str, Any]:
    found = json.loads((work.folder / FILE).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def _accepts(schema: dict[str, Any], text: str) -> bool:
    return bool(Draft7Validator(schema).is_valid(tomli.loads(text)))


def _nodes(schema: dict[str, Any]) -> list[str]:
    names = schema["definitions"]["node.name"]["anyOf"][0]["enum"]
    assert isinstance(names, list)
    return names


def test_training_12_the_schema_accepts_every_shipped_recipe(cli: Cli) -> None:
    """`--output -` prints one JSON document, and nothing in recipes/ is against it."""
    done = cli("schema", "--output", "-")

    schema = json.loads(done.out)
    Draft7Validator.check_schema(schema)
    shipped = sorted((ROOT / "recipes").glob("*.toml"))
    assert done.code == 0
    assert shipped
    assert [p.name for p in shipped if not _accepts(schema, p.read_text(encoding="utf-8"))] == []


def test_schema_writes_a_file_of_the_project_and_says_how_to_use_it(work: Work, cli: Cli) -> None:
    """The file is there, alone, and the line that recipes need is printed."""
    done = cli("schema")

    assert (done.code, done.out) == (0, f"{FILE}\n{VARIANT}\n")
    assert f"first line of recipe.toml, for editors:\n  #:schema {FILE}\n" in done.err
    assert sorted(p.name for p in (work.folder / ".mlrecipe").iterdir() if p.is_file()) == [
        "recipe.schema.json",
        "variant.schema.json",
    ]
    assert _written(work)["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_schema_knows_the_ops_of_plugins_without_importing_them(work: Work, cli: Cli) -> None:
    """An own op is accepted with its parameters, and refused with others."""
    work.write("ops.py", (work.folder / "ops.py").read_text() + "\nraise SystemExit('imported')\n")

    done = cli("schema")

    schema = _written(work)
    assert (done.code, "warning" in done.err) == (0, False)
    assert _accepts(schema, RECIPE)
    assert not _accepts(schema, RECIPE.replace("count = 4", "cuont = 4"))
    assert not _accepts(schema, RECIPE.replace("count = 4", 'count = "4"'))
    assert not _accepts(schema, RECIPE.replace('"numbers"', '"nunbers"'))


def test_parameters_that_are_filled_in_need_not_be_given(work: Work, cli: Cli) -> None:
    """A seed without a word of its own has the recipe's; a scratch folder is not for recipes."""
    work.write(
        "ops.py",
        """
        import mlrecipe
        from pathlib import Path

        @mlrecipe.op("draw")
        def draw(*, seed: int, limit: int | None, scratch: Path):
            pass
        """,
    )

    cli("schema")

    schema = _written(work)
    (draw,) = [b for b in schema["definitions"]["op"]["anyOf"] if b.get("title") == "draw"]
    seed = schema["properties"]["seed"]["description"]
    assert draw["properties"]["seed"]["description"] == seed
    assert _accepts(schema, 'name = "x"\n[nodes.a]\nuse = "draw"')
    assert not _accepts(schema, 'name = "x"\n[nodes.a]\nuse = "draw"\nscratch = "tmp"')


def test_schema_follows_a_plugin_that_changed(work: Work, cli: Cli) -> None:
    """Run again, it knows the new parameter."""
    changed = RECIPE.replace("count = 4", "count = 4\nstep = 2")
    cli("schema")
    assert not _accepts(_written(work), changed)
    work.edit("ops.py", "start: int = 0)", "start: int = 0, step: int = 1)")

    cli("schema")

    assert _accepts(_written(work), changed)


def test_schema_offers_the_nodes_of_all_recipes_and_variants(work: Work, cli: Cli) -> None:
    """Those of the project's folder, of its recipes/ and of options that are not picked."""
    work.write("recipes/other.toml", 'name = "other"\n[nodes.elsewhere]\nuse = "breakpoint"\n')
    work.write(
        "varied.toml",
        """
        name = "varied"
        [variant.more.yes.nodes.extra]
        use = "breakpoint"
        """,
    )
    work.write("tombi.toml", 'toml-version = "v1.0.0"\nplugins = ["none.py"]\n')

    done = cli("schema")

    assert _nodes(_written(work)) == ["elsewhere", "extra", "first", "scaled", "second", "sum"]
    assert "first line of recipes/other.toml, for editors:\n  #:schema ../.mlrecipe/" in done.err
    assert "warning" not in done.err


def test_schema_knows_plugins_of_options_that_are_not_picked(work: Work, cli: Cli) -> None:
    """A plugin that only a variant names counts too."""
    work.edit("recipe.toml", 'plugins = ["ops.py"]', 'variant.own.yes.plugins = ["ops.py"]')

    cli("schema")

    assert _accepts(_written(work), RECIPE)


def test_schema_of_named_recipes_leaves_others_out(work: Work, cli: Cli) -> None:
    """Only the nodes of the recipes that are named are offered."""
    work.write("other.toml", 'name = "other"\n[nodes.elsewhere]\nuse = "breakpoint"\n')

    cli("schema", "other")

    assert _nodes(_written(work)) == ["elsewhere"]


def test_schema_warns_of_what_it_cannot_read(work: Work, cli: Cli) -> None:
    """Broken recipes and plugins are named, and the rest is written."""
    work.write("broken.toml", "name = \n")
    work.write("lacking.toml", 'name = "x"\nplugins = ["none.py"]\n[nodes.here]\nuse = "split"\n')
    work.write("bad.py", "def (:\n")
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "bad.py"]')

    done = cli("schema")

    warnings = [line for line in done.err.splitlines() if line.startswith("warning:")]
    assert done.code == 0
    assert [w.split()[1].split(":")[0] for w in warnings] == [
        "broken.toml",
        "lacking.toml",
        "bad.py",
    ]
    assert _accepts(_written(work), RECIPE)
    assert "here" in _nodes(_written(work))


def test_schema_warns_of_an_op_that_two_recipes_have_of_their_own(work: Work, cli: Cli) -> None:
    """One of the two is in the schema, which can have but one; each recipe alone is in order."""
    work.write("others.py", 'import mlrecipe\n\n@mlrecipe.op("add")\ndef add(x): ...\n')
    work.write("other.toml", 'name = "x"\nplugins = ["others.py"]\n[nodes.a]\nuse = "add"\n')

    done = cli("schema")

    assert done.code == 0
    assert "op 'add' is registered twice" in done.err


def test_mistakes_that_hide_nothing_are_left_to_check(work: Work, cli: Cli) -> None:
    """An unknown key is no reason to warn: the editor shows it, by this very schema."""
    work.write("recipe.toml", RECIPE + "factr = 2.0\n")

    done = cli("schema")

    assert (done.code, "warning" in done.err) == (0, False)


def test_recipes_that_have_the_line_need_no_advice(work: Work, cli: Cli) -> None:
    """Where nothing is left to do, nothing is said."""
    work.write("recipe.toml", f"#:schema {FILE}\n{RECIPE}")

    assert cli("schema").err == ""


def test_schema_goes_where_it_is_told(work: Work, cli: Cli) -> None:
    """`--output FILE` writes there and nowhere else."""
    (work.folder / "editor").mkdir()

    done = cli("schema", "--output", "editor/recipe.json")

    assert (done.out, done.err) == ("editor/recipe.json\n", "")
    assert json.loads((work.folder / "editor/recipe.json").read_text(encoding="utf-8"))
    assert not (work.folder / FILE).exists()


@pytest.mark.parametrize("name", ["nope/x.json", "nope/deep/x.json", "../nope/x.json"])
def test_a_folder_that_is_not_there_is_an_error(work: Work, cli: Cli, name: str) -> None:
    """It is not made: its name may be misspelt."""
    done = cli("schema", "--output", name)

    assert done.code == 2
    assert f"no folder {str(Path(name).parent)!r}" in done.err
    assert not (work.folder / name).parent.exists()


def test_a_link_is_the_recipe_that_it_leads_to(work: Work, cli: Cli) -> None:
    """As for `check`: relative paths start from the recipe, which is not named twice."""
    work.write("a/b/base.toml", 'name = "x"\n[nodes.below]\nuse = "breakpoint"\n')
    work.write(
        "a/b/r.toml", 'extends = ["base.toml"]\nplugins = ["own.py"]\n[nodes.a]\nuse = "own"\n'
    )
    work.write("a/b/own.py", 'import mlrecipe\n\n@mlrecipe.op("own")\ndef own(): ...\n')
    (work.folder / "link.toml").symlink_to("a/b/r.toml")
    (work.folder / "again.toml").symlink_to("recipe.toml")

    done = cli("schema")

    assert (done.code, "warning" in done.err) == (0, False)
    assert {"a", "below"} <= set(_nodes(_written(work)))
    assert _accepts(_written(work), 'name = "x"\n[nodes.b]\nuse = "own"\n')
    assert "first line of a/b/r.toml, for editors:\n  #:schema ../../.mlrecipe/" in done.err
    assert done.err.count("recipe.toml") == 1


def test_a_link_out_of_the_project_is_left_to_its_own(work: Work, cli: Cli, tmp_path: Path) -> None:
    """Its recipe belongs to another project, with plugins of that."""
    other = Work(tmp_path / "other")
    other.write("recipe.toml", 'name = "x"\n[nodes.elsewhere]\nuse = "breakpoint"\n')
    (work.folder / "link.toml").symlink_to(other.folder / "recipe.toml")

    cli("schema")

    assert "elsewhere" not in _nodes(_written(work))


def test_a_link_that_leads_nowhere_is_warned_of(work: Work, cli: Cli) -> None:
    """By its own name."""
    (work.folder / "link.toml").symlink_to("gone.toml")

    done = cli("schema")

    assert done.code == 0
    assert "no such recipe: 'link.toml'" in done.err


def test_recipe_38_variants_have_a_schema_of_their_own(work: Work, cli: Cli) -> None:
    """A patch needs no name, knows plugins and nodes, and is checked as `check` does it."""
    work.write("variants/size/small.toml", "nodes.first.count = 1\n")
    work.write("variants/size/big.toml", f"#:schema ../../{VARIANT}\nnodes.first.count = 9\n")

    done = cli("schema")

    schema = json.loads((work.folder / VARIANT).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    line = f"  #:schema ../../{VARIANT}\n"
    assert f"first line of variants/size/small.toml, for editors:\n{line}" in done.err
    assert "big.toml" not in done.err
    assert _accepts(schema, "nodes.first.count = 1")
    assert _accepts(schema, 'unset = ["nodes.sum"]\n[nodes.new]\nuse = "numbers"\ncount = 2')
    assert not _accepts(schema, '[nodes.new]\nuse = "nunbers"')
    assert not _accepts(schema, '[nodes.new]\nuse = "numbers"\ncuont = 2')
    assert not _accepts(schema, "trian.epochs = 2")


@pytest.mark.long
@pytest.mark.parametrize(
    ("patch", "is_right"),
    [
        ('name = "y"', True),
        ('plugins = ["ops.py"]', True),
        ('unset = ["nodes.first.count"]', True),
        ('relative_to = "a"', False),
        ('extends = ["recipe.toml"]', False),
        ('pick = { size = "small" }', False),
        ("[variant.other.small]\nseed = 3", False),
    ],
)
def test_a_variant_may_have_what_check_lets_it_have(
    work: Work, cli: Cli, patch: str, is_right: bool
) -> None:
    """In its own file and in the recipe."""
    work.write("variants/size/small.toml", f"{patch}\n")
    inline = "" if patch.startswith("[") else f"\n[variant.in.line]\n{patch}\n"
    cli("schema")

    checked = cli("check", "recipe.toml", "--pick", "size=small")

    schema = json.loads((work.folder / VARIANT).read_text(encoding="utf-8"))
    assert (checked.code == 0) == _accepts(schema, patch) == is_right
    assert not inline or _accepts(_written(work), RECIPE + inline) == is_right


def test_a_folder_that_cannot_be_written_is_an_error(work: Work, cli: Cli) -> None:
    """The message names the file."""
    work.write("editor", "a file\n")

    done = cli("schema", "--output", "editor/recipe.json")

    assert done.code == 2
    assert "cannot write 'editor/recipe.json'" in done.err


def test_there_must_be_a_recipe_or_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written into a folder that has nothing to do with mlrecipe."""
    monkeypatch.chdir(tmp_path)

    assert app.run(["schema"]) == 2
    assert "no recipe and no project here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_recipes_of_two_projects_have_no_common_schema(work: Work, cli: Cli) -> None:
    """Each project has its own plugins, and its own file."""
    work.write("inner/.mlrecipe/empty", "")
    work.write("inner/recipe.toml", 'name = "inner"\n')

    done = cli("schema", "recipe.toml", "inner/recipe.toml")

    assert done.code == 2
    assert "several projects" in done.err


def test_new_writes_the_schema_and_a_recipe_that_names_it(work: Work, cli: Cli) -> None:
    """A new project's recipe is completed by an editor at once."""
    cli("new", "demo")

    text = (work.folder / "demo/demo.toml").read_text(encoding="utf-8")
    schema = json.loads((work.folder / "demo" / FILE).read_text(encoding="utf-8"))
    assert text.splitlines()[0] == f"#:schema {FILE}"
    assert _accepts(schema, text)
    assert "tokens" in _nodes(schema)


def test_new_for_a_table_refreshes_the_schema_of_the_project(work: Work, cli: Cli) -> None:
    """In a folder of a project the recipe names the project's schema, which knows its nodes."""
    rows = [f"some words of row {n},{'good' if n % 2 else 'bad'}" for n in range(40)]
    work.write("own/reviews.csv", "\n".join(["text,label", *rows]))
    cli("schema")
    assert "table" not in _nodes(_written(work))

    done = cli("new", "own", "--from", "own/reviews.csv")

    assert done.code == 0
    text = (work.folder / "own/reviews.toml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == f"#:schema ../{FILE}"
    assert {"table", "scaled"} <= set(_nodes(_written(work)))
    assert _accepts(_written(work), text)
