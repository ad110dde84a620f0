"""Variables of the environment: one that asks for what cannot be is refused by every command."""

from __future__ import annotations

import pytest

COMMANDS = [
    ("check", "recipe.toml"), ("plan", "recipe.toml"), ("prepare", "recipe.toml"),
    ("inspect", "sum", "recipe.toml"), ("lineage", "sum"), ("graph", "recipe.toml"),
    ("show", "recipe.toml"), ("options", "recipe.toml"),
    ("cache", "list"), ("cache", "du"), ("cache", "verify"), ("cache", "gc"),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("MLRECIPE_LOCKS", "foo", "MLRECIPE_LOCKS is 'foo': it is flock or lease, or not set"),
        ("MLRECIPE_INDEX", "foo", "MLRECIPE_INDEX is 'foo': it is diskcache or sqlite, or not set"),
        ("MLRECIPE_STORE", "ops.py/x", "MLRECIPE_STORE is 'ops.py/x': "),
    ],
)
def test_a_variable_with_a_wrong_value(cli, monkeypatch, command, variable, value, problem):
    """With its name and what it may be; exit code 2."""
    monkeypatch.setenv(variable, value)

    done = cli(*command)

    assert done.code == 2
    assert f"error: {problem}" in done.err


def test_a_store_in_the_home_folder(cli, work, monkeypatch):
    """A tilde need not have met a shell."""
    monkeypatch.setenv("HOME", str(work.folder / "home"))
    monkeypatch.setenv("MLRECIPE_STORE", "~/store")

    assert cli("prepare", "recipe.toml").code == 0

    assert (work.folder / "home" / "store" / "schema").is_file()
