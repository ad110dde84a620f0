"""`mlrecipe options`."""

from __future__ import annotations

import json

import pytest

from tests.libraries import HEAVY

VARIANTS = """
pick = { data = "few" }

[variant.data.few.nodes.first]
count = 2
[variant.data.many.nodes.first]
count = 9
"""


@pytest.fixture
def varied(work):
    """The recipe with a group of two variants."""
    work.edit("recipe.toml", 'plugins = ["ops.py"]', f'plugins = ["ops.py"]{VARIANTS}')
    return work


def test_it_shows_each_table_with_its_keys(cli):
    """Tables with their component; keys with value or (default), type and the first sentence."""
    done = cli("options", "recipe.toml")

    lines = done.out.splitlines()
    at = lines.index("[nodes.first]  op numbers")
    assert (done.code, done.err) == (0, "")
    assert lines[at + 1].split() == ["use", '"numbers"', "text"]
    assert next(line.split() for line in lines if line.startswith("  count ")) == [
        "count", "4", "integer",
    ]  # fmt: skip
    assert next(line.split() for line in lines if line.startswith("  start ")) == [
        "start", "(0)", "integer",
    ]  # fmt: skip
    assert "      how many." in lines
    assert "top level" in lines
    assert "[train.optimizer]  optimizer AdamW" in lines


@pytest.mark.parametrize("flags", [[], ["-v"]], ids=["short", "verbose"])
def test_it_fits_into_100_columns(work, cli, flags):
    """However long types and documentation are."""
    files = '[nodes.files]\nuse = "load-files"\ntypes = { a_column_with_a_long_name = "int64" }\n'
    work.write("files.toml", f'name = "files"\n{files}')

    done = cli("options", "files.toml", *flags)

    assert '"auto" | "csv" | "tsv"' in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_verbose_shows_whole_documentation(cli):
    """Without it, the first sentence."""
    short = cli("options", "recipe.toml", "train.batching").out
    whole = cli("options", "recipe.toml", "train.batching", "-v").out

    assert "How rows become batches." in short
    assert "longest row" not in short
    assert "longest row" in whole


def test_what_a_key_means_is_told_once(cli):
    """Every node has a `cache`; what that is need not be read four times."""
    done = cli("options", "recipe.toml", "nodes")

    assert done.out.count("\n  cache ") == 4
    assert done.out.count("the op runs every time") == 1


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("nodes.first", "use inputs count start cache force version shards"),
        ("nodes.first.count", "count"),
        ("test", "data split batch_size checkpoint suffix keep"),
        ("train.scheduler", "use warmup"),
    ],
)
def test_a_prefix_limits_it(cli, prefix, keys):
    """To one table and those below, or to one key."""
    found = json.loads(cli("options", "recipe.toml", prefix, "--json").out)

    assert found["groups"] == []
    assert [k["key"].rpartition(".")[2] for k in found["keys"]] == keys.split()


def test_a_prefix_is_no_part_of_a_name(work, cli):
    """`nodes.s` is not short for `nodes.sum`."""
    done = cli("options", "recipe.toml", "nodes.su")

    assert done.code == 2
    assert "nothing below 'nodes.su' can be set; did you mean 'nodes.sum'?" in done.err


def test_json_has_every_fact(cli):
    """Type, default, value, whether it is set, and the whole documentation."""
    found = json.loads(cli("options", "recipe.toml", "nodes.first", "--json").out)

    assert found["keys"][2:4] == [
        {"key": "nodes.first.count", "type": "integer", "required": False, "default": 3,
         "value": 4, "set": True, "doc": "how many."},
        {"key": "nodes.first.start", "type": "integer", "required": False, "default": 0,
         "value": 0, "set": False, "doc": "the first."},
    ]  # fmt: skip


def test_overrides_are_in_it(cli):
    """A key of another component shows as soon as that is chosen."""
    done = cli("options", "recipe.toml", "nodes.scaled", "--set", "nodes.scaled.use=numbers")

    assert "[nodes.scaled]  op numbers" in done.out
    assert "\n  count " in done.out


def test_variants_are_shown_with_what_is_picked(varied, cli):
    """And with the place where each is declared."""
    text = cli("options", "recipe.toml").out
    found = json.loads(cli("options", "recipe.toml", "--json").out)
    other = json.loads(cli("options", "recipe.toml", "--pick", "data=many", "--json").out)

    (group,) = found["groups"]
    assert (group["name"], group["picked"], other["groups"][0]["picked"]) == ("data", "few", "many")
    assert [option["name"] for option in group["options"]] == ["few", "many"]
    assert all(option["where"].startswith("recipe.toml:") for option in group["options"])
    assert "variants: --pick group=option" in text
    assert [line.split()[:3] for line in text.splitlines() if "  few " in line] == [
        ["data", "few", "picked"]
    ]


