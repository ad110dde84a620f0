"""The IMDb recipe on all 50,000 real reviews with a real encoder: run by `make test-real`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command

pytestmark = [pytest.mark.real, pytest.mark.heavy, pytest.mark.timeout(900)]

RECIPE = Path(__file__).parents[1] / "recipes" / "imdb.toml"


@pytest.fixture(scope="module")
def imdb(
    tmp_path_factory: pytest.TempPathFactory, real_data: Path, real_model: Path
) -> Iterator[Path]:
    """A project with the recipe, every node prepared; the current folder."""
    folder = tmp_path_factory.mktemp("imdb")
    (folder / ".mlrecipe").mkdir()
    shutil.copy(RECIPE, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMDB_DIR", str(real_data / "imdb"))
        patch.setenv("CHECKPOINT", str(real_model))
        patch.chdir(folder)
        assert command(["prepare", "imdb.toml"]) == 0
        yield folder


def plan(capsys: pytest.CaptureFixture[str], *settings: str) -> dict[str, tuple[str, list[str]]]:
    """Node → status and reasons."""
    capsys.readouterr()
    arguments = [part for text in settings for part in ("--set", text)]
    assert command(["plan", "imdb.toml", "--json", *arguments]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    return {step["node"]: (step["status"], step["reasons"]) for step in steps}


def test_experiment_1_the_imdb_recipe_prepares_the_rows_of_the_demo(
    imdb: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """24,000 train, 1,000 valid and 25,000 test rows, each label half of each."""
    capsys.readouterr()
    assert command(["inspect", "split", "imdb.toml", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]

    assert summary["rows"] == {"train": 24_000, "valid": 1_000, "test": 25_000}
    assert summary["labels"]["label"]["valid"] == {"neg": 500, "pos": 500}


def test_a_setting_of_training_leaves_every_node_a_hit(
    imdb: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another batch size nothing of the data runs."""
    assert {status for status, _ in plan(capsys, "train.batch_size=32").values()} == {"hit"}


def test_another_length_runs_tokens_and_says_so_beforehand(
    imdb: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """max_length changes tokens; the reviews are a hit, and what follows depends."""
    steps = plan(capsys, "nodes.tokens.max_length=64")

    assert steps["tokens"] == ("run", ["max_length 128 → 64"])
    assert steps["reviews"][0] == steps["split"][0] == "hit"
    assert steps["sample"][0] == "maybe"


def test_the_encoder_learns_in_a_few_steps(imdb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From 640 reviews, seen once, it tells more than a coin: 60 % of 200 is three deviations off."""
    settings = [
        "nodes.sample.sample={ train = 640, valid = 100, test = 200 }", "train.epochs=1",
        "train.batch_size=16", "train.optimizer.lr=2e-4",
    ]  # fmt: skip
    capsys.readouterr()
    arguments = [part for text in settings for part in ("--set", text)]
    assert command(["run", "imdb.toml", "--json", *arguments]) == 0

    tested = json.loads(capsys.readouterr().out)[-1]
    assert tested["metrics"]["test/accuracy"] > 0.6
