"""`mlrecipe check`, and the mistakes that newcomers make."""

from __future__ import annotations

import json

import pytest

COMMANDS = ["check", "plan", "prepare", "show", "train", "run"]


def nothing_was_run(work):
    """No op, no run directory, nothing in the store."""
    store = work.folder / ".mlrecipe" / "store" / "v1" / "records"
    return not work.ran() and not (work.folder / "runs").exists() and not store.exists()


def test_a_good_recipe_has_no_problems(cli):
    """One line, exit code 0."""
    done = cli("check", "recipe.toml")

    assert (done.code, done.out, done.err) == (0, "recipe.toml: no problems (4 nodes)\n", "")


def test_json_is_one_document(cli, work):
    """With file, line, column, key and message of each problem."""
    assert json.loads(cli("check", "recipe.toml", "--json").out) == {
        "recipe": "recipe.toml", "problems": [],
    }  # fmt: skip
    work.edit("recipe.toml", "start = 10", "strat = 10")

    done = cli("check", "recipe.toml", "--json")

    [problem] = json.loads(done.out)["problems"]
    assert (done.code, done.err) == (2, "")
    assert (problem["file"], problem["line"], problem["column"]) == ("recipe.toml", 10, 1)
    assert problem["key"] == "nodes.second.strat"


@pytest.mark.parametrize("command", COMMANDS)
def test_recipe_34_no_command_runs_a_recipe_with_mistakes(cli, work, command):
    """All of them in one report on standard error, exit code 2, nothing made."""
    work.edit("recipe.toml", "start = 10", "strat = 10")
    work.edit("recipe.toml", 'use = "add"', 'use = "adds"')

    done = cli(command, "recipe.toml")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: recipe.toml has 2 problems; nothing was run\n"
        "  recipe.toml:10:1  nodes.second.strat: unknown key of op 'numbers'; "
        "did you mean 'start'?\n"
        "  recipe.toml:14:1  nodes.sum.use: unknown op 'add'; did you mean 'add'?; "
        "searched mlrecipe and ops.py\n"
    ).replace("unknown op 'add'", "unknown op 'adds'")
    assert nothing_was_run(work)


