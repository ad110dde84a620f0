"""The GLUE recipe: what is asked of its overrides, and what makes its nodes run again."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from tests import glue as small

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[1]
TINY = ROOT / "mlrecipe" / "data" / "tiny"


def given(*arguments: str) -> tuple[int, str, str]:
    """What a command gives: its exit code, and what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command(list(arguments))
    return code, out.getvalue(), err.getvalue()


def statuses(*arguments: str) -> dict[str, str]:
    """Node → what `plan` says of it."""
    code, out, _ = given("plan", "glue.toml", *arguments, "--json")
    assert code == 0
    return {step["node"]: step["status"] for step in json.loads(out)["steps"]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the recipe, RTE in a few rows, and a checkpoint with random weights; RTE is prepared."""
    from transformers import AutoConfig, AutoModel

    folder = tmp_path / "project"
    (folder / ".mlrecipe").mkdir(parents=True)
    shutil.copy(ROOT / "recipes" / "glue.toml", folder)
    shutil.copytree(TINY, folder / "tiny")
    AutoModel.from_config(AutoConfig.from_pretrained(TINY)).save_pretrained(folder / "tiny")
    small.write(folder / "data", only="RTE")
    monkeypatch.setenv("GLUE_DIR", "data")
    monkeypatch.setenv("CHECKPOINT", "tiny")
    monkeypatch.chdir(folder)
    assert given("prepare", "glue.toml")[0] == 0
    return folder


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.epohcs=1", "epochs"),
        ("train.epochs=many", "train.epochs"),
        ('seed=__import__("os").getpid()', "seed"),
    ],
)
def test_glue_36_what_is_no_setting_is_an_error(project, setting, said):
    """An unknown key with the nearest name, a value of another type, and code, which is never run."""
    code, _, err = given("show", "glue.toml", "--set", setting)

    assert code == 2
    assert said in err


def test_glue_36_a_list_may_hold_negative_numbers(project):
    """They are values, not options."""
    code, out, _ = given("show", "glue.toml", "--set", "train.optimizer.betas=[-17, 0.9]")

    assert code == 0
    assert "-17" in out


def test_glue_37_any_key_is_set_and_the_whole_recipe_printed(project):
    """From the command line, and from a file of JSON."""
    (project / "more.json").write_text('{"train": {"optimizer": {"lr": 0.125}}}')

    code, out, _ = given(
        "show", "glue.toml", "--set", "nodes.tokens.max_length=16", "--set-file", "more.json"
    )

    assert code == 0
    assert "max_length = 16" in " ".join(out.split())
    assert "0.125" in out


def test_glue_38_nothing_runs_again_in_a_moved_folder_or_after_a_call(project, monkeypatch):
    """A call of a fast tokenizer changes it; where the project lies does not count."""
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained("tiny")("a text", truncation=True, max_length=3)
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)

    assert set(statuses().values()) == {"hit"}


@pytest.mark.parametrize("change", ["data", "tokenizer", "length", "version", "task"])
def test_glue_38_what_tokens_hang_on_makes_them_run(project, change):
    """Bytes of the data, the tokenizer's files, the length, the version, and the task with its labels."""
    arguments = {
        "length": ["--set", "nodes.tokens.max_length=16"],
        "version": ["--set", "nodes.tokens.version=2"],
        "task": ["--set", "nodes.glue.task=wnli", "--set", "nodes.glue.path=data/WNLI"],
    }.get(change, [])
    if change == "data":
        file = project / "data" / "RTE" / "train.tsv"
        file.write_text(file.read_text(encoding="utf-8").replace("film", "play"), encoding="utf-8")
    elif change == "tokenizer":
        file = project / "tiny" / "tokenizer.json"
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    elif change == "task":
        shutil.copytree(project / "data" / "RTE", project / "data" / "WNLI")

    found = statuses(*arguments)

    assert found["tokens"] != "hit"
    assert (found["glue"] == "hit") == (change in ("tokenizer", "length", "version"))


def test_glue_39_a_second_run_runs_nothing_but_what_is_forced(project):
    """Each node is in the store."""
    again = given("prepare", "glue.toml")
    forced = given("prepare", "glue.toml", "--force", "tokens")

    assert "2 nodes, all in the store" in again[1] + again[2]
    assert "(1 run, 1 in the store)" in forced[1] + forced[2]


def test_glue_39_a_node_that_failed_leaves_nothing_to_use(project):
    """It runs again when the mistake is gone, and what hangs on it too."""
    file = project / "data" / "RTE" / "train.tsv"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole + "99\tonly one text\n", encoding="utf-8")
    strict = ["--set", "nodes.glue.strict=true"]

    code, _, _ = given("prepare", "glue.toml", *strict)
    after = statuses(*strict)

    assert code != 0
    assert "hit" not in after.values()
