"""`mlrecipe list`."""

from __future__ import annotations

import json

import pytest


def test_kinds_are_listed_with_how_many_there_are(cli):
    """Without an argument."""
    done = cli("list")

    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == [
        "ops", "formats", "tasks", "models", "metrics", "optimizers", "schedulers", "callbacks",
        "loggers", "datamodules",
    ]  # fmt: skip


def test_ops_of_the_only_recipe_here_are_listed_too(cli):
    """With the first line of their documentation."""
    lines = cli("list", "ops").out.splitlines()

    assert any(line.split() == "scale Each value times a factor.".split() for line in lines)
    assert any(line.startswith("  tokenize ") for line in lines)


def test_metrics_are_listed_with_what_they_are_for(cli):
    """One label of a row, several, tags of its words, a number."""
    lines = {line.split()[0]: line for line in cli("list", "metrics").out.splitlines()}

    assert lines["accuracy"].split()[1:5] == ["label,", "labels,", "tags", "Share"]
    assert lines["span-f1"].split()[1:3] == ["tags", "Harmonic"]
    assert lines["r2-score"].split()[1] == "number"


def test_a_named_recipe_brings_its_plugins(cli, work):
    """Where there are several."""
    work.write("other.toml", 'name = "x"\n')

    assert "scale" not in cli("list", "ops").out
    assert "scale" in cli("list", "ops", "--recipe", "recipe.toml").out


def test_one_is_shown_with_all_its_parameters(cli):
    """Types, defaults and documentation."""
    out = cli("list", "ops", "numbers").out

    assert out.startswith("numbers (op, ops.py:")
    assert "Whole numbers in order." in out
    assert "  count: integer = 3\n      how many." in out
    assert "Args:" not in out


def test_inputs_are_shown(cli):
    """Any number of them with dots."""
    assert "inputs: left, right" in cli("list", "ops", "add").out
    assert "inputs: …" in cli("list", "ops", "total").out


def test_json_is_one_document(cli):
    """Of all or of one."""
    [one] = [o for o in json.loads(cli("list", "ops", "--json").out) if o["name"] == "scale"]

    assert one == json.loads(cli("list", "ops", "scale", "--json").out)
    assert one["inputs"] == ["values"]
    assert one["parameters"][0] == {
        "name": "factor", "type": "float", "required": False, "default": 2.0, "doc": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["op"], None),
        (["opps"], "nothing called 'opps' can be listed; did you mean 'ops'?"),
        (["ops", "scal"], "no op 'scal'; did you mean 'scale'?"),
    ],
)
def test_names_are_forgiving_or_suggested(cli, arguments, message):
    """Singular or plural; a misspelt name is an error with the nearest."""
    done = cli("list", *arguments)

    assert done.code == (2 if message else 0)
    if message:
        assert done.err == f"error: {message}\n"


@pytest.mark.heavy
def test_components_of_other_libraries_are_listed(cli):
    """Lightning's callbacks with their parameters, from source."""
    out = cli("list", "callbacks", "EarlyStopping").out

    assert "patience: integer = 3" in out


def test_everything_can_be_listed_as_json(cli):
    """Also components whose defaults are no JSON."""
    for kind in ("ops", "formats", "tasks", "models", "metrics", "schedulers"):
        assert json.loads(cli("list", kind, "--json").out)


@pytest.mark.heavy
def test_everything_of_other_libraries_can_be_listed_as_json(cli):
    """Also components whose defaults are no JSON."""
    for kind in ("optimizers", "callbacks", "loggers"):
        assert json.loads(cli("list", kind, "--json").out)