MISTAKES = {
    "misspelt key": (
        ("start = 10", "strat = 10"), [],
        "recipe.toml:10:1  nodes.second.strat: unknown key of op 'numbers'; did you mean 'start'?",
    ),
    "wrong type": (
        ("start = 10", 'start = "ten"'), [],
        "recipe.toml:10:1  nodes.second.start: expected an integer, got the text 'ten'",
    ),
    "unknown op": (
        ('use = "add"', 'use = "ad"'), [],
        "recipe.toml:14:1  nodes.sum.use: unknown op 'ad'; did you mean 'add'?; "
        "searched mlrecipe and ops.py",
    ),
    "unknown input": (
        ('"second"]', '"secnod"]'), [],
        "recipe.toml:15:20  nodes.sum.inputs[1]: no node 'secnod'; did you mean 'second'?",
    ),
    "cycle": (
        ('["first", "second"]', '["first", "scaled"]'), [],
        "recipe.toml:15:1  nodes.sum.inputs: inputs go in a circle: sum → scaled → sum "
        "(each needs the next)",
    ),
    "missing file": (
        ('use = "scale"\ninputs = "sum"', 'use = "lines"\npath = "data.cvs"'), [],
        "recipe.toml:19:1  nodes.scaled.path: no such file: 'data.cvs'; did you mean 'data.csv'?",
    ),
    "key that does not exist": (
        None, ["--set", "train.batch_sze=1"],
        "--set #1  train.batch_sze: unknown key; did you mean 'batch_size'?",
    ),
    "not TOML": (
        ('name = "small"', "name: small"), [],
        "recipe.toml:1:5  not valid TOML: expected '=' after a key in a key/value pair",
    ),
    "no such plugin": (
        ('["ops.py"]', '["opps.py"]'), [],
        "recipe.toml:2:12  plugins[0]: no plugin file 'opps.py'; did you mean 'ops.py'?",
    ),
    "declared twice": (
        ("[nodes.scaled]", "[nodes.second]"), [],
        "recipe.toml:17:2  nodes.second: declared twice; first in line 8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "prepare"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_training_03_04_05_each_mistake_is_one_clear_error(cli, work, mistake, command):
    """File and line, what is wrong, the nearest name; exit code 2, at most six lines, nothing run."""
    change, options, message = MISTAKES[mistake]
    work.write("data.csv", "x\n")
    if change:
        work.edit("recipe.toml", *change)

    done = cli(command, "recipe.toml", *options)

    assert message in done.err
    assert done.code == 2
    assert len(done.err.splitlines()) <= 6
    assert "Traceback" not in done.err
    assert nothing_was_run(work)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('[train]\ndata = "sum"\n', "training needs a [model] table with `use`"),
        ('[train]\ndata = "sum"\n', "training needs a [task] table with `use`"),
        (
            '[model]\nuse = "transformer"\ncheckpoint = "a/b"\n[task]\nuse = "text-classification"\n',
            "training needs `data`, the node whose splits it learns from",
        ),
    ],
)
def test_experiment_31_a_missing_section_is_found_before_any_work(cli, work, section, message):
    """A recipe that is to be trained has model, task and data."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write(f"\n{section}")

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert message in done.err
    assert json.loads(cli("check", "recipe.toml", "--json").out)["problems"]


def test_a_folder_without_a_tokenizer_is_one_clear_error(cli, work):
    """A checkpoint folder in which only the model was saved."""
    work.write("model/config.json", "{}")
    work.edit("recipe.toml", 'use = "scale"', 'use = "tokenize"\ntokenizer = "model"')

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert (
        "recipe.toml:19:1  nodes.scaled.tokenizer: the folder 'model' has no tokenizer" in done.err
    )
    assert nothing_was_run(work)


def test_a_recipe_that_is_not_there(cli):
    """One line, with the nearest name."""
    done = cli("check", "recip.toml")

    assert (done.code, done.err) == (
        2, "error: no recipe 'recip.toml' here; did you mean 'recipe.toml'?\n",
    )  # fmt: skip


def test_training_08_all_mistakes_come_in_one_pass(cli, work):
    """Those of the recipe, its graph, its plugins and the command line, each once."""
    work.edit("recipe.toml", 'name = "small"', "nam = 3")
    work.edit("recipe.toml", '"second"]', '"third"]')
    work.edit("ops.py", "*, message: str", "*, force: str")

    done = cli("check", "recipe.toml", "--set", "train.epochs=many", "--set", "nonsense")

    assert done.code == 2
    assert [line.split()[0] for line in done.err.splitlines()[1:]] == [
        "--set", "--set", "ops.py:61", "recipe.toml:1:1", "recipe.toml:15:20",
    ]  # fmt: skip


def test_recipe_33_check_imports_no_plugin_and_no_torch(work):
    """A plugin that leaves a mark when it is imported leaves none."""
    work.edit("ops.py", "import mlrecipe\n",
              "import mlrecipe\nopen(Path(__file__).with_name('imported'), 'w').close()\n")  # fmt: skip

    done = work.python("""
        import sys
        from mlrecipe.cli.app import run
        code = run(["check", "recipe.toml"])
        print(code, *sorted({"torch", "transformers", "pytorch_lightning"} & set(sys.modules)))
    """)

    assert done.out.splitlines()[-1] == "0"
    assert not (work.folder / "imported").exists()
    assert work.run("prepare", "recipe.toml").code == 0
    assert (work.folder / "imported").exists()  # the mark works


def test_recipe_35_a_plugin_outside_the_project_is_not_even_read(cli, work):
    """Refused by `check`, with its line."""
    outside = work.folder.parent / "outside.py"
    outside.write_text("syntax error here")
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "../outside.py"]')

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert "recipe.toml:2:22  plugins[1]: plugin '../outside.py' lies outside" in done.err
    assert "syntax" not in done.err


@pytest.mark.parametrize("arguments", [["check"], ["check", "--nope", "recipe.toml"]])
def test_a_wrong_command_line_exits_2(cli, arguments):
    """With a usage line, as other programs do."""
    done = cli(*arguments)

    assert (done.code, done.out) == (2, "")
    assert "Usage" in done.err