def test_a_key_that_must_be_given_says_so(work, cli):
    """A required key that is missing is no default."""
    work.write("lines.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "lines"\n')

    done = cli("options", "lines.toml", "nodes.a")

    assert [line.split() for line in done.out.splitlines() if line.startswith("  path ")] == [
        ["path", "required", "file"]
    ]
    assert done.code == 0


def test_a_recipe_with_problems_is_shown_with_a_warning(work, cli):
    """Whoever asks what can be set has often written what cannot."""
    work.edit("recipe.toml", "start = 10", "strat = 10")

    done = cli("options", "recipe.toml", "nodes.second")

    assert done.code == 0
    assert "\n  start " in done.out
    assert "recipe.toml has 1 problem, so this may not be all: mlrecipe check" in done.err


def test_a_broken_plugin_is_a_warning(work, cli):
    """It hides its own components; all else can be told."""
    work.write("bad.py", "def (:\n")
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "bad.py"]')

    done = cli("options", "recipe.toml", "train.data")

    assert done.code == 0
    assert "\n  data " in done.out
    assert "warning: bad.py:1:5  not valid Python" in done.err


@pytest.mark.parametrize(
    ("name", "text", "prefix"),
    [
        ("extends", 'extends = ["none.toml"]\nname = "x"', "train.data"),
        ("base", 'extends = ["broken.toml"]\nname = "x"', "train.data"),
        ("types", "name = 3\nseed = []\nnodes = 3\ntrain = 4\nmodel = []", "train.data"),
        ("tables", 'name = "x"\n[nodes]\na = 3\n[train]\noptimizer = 3\ncallbacks = 4', "train"),
        ("values", 'name = "${no.such}"\nseed = 2020-01-01\nplugins = [["${x}"]]', ""),
        ("pick", 'name = "x"\npick = { a = "b" }', "train.data"),
        ("plugins", 'name = "x"\nplugins = ["none.py", 3]', "seed"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_whatever_is_wrong_what_can_be_told_is_told(work, cli, name, text, prefix, flags):
    """Each problem is a warning: standard output has what is known."""
    work.write("broken.toml", "name = \n")
    work.write(f"{name}.toml", text)

    done = cli("options", f"{name}.toml", *filter(None, [prefix]), *flags)

    assert (done.code, "Traceback" in done.err) == (0, False)
    assert len(done.out.splitlines()) > 2
    assert done.err.startswith("warning: ")
    assert f"{name}.toml has " in done.err
    if flags:
        assert json.loads(done.out)["keys"]


def test_many_problems_are_counted(work, cli):
    """The first ones are shown; `check` shows all."""
    work.write("many.toml", 'name = "x"\n' + "".join(f"key{n} = {n}\n" for n in range(30)))

    done = cli("options", "many.toml", "name")

    assert 0 < done.err.count("unknown key") < 10
    assert "many.toml has 30 problems, so this may not be all: mlrecipe check" in done.err


def test_what_a_problem_hides_is_no_riddle(work, cli):
    """A prefix that is not found may be one of a component that could not be read."""
    work.write("ops.py", "def (:\n")

    done = cli("options", "recipe.toml", "nodes.first.count.x")

    assert done.code == 2
    assert "warning: ops.py:1:5  not valid Python" in done.err
    assert "nothing below 'nodes.first.count.x' can be set" in done.err


def test_a_broken_file_is_an_error(work, cli):
    """Nothing can be told of a recipe that is no TOML."""
    work.write("broken.toml", "name = \n")

    done = cli("options", "broken.toml")

    assert (done.code, done.out) == (2, "")
    assert "broken.toml:1" in done.err
    assert "not valid TOML" in done.err


def test_nothing_is_run_and_nothing_heavy_is_imported(work):
    """Plugins and libraries are read, not imported."""
    work.write("loud.py", 'raise SystemExit("imported")\n')
    work.edit("recipe.toml", '["ops.py"]', '["ops.py", "loud.py"]')

    done = work.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run(["options", "recipe.toml"])
        print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
    """)

    assert done.err == "0\n"
    assert work.ran() == []


def test_colours_are_for_terminals(cli, monkeypatch):
    """What is piped is plain."""
    plain = cli("options", "recipe.toml", "test").out
    monkeypatch.setattr("mlrecipe.cli.render.has_color", lambda stream: True)

    assert "\x1b" not in plain
    assert "\x1b[1m[test]\x1b[0m" in cli("options", "recipe.toml", "test").out


def test_a_long_value_is_cut(work, cli):
    """Shown whole with -v."""
    work.edit("recipe.toml", 'name = "small"', f'name = "{"x" * 70}"')

    assert "x" * 50 not in cli("options", "recipe.toml", "name").out
    assert "x" * 70 in cli("options", "recipe.toml", "name", "-v").out
