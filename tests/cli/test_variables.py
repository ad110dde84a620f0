"""Variables of the environment: one that asks for what cannot be is refused by every command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import mlrecipe
from mlrecipe.errors import RequestError
from tests.projects import ROOT

COMMANDS = [
    ("check", "recipe.toml"), ("plan", "recipe.toml"), ("prepare", "recipe.toml"),
    ("inspect", "sum", "recipe.toml"), ("lineage", "sum"), ("lineage", "sum", "recipe.toml"),
    ("graph", "recipe.toml"), ("train", "recipe.toml"), ("schema",),
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
        ("MLRECIPE_STORE", ".", "MLRECIPE_STORE is '.': "),
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


def test_a_store_that_is_none_is_refused_in_python(work, monkeypatch):
    """As by every command."""
    monkeypatch.chdir(work.folder)
    monkeypatch.setenv("MLRECIPE_STORE", ".")

    with pytest.raises(
        RequestError, match=r"^MLRECIPE_STORE is '\.': .* is no store and has other"
    ):
        mlrecipe.output("recipe.toml", "sum")


_WITHOUT = "-dac_override,-dac_read_search"
_UNPRIVILEGED = ["setpriv", f"--bounding-set={_WITHOUT}", f"--inh-caps={_WITHOUT}"]
"""Before a command of root: it may read what its permissions say, and no more."""


@pytest.mark.skipif(
    os.getuid() == 0 and not shutil.which("setpriv"), reason="root may read everything"
)
@pytest.mark.parametrize("closed", [".", "v1"])
@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] in ("plan", "prepare", "cache")])
def test_a_store_of_another_user_is_told(cli, work, command, closed):
    """In one line, with exit code 2: it cannot even be looked at."""
    cli("prepare", "recipe.toml")
    folder = work.folder / ".mlrecipe" / "store" / closed
    folder.chmod(0)

    done = subprocess.run(
        [*(_UNPRIVILEGED if os.getuid() == 0 else []), sys.executable, "-m", "mlrecipe", *command],
        cwd=work.folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    folder.chmod(0o755)

    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot look at the store '")
    assert done.stderr.endswith("store': Permission denied\n")
