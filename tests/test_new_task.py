"""The page about a new task, and the tutorial on names: what they show runs as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import mlrecipe
from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/how-to/new-task.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs/tutorials/named-entities.md").read_text(encoding="utf-8")
LIGHTNING, PIECES = PAGE.split("\n## ")[1:]
ENDINGS = {"text": ".txt", "python": ".py", "toml": ".toml"}
SENTENCE = "Erik Larsen flew from Tromsø to Madrid ."


def write(section: str, folder: Path, name: str) -> None:
    """The first block of each kind of file, under `name` and the kind's ending."""
    for language, ending in ENDINGS.items():
        found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
        if found:
            (folder / f"{name}{ending}").write_text(found[1], encoding="utf-8")


def reports(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What `run --json` said of training and test."""
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_datamodule_and_a_module_of_ones_own_learn_from_nodes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words that load-tagged gives go through a LightningDataModule into a LightningModule and its test."""
    write(LIGHTNING, here, "references")

    assert command(["check", "references.toml"]) == 0
    capsys.readouterr()
    assert command(["run", "references.toml", "--json"]) == 0

    trained, tested = reports(capsys)
    assert trained["metrics"]["valid_accuracy"] > 0.5
    assert 0 <= tested["metrics"]["test_accuracy"] <= 1


def test_own_op_task_model_and_metric_work_together(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commas are learnt from the demo's reviews, and what the metric counts is what was predicted."""
    create(here)
    write(PIECES, here, "commas")

    assert command(["check", "commas.toml"]) == 0
    capsys.readouterr()
    assert command(["run", "commas.toml", "--json", "--set", "train.epochs=3"]) == 0

    _, tested = reports(capsys)
    with pa.ipc.open_stream(here / tested["folder"] / "predictions.arrow") as stream:
        rows = stream.read_all().to_pylist()
    gold = [tag for row in rows for tag in row["label"]]
    found = [tag for row in rows for tag in row["prediction"]]
    right = sum(a == b == "COMMA" for a, b in zip(gold, found, strict=True))
    assert gold.count("COMMA") > 50
    assert right > 0
    assert tested["metrics"]["test/commas-found"] == pytest.approx(right / gold.count("COMMA"))


def test_a_change_of_a_piece_runs_what_depends_on_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another task leaves every node as it is; another op runs its node again."""
    create(here)
    write(PIECES, here, "commas")
    assert command(["prepare", "commas.toml", "--set", "limit=300"]) == 0

    change(here / "commas.py", "self.unknown)", "self.unknown + 0)")
    assert set(statuses(capsys).values()) == {"hit"}

    change(here / "commas.py", '"COMMA" if', '"COMMA" if len(word) > 3 and')
    assert statuses(capsys)["words"] == "run"


def change(path: Path, old: str, new: str) -> None:
    """Replace what is there once."""
    code = path.read_text()
    assert code.count(old) == 1
    path.write_text(code.replace(old, new))


def statuses(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Node → what `plan` says of it."""
    capsys.readouterr()
    assert command(["plan", "commas.toml", "--set", "limit=300", "--json"]) == 0
    return {step["node"]: step["status"] for step in json.loads(capsys.readouterr().out)["steps"]}


def test_the_tutorial_finds_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the sentences of the page to names in a new one, exact to the character."""
    write(TUTORIAL, here, "names")
    (here / "names.py").unlink()

    assert command(["check", "names.toml"]) == 0
    capsys.readouterr()
    assert command(["run", "names.toml", "--json", "--set", "train.epochs=10"]) == 0

    _, tested = reports(capsys)
    assert tested["metrics"]["test/span-f1"] > 0.3
    found = mlrecipe.load("names.toml").predict(SENTENCE)
    assert found.spans
    for span in found.spans:
        assert SENTENCE[span.start : span.end] == span.text
    assert command(["predict", "names.toml", "--text", SENTENCE]) == 0
    assert found.spans[0].text in capsys.readouterr().out


def test_the_tutorials_encoder_is_accepted(here: Path) -> None:
    """The lines that put a pretrained encoder in the place of the small network have no mistakes."""
    import tomli
    import tomli_w

    blocks = [tomli.loads(text) for text in re.findall(r"```toml\n(.*?)```", TUTORIAL, re.DOTALL)]
    write(TUTORIAL, here, "names")
    recipe, change = blocks
    merged = recipe | {"model": change["model"], "train": recipe["train"] | change["train"]}
    merged["nodes"]["words"] |= change["nodes"]["words"]
    (here / "names.toml").write_text(tomli_w.dumps(merged))

    assert command(["check", "names.toml"]) == 0
