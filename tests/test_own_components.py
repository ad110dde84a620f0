"""The examples on the page about own components work as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli
import tomli_w

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

PAGE = Path(__file__).parents[1] / "docs/how-to/own-components.md"
SECTIONS = {
    part.partition("\n")[0].split()[-1]: part for part in PAGE.read_text().split("\n## ")[1:]
}
QUICK = ["--set", "limit=120", "--set", "train.epochs=1"]


def use(section: str, folder: Path) -> None:
    """Put a section's two code blocks into the demo of `folder`."""
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (text,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    values: dict[str, Any] = tomli.loads(text)
    (name,) = values["plugins"]
    assert code.startswith(f"# {name}\n")
    (folder / name).write_text(code)
    recipe = tomli.loads((folder / "demo.toml").read_text())
    train = recipe["train"] | values.pop("train", {})
    nodes = recipe["nodes"] | values.pop("nodes", {})
    if "metrics" not in values.get("task", {"metrics": ()}):
        values["task"]["metrics"] = recipe["task"]["metrics"]
    (folder / "demo.toml").write_text(
        tomli_w.dumps(recipe | values | {"train": train, "nodes": nodes})
    )


def log_of(folder: Path) -> str:
    (path,) = folder.glob("runs/*-train-*/logs/metrics.csv")
    return path.read_text()


def test_the_page_has_the_five() -> None:
    """No example is left out of the next tests."""
    assert set(SECTIONS) == {"metric", "task", "model", "callback", "format"}


def test_the_example_of_a_format_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node gives a value of a type of one's own, which `inspect` knows."""
    create(tmp_path)
    use(SECTIONS["format"], tmp_path)
    monkeypatch.chdir(tmp_path)

    assert command(["prepare", "demo.toml", "vocabulary"]) == 0
    capsys.readouterr()

    assert command(["inspect", "vocabulary", "demo.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["text"] == "100 words"


@pytest.mark.parametrize(
    ("name", "logged"),
    [("metric", "valid/f2"), ("task", "valid/loss"), ("model", "valid/f1"),
     ("callback", "gradient_norm")],
)  # fmt: skip
def test_each_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, logged: str,
) -> None:  # fmt: skip
    """From the page into the demo project, and through `run` to test metrics."""
    create(tmp_path)
    use(SECTIONS[name], tmp_path)
    monkeypatch.chdir(tmp_path)

    assert command(["run", "demo.toml", *QUICK, "--json"]) == 0

    tested = json.loads(capsys.readouterr().out)[-1]
    assert 0 <= tested["metrics"]["test/accuracy"] <= 1
    assert logged in log_of(tmp_path).partition("\n")[0]
