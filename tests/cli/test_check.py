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

    lacking = 3 if command in ("train", "run") else 0  # model, task, train.data
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: recipe.toml has {2 + lacking} problems; nothing was run\n")
    assert done.err.endswith(
        "  recipe.toml:10:1  nodes.second.strat: unknown key of op 'numbers'; "
        "did you mean 'start'?\n"
        "  recipe.toml:14:1  nodes.sum.use: unknown op 'adds'; did you mean 'add'?; "
        "searched mlrecipe and ops.py\n"
    )
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


def test_a_checkpoint_without_weights_is_one_clear_error(cli, work):
    """A look at the names of its files is enough."""
    folder = work.folder / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[model]\nuse = "transformer"\ncheckpoint = "model"\n')

    done = cli("check", "recipe.toml")
    (folder / "model-00001-of-00002.safetensors").touch()

    assert done.code == 2
    assert (
        "recipe.toml:23:1  model.checkpoint: the folder 'model' has no weights (no *.safetensors or *.bin); "
        "to start from random weights give it as `config`" in done.err
    )
    assert "has no weights" not in cli("check", "recipe.toml").err


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


NINE = {
    "base/one.toml": """
        seed = "1"

        [nodes.first]
        use = "numbers"
        conut = 4

        [nodes.sum]
        use = "ad"
        inputs = ["first", "frist"]

        [train]
        batch_size = 0
        trainer = { precison = 16 }
    """,
    "base/two.toml": """
        [nodes.scaled]
        use = "scale"
        inputs = "sum"
        factor = "${nodes.first.cnt}"

        [train.optimizer]
        use = "AdmW"

        [train.callbacks.stop]
        use = "EarlyStopping"
        patience = 2.5
    """,
    "recipe.toml": """
        name = "small"
        plugins = ["ops.py"]
        extends = ["base/one.toml", "base/two.toml"]
    """,
}

NINE_LINES = [
    "base/one.toml:1:1   seed: expected an integer, got the text '1'",
    "base/one.toml:5:1   nodes.first.conut: unknown key of op 'numbers'; did you mean 'count'?",
    "base/one.toml:8:1   nodes.sum.use: unknown op 'ad'; did you mean 'add'?; searched mlrecipe and ops.py",
    "base/one.toml:9:20  nodes.sum.inputs[1]: no node 'frist'; did you mean 'first'?",
    "base/one.toml:12:1  train.batch_size: expected at least 1, got 0",
    "base/one.toml:13:13  train.trainer.precison: unknown argument of Lightning's Trainer; "
    "did you mean 'precision'?",
    "base/two.toml:4:1   nodes.scaled.factor: ${nodes.first.cnt} refers to nothing; "
    "did you mean 'nodes.first.conut'?",
    "base/two.toml:7:1   train.optimizer.use: unknown optimizer 'AdmW'; did you mean 'AdamW'?; "
    "searched mlrecipe and ops.py",
    "base/two.toml:11:1  train.callbacks.stop.patience: expected an integer, got 2.5",
]


@pytest.mark.heavy
def test_recipe_27_nine_mistakes_in_two_extended_files_are_nine_lines(cli, work):
    """In one pass, sorted by file and line, each with its own file."""
    for name, text in NINE.items():
        work.write(name, text)

    done = cli("check", "recipe.toml")

    lines = [line.split(None, 1) for line in done.err.splitlines()]
    assert done.code == 2
    assert lines[0][1] == "recipe.toml has 9 problems; nothing was run"
    assert lines[1:] == [line.split(None, 1) for line in NINE_LINES]


def test_a_folder_is_checked_as_a_whole(cli, work):
    """Every recipe of it; one JSON document; exit code 2 if any is wrong."""
    work.write("recipes/good.toml", (work.folder / "recipe.toml").read_text()
               .replace("ops.py", "../ops.py"))  # fmt: skip
    work.write("recipes/bad.toml", 'name = "bad"\nsed = 1\n')
    work.write("recipes/base/part.toml", "seed = 1\n")
    work.write("recipes/uses.toml", 'name = "uses"\nextends = ["base/part.toml"]\n')

    done = cli("check", "recipes")
    as_json = json.loads(cli("check", "recipes/", "--json").out)

    assert done.code == 2
    assert done.out.splitlines() == [
        "recipes/good.toml: no problems (4 nodes)", "recipes/uses.toml: no problems (0 nodes)",
    ]  # fmt: skip
    assert done.err.startswith(
        "error: recipes/bad.toml:2:1  sed: unknown key; did you mean 'seed'?"
    )
    assert [(r["recipe"], len(r["problems"])) for r in as_json["recipes"]] == [
        ("recipes/bad.toml", 1), ("recipes/good.toml", 0), ("recipes/uses.toml", 0),
    ]  # fmt: skip


