"""`mlrecipe inspect`."""

from __future__ import annotations

import json

import pytest

from tests.libraries import HEAVY


def test_store_27_a_node_is_explained(cli):
    """Op with its place, inputs, parameters, status, hashes, time, size and value."""
    cli("prepare", "recipe.toml")

    done = cli("inspect", "scaled", "recipe.toml")

    facts = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line[:1].isalpha())
    assert (done.code, done.err) == (0, "")
    assert facts["node"] == "scaled of recipe.toml"
    assert facts["op"].startswith("scale (ops.py:")
    assert facts["inputs"] == "sum"
    assert facts["parameters"] == "factor = 2.0"
    assert facts["status"].startswith("hit: unchanged since")
    assert len(facts["fingerprint"]) == len(facts["digest"]) == 16
    assert " UTC in " in facts["made"]
    assert facts["size"].endswith(" B")


def test_json_has_what_scripts_rely_on(cli):
    """Fingerprint, digest, inputs, op, seconds, bytes and small values."""
    cli("prepare", "recipe.toml")

    found = json.loads(cli("inspect", "scaled", "recipe.toml", "--json").out)

    assert (len(found["fingerprint"]), len(found["digest"])) == (64, 64)
    assert (found["inputs"], found["op"], found["status"]) == (["sum"], "scale", "hit")
    assert found["value"] == [20.0, 24.0, 28.0, 32.0]
    assert found["seconds"] >= 0
    assert found["bytes"] > 0
    assert found["params"] == {"factor": 2.0}


