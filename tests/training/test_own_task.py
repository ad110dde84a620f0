"""The page about a task of one's own: its example runs as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

PAGE = Path(__file__).parents[2] / "docs/how-to/own-task.md"
FILES = {"csv": "topics.csv", "python": "topics.py", "toml": "topics.toml"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project with the three files of the page; the current folder."""
    create(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    for language, name in FILES.items():
        (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        (tmp_path / name).write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_a_task_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a table of texts with several labels each to metrics and predictions."""
    assert command(["check", "topics.toml"]) == 0
    assert command(["run", "topics.toml", "--json", "--set", "test.split=train"]) == 0

    trained, tested = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert 0 <= tested["metrics"]["test/f1"] <= 1
    assert "valid/f1" in trained["metrics"]
    with pa.ipc.open_stream(here / tested["folder"] / "predictions.arrow") as stream:
        rows = stream.read_all().to_pylist()
    assert list(rows[0])[:4] == ["row", "label", "prediction", "probabilities"]
    for row in rows:
        pairs = zip(("food", "room", "service"), row["probabilities"], strict=True)
        assert row["prediction"] == [name for name, value in pairs if value >= 0.5]
    assert {"food", "room", "service"} == {name for row in rows for name in row["label"]}
    assert any(len(row["label"]) > 1 for row in rows)


def test_the_task_takes_some_thirty_lines() -> None:
    """Code, without blank lines and what says what it is."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    lines = [line for line in block.splitlines() if line.strip() and '"""' not in line]

    assert len(lines) <= 40


def test_check_finds_mistakes_in_an_own_task(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column that is not there and a key that it does not have, though nothing is imported."""
    (here / "topics.py").write_text((here / "topics.py").read_text() + "\nraise SystemExit\n")

    assert command(["check", "topics.toml", "--set", "task.column=topic"]) == 2
    assert command(["check", "topics.toml", "--set", "task.label=[]"]) == 2

    said = capsys.readouterr().err
    assert "'topic'" in said
    assert "did you mean 'topics'" in said
    assert "did you mean 'labels'" in said
