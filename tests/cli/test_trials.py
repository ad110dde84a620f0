"""What a first user ran into: each must stay mended."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.projects import work

__all__ = ["work"]


def test_problems_of_every_kind_come_in_one_report(cli, work):
    """A slip in a key hides neither a missing file, nor a wrong number, nor a wrong node."""
    work.write(
        "bad.toml",
        'name = "x"\nsed = 1\nseed = -7\n[nodes.a]\nuse = "load-files"\ntrain = "gone.csv"\n'
        '[train]\ndata = "b"\nepochs = 0\n[test]\nbatch_size = "x"\n',
    )

    done = cli("check", "bad.toml")

    assert done.code == 2
    for words in (
        "bad.toml:2:1  ", "did you mean 'seed'?", "bad.toml:3:1  ", "a seed lies between",
        "bad.toml:6:1  ", "no such file: 'gone.csv'", "no node 'b'", "expected at least 1, got 0",
        "test.batch_size: expected an integer",
    ):  # fmt: skip
        assert words in done.err


def test_an_empty_recipe_is_named_as_the_place(cli, work):
    """Not the defaults."""
    work.write("empty.toml", "")

    assert "empty.toml:1  missing key 'name'" in cli("check", "empty.toml").err


def test_an_empty_use_is_a_problem(cli, work):
    """In a file and on the command line."""
    done = cli("check", "recipe.toml", "--set", "nodes.first.use=")

    assert done.code == 2
    assert "nodes.first.use: unknown op ''" in done.err


@pytest.mark.parametrize("setting", ['plugins=["x.py"]', "relative_to=elsewhere"])
def test_what_only_the_file_may_say_cannot_be_set(cli, setting):
    """An override that would be ignored is refused."""
    done = cli("check", "recipe.toml", "--set", setting)

    assert done.code == 2
    assert "read from the recipe file alone" in done.err


def test_a_wrong_type_does_not_hide_the_node(cli, work):
    """No follow-up error says that the node is not there."""
    work.write(
        "typed.toml",
        'name = "x"\nplugins = ["ops.py"]\n[nodes.first]\nuse = "numbers"\ncount = "${none}"\n'
        '[train]\ndata = "first"\n',
    )

    done = cli("check", "typed.toml")

    assert "nodes.first.count: expected an integer, got none" in done.err
    assert "no node" not in done.err


def test_a_component_may_be_set_by_its_bare_name(cli):
    """`--set train.optimizer=SGD`, as in a file."""
    done = cli("show", "recipe.toml", "--json", "--set", "train.optimizer=SGD")

    assert json.loads(done.out)["train"]["optimizer"]["use"] == "SGD"


def test_a_table_named_like_a_callback_is_told_to_use_it(cli, work):
    """Its name is free, so `use` must be written."""
    work.write("named.toml", 'name = "x"\n[train.callbacks.EarlyStopping]\npatience = 2\n')

    assert 'write use = "EarlyStopping" in this table' in cli("check", "named.toml").err


def test_a_folder_with_a_slip_is_no_hub_id(cli, work):
    """Beside folders that are there, a name with a slash is a path."""
    (work.folder / "models" / "tiny").mkdir(parents=True)
    work.write(
        "slip.toml",
        'name = "x"\n[nodes.a]\nuse = "load-dataset"\npath = "models/tiney"\n',
    )

    done = cli("check", "slip.toml")

    assert done.code == 2
    assert "did you mean 'tiny'?" in done.err


def test_a_type_that_no_recipe_can_write_does_not_open_the_others(cli):
    """`lr: float | Tensor` of torch takes a number and no text."""
    pytest.importorskip("torch")

    done = cli("check", "recipe.toml", "--set", 'train.optimizer={ use = "AdamW", lr = "fast" }')

    assert done.code == 2
    assert "train.optimizer.lr: expected a number" in done.err


def test_what_an_op_prints_is_no_result(work):
    """Standard output has only what the command gives."""
    work.edit("ops.py", 'note("numbers")', 'note("numbers"); print("hello from the op")')

    done = work.run("prepare", "recipe.toml")

    assert done.out == ""
    assert "hello from the op" in done.err


def test_json_has_no_numbers_that_json_does_not_have(cli, work):
    """Not a number is null."""
    work.edit("ops.py", "return [factor * v for v in values]", "return [float('nan')]")
    cli("prepare", "recipe.toml")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = json.loads(cli("inspect", "scaled", "recipe.toml", "--json").out, parse_constant=refuse)
    assert found["value"] == [None]


def test_runs_that_cannot_be_kept_are_one_clear_error(work):
    """A file where the folder should be."""
    from mlrecipe.errors import RequestError
    from mlrecipe.runs.run import create

    work.write("runs", "")

    with pytest.raises(RequestError, match="cannot keep runs in"):
        create(work.folder, name="x", stage="train", recipe="x.toml")


@pytest.mark.heavy
def test_outputs_that_training_needs_are_made_again_when_lost(tmp_path, monkeypatch, capsys):
    """`plan` says so, and `run` goes on."""
    from mlrecipe.cli.app import run as command
    from mlrecipe.scaffold.project import create

    create(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = ["--set", "limit=120", "--set", "train.epochs=1"]
    assert command(["prepare", "demo.toml", *settings]) == 0
    shutil.rmtree(tmp_path / ".mlrecipe/store/v1/objects")
    capsys.readouterr()

    assert command(["plan", "demo.toml", *settings, "--json"]) == 0
    steps = {s["node"]: s for s in json.loads(capsys.readouterr().out)["steps"]}
    assert steps["tokens"]["status"] == "run"
    assert "cannot be used" in steps["tokens"]["reasons"][0]
    assert command(["run", "demo.toml", *settings]) == 0


def test_a_test_changes_nothing_of_what_was_trained(cli):
    """Only [test] may be set."""
    done = cli("test", "recipe.toml", "--set", "model.dropout=0.5")

    assert done.code == 2
    assert "only keys of [test] can be changed" in done.err