def test_store_27_nothing_of_the_data_is_loaded(work):
    """No library for data and no plugin is imported."""
    work.run("prepare", "recipe.toml")

    done = work.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run(["inspect", "scaled", "recipe.toml", "--json"])
        names = set({HEAVY!r}) & set(sys.modules)
        print(code, *sorted(names), *[n for n in sys.modules if n.startswith("mlrecipe_project")],
              file=sys.stderr)
    """)

    assert done.err.split() == ["0"]


def test_a_node_that_was_never_made_says_how_to_make_it(cli):
    """Not an error."""
    done = cli("inspect", "sum", "recipe.toml")

    assert done.code == 0
    assert "run: never run before" in done.out
    assert "make it with: mlrecipe prepare recipe.toml sum" in done.out
    assert json.loads(cli("inspect", "sum", "recipe.toml", "--json").out)["digest"] is None


def test_a_node_that_would_run_now_shows_its_last_output(cli):
    """With a warning that says why it would run."""
    cli("prepare", "recipe.toml")

    done = cli("inspect", "first", "recipe.toml", "--set", "nodes.first.count=9")

    assert "warning: first would run now (count 4 → 9); below is its last output" in done.err
    assert "count = 4" in done.out
    assert "[0, 1, 2, 3]" in done.out


def test_without_a_recipe_it_is_the_only_one_here(cli):
    """`inspect NODE`."""
    cli("prepare", "recipe.toml")

    assert "node         sum of recipe.toml" in cli("inspect", "sum").out


def test_without_a_recipe_it_is_the_one_used_last(cli, work):
    """Where there are several."""
    text = (work.folder / "recipe.toml").read_text()
    work.write("other.toml", text)
    done = cli("inspect", "sum")
    assert done.code == 2
    assert "which recipe? name it after the node; recipes: other.toml, recipe.toml" in done.err

    cli("prepare", "other.toml")

    assert "sum of other.toml" in cli("inspect", "sum").out


def test_a_recipe_given_as_an_option_is_told_its_place(cli):
    """As `list` has it; here it is an argument."""
    done = cli("inspect", "sum", "--recipe", "recipe.toml")

    assert done.code == 2
    assert "mlrecipe inspect sum recipe.toml" in done.err


def test_an_unknown_node_is_an_error(cli):
    """With the nearest name."""
    done = cli("inspect", "smu", "recipe.toml")

    assert (done.code, done.err) == (2, "error: no node 'smu'; did you mean 'sum'?\n")


@pytest.mark.heavy
def test_rows_of_a_table_are_shown(cli, work):
    """Some of a split, some columns; from the record where it has enough of them."""
    with (work.folder / "ops.py").open("a") as file:
        file.write('''

@mlrecipe.op("table")
def table():
    """Two splits of five rows."""
    from datasets import Dataset, DatasetDict

    rows = Dataset.from_dict({"text": [f"t{i}" for i in range(20)], "n": list(range(20))})
    return DatasetDict({"train": rows, "test": rows})
''')
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "table"\n')
    cli("prepare", "recipe.toml")

    plain = cli("inspect", "a")
    some = cli("inspect", "a", "--split", "test", "--rows", "1", "--columns", "n")
    many = json.loads(cli("inspect", "a", "--rows", "15", "--json").out)["sample"]
    wrong = cli("inspect", "a", "--split", "tset")
    column = cli("inspect", "a", "--columns", "txt")

    assert "train 20, test 20" in plain.out
    assert "column" in plain.out
    assert plain.out.count("text: t") == 6
    assert "test[0]\n  n: 0" in some.out
    assert "text:" not in some.out.split("test[0]")[1]
    assert len(many["train"]) == 15
    assert "no split 'tset' in 'a'; did you mean 'test'?" in wrong.err
    assert "no column 'txt' in 'a'; did you mean 'text'?" in column.err


def test_experiment_40_a_prompt_has_the_output_as_data(work):
    """`--repl` reads from standard input."""
    work.run("prepare", "recipe.toml")

    done = work.run("inspect", "sum", "recipe.toml", "--repl", stdin="print(sum(data))\n")

    assert done.code == 0
    assert "52" in done.out


ODD = [
    ('{(1, 2): 3}', [[[1, 2], 3]], '[[[1, 2], 3]]'),
    ('{date(2024, 5, 1): 3}', [["2024-05-01", 3]], '[["2024-05-01", 3]]'),
    ('10**5000', hex(10**5000), f'"{hex(10**5000)[:50]}'),
    ("{10**5000: 1}", [[hex(10**5000), 1]], '"0x'),
    ('{"a": {20, 3, "b"}}', {"a": [3, 20, "b"]}, '{"a": [3, 20, "b"]}'),
    ('[float("nan"), (1,)]', [None, [1]], "[NaN, [1]]"),
    ('"\\x7f\\x9b"', "\x7f\x9b", r'"\x7f\x9b"'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "found", "text"), ODD, ids=[case[0] for case in ODD])
def test_a_value_that_is_no_json_is_shown(cli, work, value, found, text):
    """What an op may return `inspect` shows, in what JSON has."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(
            f"\n\n@mlrecipe.op('odd')\ndef odd():\n    from datetime import date\n    return {value}\n"
        )
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "odd"\n')
    assert cli("prepare", "recipe.toml").code == 0

    shown, asked = cli("inspect", "a"), cli("inspect", "a", "--json")

    assert (shown.code, asked.code) == (0, 0)
    assert text in "".join(shown.out.split("\nvalue")[1].split("\n"))
    assert json.loads(asked.out)["value"] == found


def test_store_20_a_damaged_value_is_not_shown(cli, work):
    """Neither as text nor as JSON; that it is damaged is told."""
    cli("prepare", "recipe.toml")
    path = work.store.paths.record(work.store.latest("recipe.toml", "scaled").fingerprint)
    path.chmod(0o644)
    text = path.read_text()
    assert "[20.0,24.0" in text
    path.write_text(text.replace("[20.0,24.0", "[66.0,24.0"))

    shown, asked = cli("inspect", "scaled"), cli("inspect", "scaled", "--json")

    assert "66.0" not in shown.out + asked.out
    assert "below is what its last output was made with" in shown.err
    assert "value        cannot be shown: its text is not what was written" in shown.out
    assert json.loads(asked.out)["value"] is None
