"""Kept outputs of frozen layers from the command line, and of models of the user's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=40", "--set", "train.epochs=2"]
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "frozen.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo project; the current folder."""
    folder = tmp_path / "project"
    create(folder)
    monkeypatch.chdir(folder)
    return folder


def metrics(folder: Path) -> dict[str, float]:
    """Those of the newest test run."""
    newest = max(folder.glob("runs/*-test-*/metrics.json"), key=lambda path: path.stat().st_mtime)
    found: dict[str, float] = json.loads(newest.read_text(encoding="utf-8"))
    return found


def test_training_31_a_second_training_makes_nothing_anew(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does `gc` take what it uses; `plan` and `cache list` know it; testing goes on as usual."""
    frozen = [*QUICK, "--set", 'model.freeze_layers="all"']
    node = "frozen(tokens.train)"

    assert command(["train", "demo.toml", *frozen]) == 0
    assert f"{node}: running" in capsys.readouterr().err
    assert command(["train", "demo.toml", *frozen, "--set", "train.optimizer.lr=0.01"]) == 0
    assert f"{node}: running" not in capsys.readouterr().err
    assert command(["test", "demo.toml"]) == 0
    assert "frozen(tokens.test): running" in capsys.readouterr().err
    first, _ = sorted(path.parent.name for path in here.glob("runs/*-train-*/run.json"))
    assert command(["test", "demo.toml", "--run", first]) == 0
    assert "frozen(tokens.test): running" not in capsys.readouterr().err
    found = metrics(here)
    recipe = here / "runs" / first / RECIPE
    text = recipe.read_text(encoding="utf-8")
    assert "cache_frozen = true" in text
    recipe.write_text(text.replace("cache_frozen = true", "cache_frozen = false"), encoding="utf-8")
    assert command(["test", "demo.toml", "--run", first]) == 0
    assert metrics(here) == pytest.approx(found, abs=1e-5)
    capsys.readouterr()
    assert command(["plan", "demo.toml", "--json", *frozen]) == 0
    steps = {s["node"]: s["status"] for s in json.loads(capsys.readouterr().out)["steps"]}
    assert steps[node] == "hit"
    assert command(["cache", "list", "--json"]) == 0
    listed = {entry["node"] for entry in json.loads(capsys.readouterr().out)}
    assert {node, "frozen(tokens.valid)"} <= listed


def test_a_model_of_the_users_own_has_its_trunk_kept(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the page of documentation has it, word for word."""
    (source,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (here / "bags.py").write_text(source, encoding="utf-8")
    recipe = here / "demo.toml"
    text = recipe.read_text(encoding="utf-8")
    text = text.replace('# plugins = ["ops.py"]', 'plugins = ["bags.py"]')
    recipe.write_text(text, encoding="utf-8")
    own = [*QUICK, "--set", 'model={use="bags"}']

    assert command(["train", "demo.toml", *own]) == 0
    assert "frozen(tokens.train): done" in capsys.readouterr().err
    assert command(["plan", "demo.toml", *own]) == 0
    assert "frozen(tokens.valid)  hit" in capsys.readouterr().out
