"""Secrets: read at the moment of use, and in no file and no output."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command

SECRET = 's3cret-"värde"-42'

OPS = '''
import mlrecipe


@mlrecipe.op("fetch")
def fetch(*, token: str, url: str = ""):
    """Something from a service."""
    print("calling with", token)
    if url.endswith("bad"):
        raise ValueError(f"refused: {token} at {url}")
    return [len(token), url.startswith("https://u:")]
'''

RECIPE = """
name = "s"
plugins = ["ops.py"]

[nodes.a]
use = "fetch"
token = "${secret:MLRECIPE_TOKEN}"
url = "https://u:${secret:MLRECIPE_TOKEN}@host/good"
"""


@pytest.fixture
def secretive(work):
    work.write("ops.py", OPS)
    work.write("recipe.toml", RECIPE)
    return work


def hiding_places(folder: Path, secret: str = SECRET) -> list[str]:
    """Files below a folder that hold the secret, in any of the forms that a file may have it."""
    forms = [form.encode() for form in (secret, secret.replace('"', '\\"'), "värde", "v\\u00e4rde")]
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "ops.py"]
    return [str(p) for p in files if any(form in p.read_bytes() for form in forms)]


def test_recipe_16_an_op_gets_the_secret_and_no_file_does(secretive):
    """Nor what is printed, nor what the op prints."""
    done = secretive.run("prepare", "recipe.toml", "-v", MLRECIPE_TOKEN=SECRET)

    assert done.code == 0
    assert secretive.store.load(secretive.plan().by_node["a"].record) == [len(SECRET), True]
    assert "calling with ***" in done.out + done.err
    assert "värde" not in done.out + done.err
    assert hiding_places(secretive.folder) == []


def test_recipe_16_another_secret_changes_no_fingerprint(secretive):
    """It is not hashed: a new token is no new computation."""
    secretive.run("prepare", "recipe.toml", MLRECIPE_TOKEN=SECRET)

    assert secretive.statuses() == {"a": "hit"}
    done = secretive.run("prepare", "recipe.toml", MLRECIPE_TOKEN="another")
    assert "all in the store" in done.err


@pytest.mark.parametrize("flags", [[], ["--traceback"]])
def test_recipe_16_an_error_that_quotes_the_secret_is_redacted(secretive, flags):
    """The op's own message, with and without the traceback."""
    bad = ["--set", "nodes.a.url=https://u:${secret:MLRECIPE_TOKEN}@host/bad"]
    done = secretive.run("prepare", "recipe.toml", *bad, *flags, MLRECIPE_TOKEN=SECRET)

    assert done.code == 1
    assert "***" in done.err
    assert "värde" not in done.out + done.err


def test_recipe_16_a_secret_that_is_not_set_is_found_before_the_work(secretive):
    """With the key's place; what only looks at the recipe needs none."""
    done = secretive.run("prepare", "recipe.toml")

    assert done.code == 2
    assert "recipe.toml:6:1  nodes.a.token: the secret MLRECIPE_TOKEN is not set" in done.err
    assert secretive.run("check", "recipe.toml").code == 0
    shown = secretive.run("show", "recipe.toml", MLRECIPE_TOKEN=SECRET)
    assert 'token = "${secret:MLRECIPE_TOKEN}"' in shown.out


CALLBACK = '''
import mlrecipe
from pytorch_lightning.callbacks import Callback


@mlrecipe.callback("reporter")
class Reporter(Callback):
    """Writes down that it was given what it needs."""

    def __init__(self, *, token: str, folder: str, fails: bool = False) -> None:
        super().__init__()
        self.token, self.folder, self.fails = token, folder, fails

    def on_train_end(self, trainer, module):
        print("token", self.token)
        with open(self.folder + "/length.txt", "w") as file:
            file.write(str(len(self.token)))
        if self.fails:
            raise RuntimeError("bad token " + self.token)
'''


@pytest.mark.heavy
@pytest.mark.parametrize("fails", [False, True])
def test_recipe_16_a_secrets_value_is_in_no_file_of_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    fails: bool,
) -> None:
    """Of a finished and of a failed one; `${run_dir}` is the run's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLRECIPE_TOKEN", SECRET)
    assert command(["new", "demo"]) == 0
    monkeypatch.chdir(tmp_path / "demo")
    Path("callback.py").write_text(CALLBACK)
    text = (
        Path("demo.toml").read_text().replace("# plugins", 'plugins = ["callback.py"]\n# plugins')
    )
    with Path("demo.toml").open("w") as file:
        file.write(
            text + '\n[train.callbacks.report]\nuse = "reporter"\nfolder = "${run_dir}"\n'
            f'token = "${{secret:MLRECIPE_TOKEN}}"\nfails = {str(fails).lower()}\n'
        )

    quick = ["--set", "limit=120", "--set", "train.epochs=1"]
    code = command(["train", "demo.toml", *quick])

    [run] = Path("runs").iterdir()
    assert code == int(fails)
    assert (run / "length.txt").read_text() == str(len(SECRET))
    assert hiding_places(Path.cwd()) == []
    done = capsys.readouterr()
    assert "värde" not in done.out + done.err
    assert ("bad token ***" in done.err) is fails