def test_variants_that_are_not_picked_are_checked_too(cli, work):
    """A mistake in one is found before it is picked, and says which pick leads to it."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write("\n[variant.size.big.nodes.first]\ncuont = 9\n[variant.size.small]\nseed = 1\n")

    done = cli("check", "recipe.toml")

    assert done.code == 2
    assert done.err == (
        "error: recipe.toml:22:1  nodes.first.cuont: with --pick size=big: unknown key of op "
        "'numbers'; did you mean 'count'?\n"
    )


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        ("size=bug", "group 'size' has no option 'bug'; did you mean 'big'? options: big, small"),
        ("sise=big", "no group of variants 'sise'; did you mean 'size'?"),
    ],
)
def test_after_a_wrong_pick_only_that_is_said(cli, work, pick, message):
    """What was not interpolated yet is not judged: `${env:…}` is no folder."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.files]\nuse = "load-files"\ntrain = "${env:DATA:-there/ops.py}"\n')
        file.write("\n[variant.size.big.nodes.first]\ncount = 9\n[variant.size.small]\nseed = 1\n")

    done = cli("check", "recipe.toml", "--pick", pick)

    assert (done.code, done.err) == (2, f"error: --pick #1  {message}\n")


def test_a_folder_without_recipes_says_so(cli, work):
    """Not success by default."""
    (work.folder / "empty").mkdir()

    done = cli("check", "empty")

    assert (done.code, done.err) == (2, "error: no recipes in the folder 'empty'\n")


def test_a_recipe_that_another_extends_is_checked_too(cli, work):
    """Only parts, which have no name, are left out of a folder's check."""
    work.write("recipes/first.toml", 'name = "first"\nsed = 1\n')
    work.write(
        "recipes/second.toml", 'name = "second"\nextends = ["first.toml"]\nunset = ["sed"]\n'
    )

    done = cli("check", "recipes")

    assert done.out == "recipes/second.toml: no problems (0 nodes)\n"
    assert "recipes/first.toml:2:1  sed: unknown key" in done.err


def test_looking_at_a_recipe_makes_no_project(cli, work):
    """A folder is not marked as a project by a look into it."""
    work.write("alone/x.toml", 'name = "x"\n')
    (work.folder / ".mlrecipe").rmdir()

    for command in ("check", "plan", "show", "options"):
        assert cli(command, "alone/x.toml").code == 0

    assert not (work.folder / "alone/.mlrecipe").exists()
    assert not (work.folder / ".mlrecipe").exists()


def test_a_plugin_that_exits_is_an_error(cli, work):
    """It does not decide how the command ends."""
    work.edit("ops.py", "def note", "raise SystemExit(3)\n\n\ndef note")

    done = cli("prepare", "recipe.toml")

    assert done.code == 2
    assert "plugin 'ops.py' failed while it was imported, at ops.py:8" in done.err


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere.toml", "a link that leads nowhere"), ("pipe.toml", "no regular file"),
     ("recipes.toml", "no recipe 'recipes.toml' here; did you mean 'recipe.toml'?"),
     ("zzz.toml", "no recipe 'zzz.toml' here; known: recipe.toml")],
)  # fmt: skip
def test_what_is_no_recipe_says_what_it_is(cli, work, name, message):
    """And suggests what is like it, not what ends alike."""
    import os

    (work.folder / "nowhere.toml").symlink_to("gone.toml")
    os.mkfifo(work.folder / "pipe.toml")

    done = cli("check", name)

    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("depth", [101, 335, 5000])
def test_a_recipe_that_is_nested_too_deeply_is_told_so(cli, work, depth):
    """Deep arrays end in one line, in the recipe and in `--set`, and never in a traceback."""
    deep = "[" * depth + "]" * depth
    work.write("deep.toml", f'name = "r"\n[task]\nuse = "text-classification"\nlabels = {deep}\n')

    done = cli("check", "deep.toml")
    other = cli("check", "recipe.toml", "--set", f"nodes.first.start={deep}")

    assert (done.code, other.code) == (2, 2)
    assert "nested too deeply" in done.err
    assert "nodes.first.start: expected an integer" in other.err
    assert "Traceback" not in done.err + other.err
