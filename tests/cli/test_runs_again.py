"""Runs again: the same from the same, under names of one's choice, and nothing old is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=60", "--set", "train.epochs=1"]
Json = Callable[..., Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project, prepared and trained once; not to be changed."""
    folder = tmp_path_factory.mktemp("again")
    create(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["prepare", "demo.toml", *QUICK]) == 0
        assert command(["train", "demo.toml", *QUICK]) == 0
    return folder


@pytest.fixture
def demo(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; the current folder."""
    folder = tmp_path / "demo"
    shutil.copytree(trained, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def document(capsys: pytest.CaptureFixture[str]) -> Json:
    """Runs a command with `--json`; gives its document."""

    def call(*arguments: str) -> Any:
        capsys.readouterr()
        assert command([*arguments, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return call


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def digests(folder: Path) -> dict[str, str]:
    """Node → digest of its output, as the newest train run used it."""
    runs = sorted(folder.glob("runs/*/inputs.json"), key=lambda path: path.stat().st_mtime_ns)
    return {name: facts["digest"] for name, facts in json.loads(runs[-1].read_text()).items()}


def statuses(document: Json, recipe: str, *overrides: str) -> dict[str, str]:
    """Node → what preparing would do."""
    sets = [part for text in overrides for part in ("--set", text)]
    return {s["node"]: s["status"] for s in document("plan", recipe, *sets)["steps"]}


def test_experiment_29_a_saved_recipe_runs_again_with_all_hits(demo: Path, document: Json) -> None:
    """Unchanged, from where it lies: no node runs, and the training comes to the same bytes."""
    (run,) = demo.glob("runs/*-train-*")
    saved = str(run / "recipe.resolved.toml")

    plan = document("plan", saved)
    (again,) = document("train", saved)

    assert {step["status"] for step in plan["steps"]} == {"hit"}
    other = demo / again["folder"]
    assert (other / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    weights = "checkpoints/last/model.safetensors"
    assert (other / weights).read_bytes() == (run / weights).read_bytes()
    facts = [json.loads((path / "run.json").read_text()) for path in (run, other)]
    assert facts[0]["fingerprint"] == facts[1]["fingerprint"]


@pytest.mark.parametrize("seed", [0, 7])
def test_experiment_23_prepare_gives_the_same_bytes_alone_and_inside_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: Json, seed: int
) -> None:
    """In one project prepared first, in the other only trained; seed 0 is a seed like any other."""
    found = []
    sets = ["--set", f"seed={seed}", "--set", "limit=60"]
    for name in ("alone", "inside"):
        folder = tmp_path / name
        create(folder)
        monkeypatch.chdir(folder)
        if name == "alone":
            assert command(["prepare", "demo.toml", *sets]) == 0
            steps = document("plan", "demo.toml", *sets)["steps"]
            assert {step["status"] for step in steps} == {"hit"}
        assert command(["train", "demo.toml", *sets, "--set", "train.epochs=1"]) == 0
        found.append(digests(folder))

    assert found[0] == found[1]
    assert len(found[0]) >= 3


def test_training_16_a_tokenizer_re_runs_tokenisation_and_a_rate_nothing(
    demo: Path, document: Json
) -> None:
    """Another tokenizer: the node that uses it, and what hangs on it; another learning rate: no node."""
    shutil.copytree(demo / "models" / "tiny", demo / "models" / "other")
    path = demo / "models" / "other" / "tokenizer.json"
    path.write_text(path.read_text().replace('"model": 990', '"modell": 990'))

    rate = statuses(document, "demo.toml", "limit=60", "train.optimizer.lr=1e-3", "train.epochs=9")
    other = statuses(document, "demo.toml", "limit=60", "nodes.tokens.tokenizer=models/other")

    assert set(rate.values()) == {"hit"}
    assert other["tokens"] == "run"
    assert {other["table"], other["split"]} == {"hit"}


def test_glue_28_nothing_old_is_deleted_by_what_comes_after(demo: Path, document: Json) -> None:
    """Logs, checkpoints and metrics of a run stay byte for byte: also when it is run again, tested, forced."""
    before = files(demo / "runs")

    assert command(["train", "demo.toml", *QUICK]) == 0
    assert command(["train", "demo.toml", *QUICK, "--force", "tokens"]) == 0
    assert command(["test", "demo.toml"]) == 0
    assert command(["run", "demo.toml", *QUICK]) == 0
    assert command(["cache", "gc", "--yes", "--grace", "0"]) == 0

    now = files(demo / "runs")
    assert {name: now[name] for name in before} == before
    assert len(list((demo / "runs").iterdir())) >= 4


def test_glue_28_a_fixed_name_never_replaces_a_run(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second training of that name is refused, and says how to remove the first."""
    fixed = ["--set", "run.name=baseline"]
    assert command(["train", "demo.toml", *QUICK, *fixed]) == 0
    before = files(demo / "runs")
    capsys.readouterr()

    assert command(["train", "demo.toml", *QUICK, *fixed]) == 2

    assert "mlrecipe runs rm baseline" in capsys.readouterr().err
    assert files(demo / "runs") == before


def test_experiment_13_run_directories_are_versioned_or_fixed(demo: Path, document: Json) -> None:
    """By default each has a new name; with `run.name` it is that, its tests' begin with it."""
    fixed = ["--set", "run.name=baseline"]
    tags = ["--set", 'run.tags=["paper", "v2"]']

    (first,) = document("train", "demo.toml", *QUICK)
    (trained,) = document("train", "demo.toml", *QUICK, *fixed, *tags)
    tests = [
        document("test", "demo.toml", "--run", "baseline", *more)[0]["folder"]
        for more in ([], [], ["--set", "test.suffix=short"])
    ]
    (other,) = document("test", "demo.toml", "--run", first["run"], "--set", "test.suffix=short")

    assert trained["folder"] == "runs/baseline"
    assert tests == ["runs/baseline-test", "runs/baseline-test-2", "runs/baseline-test-short"]
    assert "-train-" in first["run"]
    assert "-test-short-" in other["run"]
    tagged = document("runs", "list", "--tag", "paper", "--tag", "v2")
    assert {run["run"] for run in tagged} == {"baseline", *(t.partition("/")[2] for t in tests)}


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", "", "-x"])
def test_a_fixed_name_is_a_name(demo: Path, name: str) -> None:
    """It cannot lead out of the folder of runs; an empty one is none."""
    code = command(["check", "demo.toml", "--set", f"run.name={name}"])

    assert code == (2 if name else 0)


def test_names_and_tags_change_nothing_that_is_computed(demo: Path, document: Json) -> None:
    """`run` knows the finished training again."""
    (run,) = demo.glob("runs/*-train-*")

    trained, _ = document(
        "run", "demo.toml", *QUICK, "--set", "run.name=other", "--set", 'run.tags=["x"]'
    )

    assert trained["run"] == run.name
