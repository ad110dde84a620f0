"""The commands train, test and run, on the demo's own data and network."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=120", "--set", "train.epochs=1"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo project after one `run`; the current folder is the project."""
    folder = tmp_path_factory.mktemp("demo")
    create(folder)
    before = Path.cwd()
    os.chdir(folder)
    assert command(["run", "demo.toml", *QUICK]) == 0
    yield folder
    os.chdir(before)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo project, nothing run; the current folder is the project."""
    create(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs(folder: Path, stage: str) -> list[Path]:
    """Run directories of a stage, oldest first."""
    found = folder.glob(f"runs/*-{stage}-*")
    return sorted(found, key=lambda run: str(read(run / "run.json")["started"]))


def read(path: Path) -> dict[str, object]:
    """A JSON file."""
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_experiment_1_a_new_project_runs_at_once_offline(demo: Path) -> None:
    """`new` gives a project whose recipe goes from its own data to a tested model."""
    metrics = read(runs(demo, "test")[0] / "metrics.json")

    assert 0 <= float(str(metrics["test/accuracy"])) <= 1
    assert (runs(demo, "train")[0] / "checkpoints" / "best" / "model.safetensors").is_file()


def test_experiment_3_set_never_evaluates_code(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value is text or TOML, whatever it looks like; a wrong key is an error with a suggestion."""
    code = "__import__('pathlib').Path('ran').touch()"

    assert command(["show", "demo.toml", "--set", f"name={code}"]) == 0
    assert command(["check", "demo.toml", "--set", f"train.epochs={code}"]) == 2
    assert command(["check", "demo.toml", "--set", "train.epoch=1"]) == 2

    printed = capsys.readouterr()
    assert code in printed.out
    assert "did you mean 'epochs'?" in printed.err
    assert not (fresh / "ran").exists()


def test_experiment_4_each_stage_alone_and_all_in_one(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """prepare, train and test work one by one; run does only what is missing."""
    known = [runs(demo, "train"), runs(demo, "test")]
    assert command(["prepare", "demo.toml", *QUICK]) == 0
    assert command(["run", "demo.toml", *QUICK]) == 0
    assert [runs(demo, "train"), runs(demo, "test")] == known
    assert "used again" in capsys.readouterr().err

    assert command(["train", "demo.toml", *QUICK]) == 0
    assert command(["test", "demo.toml"]) == 0

    assert len(runs(demo, "train")) == len(known[0]) + 1
    assert len(runs(demo, "test")) == len(known[1]) + 1


def test_experiment_8_the_ops_metrics_and_split_of_the_demo_are_there(demo: Path) -> None:
    """What a text-classification experiment needs comes with mlrecipe, and the demo has used it."""
    facts = read(runs(demo, "train")[0] / "inputs.json")
    ops = {str(node["op"]) for node in facts.values() if isinstance(node, dict)}
    with (runs(demo, "train")[0] / "logs" / "metrics.csv").open() as file:
        log = next(csv.reader(file))

    assert {"load-files", "split", "tokenize"} <= ops
    assert {"valid/accuracy", "valid/f1", "valid/loss", "train/loss"} <= set(log)


def test_experiment_25_nothing_untrained_is_ever_tested(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a finished train run `test` refuses, says what to do, and gives no metrics."""
    assert command(["test", "demo.toml"]) == 2

    printed = capsys.readouterr()
    assert "no finished train run" in printed.err
    assert "mlrecipe train demo.toml" in printed.err
    assert printed.out == ""
    assert not (fresh / "runs").exists()


def test_experiment_25_a_missing_checkpoint_or_run_is_refused(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint or a run that is not there is an error that names those that are."""
    known = runs(demo, "test")

    assert command(["test", "demo.toml", "--checkpoint", "bset"]) == 2
    assert command(["test", "demo.toml", "--run", "nonesuch"]) == 2

    assert "did you mean 'best'?" in capsys.readouterr().err
    assert runs(demo, "test") == known


def test_experiment_26_best_and_last_resolve_and_test_takes_the_newest(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both aliases name a checkpoint; by default the newest finished train run is tested."""
    assert command(["train", "demo.toml", *QUICK, "--set", "train.seed=9"]) == 0
    newest = runs(demo, "train")[-1].name
    for name in ("best", "last"):
        capsys.readouterr()
        assert command(["test", "demo.toml", "--checkpoint", name, "--json"]) == 0
        folder = demo / json.loads(capsys.readouterr().out)[0]["folder"]
        facts = read(folder / "run.json")

        assert (facts["parent"], facts["checkpoint"]) == (newest, name)


def test_test_says_where_the_recipe_has_changed_since(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run's own recipe is used; what differs from today's, but for the overrides it began with, is told."""
    assert command(["test", "demo.toml"]) == 0
    assert "has changed since that run" not in capsys.readouterr().err
    recipe = demo / "demo.toml"
    text = recipe.read_text()
    assert "batch_size = 16" in text

    try:
        recipe.write_text(text.replace("batch_size = 16", "batch_size = 8"))
        assert command(["test", "demo.toml"]) == 0
    finally:
        recipe.write_text(text)

    assert "has changed since that run: train.batch_size 16 → 8" in capsys.readouterr().err


def test_training_6_a_missing_column_lists_those_there_are(
    fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column that is not there: exit 2, the columns, the nearest, and no model is loaded."""
    assert command(["train", "demo.toml", *QUICK, "--set", "nodes.tokens.text=txt"]) == 2

    error = capsys.readouterr().err
    assert "nodes.tokens.text" in error
    assert "did you mean 'text'?" in error
    assert "label" in error
    assert not (fresh / "runs").exists()


@pytest.mark.parametrize(
    ("setting", "key", "words"),
    [
        ('task.labels=["negative", "psitive"]', "task.labels", "'positive'"),
        ("task.label=labl", "task.label", "did you mean 'label'?"),
        ("train.monitor=valid/acc", "train.monitor", "valid/accuracy"),
        ("train.valid_split=dev", "train.valid_split", "valid"),
    ],
)
def test_what_the_data_contradict_is_refused_and_leaves_no_run(
    fresh: Path, capsys: pytest.CaptureFixture[str], setting: str, key: str, words: str
) -> None:
    """A label outside the list, a missing column, metric or split: exit 2 with the key, no run directory."""
    assert command(["train", "demo.toml", *QUICK, "--set", setting]) == 2

    error = capsys.readouterr().err
    assert key in error
    assert words in error
    assert not list(fresh.glob("runs/*"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["a", "b", ""],
            "1 of 3 rows of split 'test' has no label in column 'label', first row 2 of the prep",
        ),
        (["a", "c", "b"], "label 'c' of split 'test' (row 1, 1 in all) is not among the labels"),
    ],
)
def test_run_looks_at_the_labels_to_test_on_before_it_trains(
    fresh: Path, capsys: pytest.CaptureFixture[str], labels: list[str], message: str
) -> None:
    """Hours of training are not spent on a test that cannot be."""
    given = {"train": ["a", "b"], "valid": ["a", "b"], "test": labels}
    for split, names in given.items():
        rows = "".join(f"text {n},{name}\n" for n, name in enumerate(names))
        (fresh / f"{split}.csv").write_text(f"text,label\n{rows}")
    files = "\n".join(f'{split} = "{split}.csv"' for split in given)
    (fresh / "own.toml").write_text(f"""\
name = "own"
[nodes.rows]
use = "load-files"
{files}
[nodes.tokens]
use = "tokenize"
inputs = "rows"
tokenizer = "models/tiny"
[model]
use = "transformer"
config = "models/tiny"
[task]
use = "text-classification"
[train]
data = "tokens"
optimizer = {{ use = "AdamW", lr = 1e-3 }}
""")

    assert command(["run", "own.toml"]) == 2

    printed = capsys.readouterr()
    assert message in printed.err
    assert "epoch" not in printed.err + printed.out
    assert not runs(fresh, "train")


def test_training_10_two_commands_lead_to_the_first_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`new` and `run` are enough, offline and on a CPU."""
    monkeypatch.chdir(tmp_path)
    assert command(["new", "first"]) == 0
    monkeypatch.chdir(tmp_path / "first")
    assert command(["run", "demo.toml", *QUICK]) == 0

    assert "test/accuracy" in capsys.readouterr().out


def test_training_19_prepare_reports_what_the_data_are_like(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Label counts, lengths, truncation, repeated rows are printed by `prepare`."""
    table = demo / "data" / "small.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(40):
            writer.writerow([f"word{i % 37} and another word", "good" if i % 2 else "bad"])
        writer.writerow(["", "bad"])

    settings = [
        "--set",
        "nodes.table.train=data/small.csv",
        "--set",
        "nodes.split.stratify=${none}",
    ]
    assert command(["prepare", "demo.toml", *settings, "--set", "nodes.tokens.max_length=4"]) == 0

    printed = capsys.readouterr()
    for words in (
        "label bad",
        "label good",
        "text empty",
        "truncated",
        "tokens p50",
        "repeated rows",
    ):
        assert words in printed.out
    assert "in split 'train' too" in printed.err


def test_the_resolved_recipe_of_a_run_gives_the_same_again(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe in the run directory is a recipe: all its nodes are hits."""
    path = runs(demo, "train")[0] / "recipe.resolved.toml"
    capsys.readouterr()

    assert command(["plan", str(path), "--json"]) == 0

    steps = json.loads(capsys.readouterr().out)["steps"]
    assert steps
    assert {step["status"] for step in steps} == {"hit"}


def test_recipe_25_every_override_is_on_record(demo: Path) -> None:
    """The later of two overrides wins; the run's command has both."""
    extra = ["--set", "train.batch_size=8", "--set", "train.batch_size=32"]
    assert command(["train", "demo.toml", *QUICK, *extra]) == 0

    folder = runs(demo, "train")[-1]
    assert read(folder / "command.json")["overrides"] == [
        f"--set {t}" for t in (*QUICK[1::2], *extra[1::2])
    ]
    assert "batch_size = 32" in (folder / "recipe.resolved.toml").read_text()


def test_a_run_directory_says_all_about_the_run(demo: Path) -> None:
    """Recipe, origins, command, environment, inputs, outputs, metrics and log are there."""
    folder = runs(demo, "train")[0]
    names = {path.name for path in folder.iterdir()}

    assert {
        "run.json", "recipe.resolved.toml", "origin.json", "command.json", "env.json", "inputs.json",
        "outputs.json", "metrics.json", "logs", "checkpoints",
    } <= names  # fmt: skip
    assert read(folder / "run.json")["status"] == "finished"
    assert "--set #1" in str(read(folder / "origin.json")["limit"])


def test_the_saved_model_loads_with_plain_from_pretrained(demo: Path) -> None:
    """The best checkpoint is a Hugging Face model folder with its tokenizer and label names."""
    from transformers import pipeline

    classify = pipeline(
        "text-classification", model=str(runs(demo, "train")[0] / "checkpoints/best")
    )

    assert classify("a wonderful film")[0]["label"] in ("negative", "positive")


def test_predictions_have_a_row_for_each_row_tested(demo: Path) -> None:
    """Row index, label, prediction and probabilities, in the order of the split."""
    import pyarrow as pa

    path = runs(demo, "test")[0] / "predictions.arrow"
    with path.open("rb") as file:
        table = pa.ipc.open_stream(file).read_all()

    assert table["row"].to_pylist() == list(range(24))
    assert set(table["label"].to_pylist()) == {"negative", "positive"}
    assert all(abs(sum(p) - 1) < 1e-5 for p in table["probabilities"].to_pylist())


def test_ctrl_c_while_training_leaves_an_interrupted_run(fresh: Path) -> None:
    """SIGINT ends with 130, the run says interrupted, and what it had learnt is kept."""
    work = subprocess.Popen(
        [sys.executable, "-m", "mlrecipe", "train", "demo.toml", "--set", "train.epochs=8"],
        cwd=fresh, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert work.stderr is not None
    for line in work.stderr:
        if line.startswith("epoch 1/"):
            work.send_signal(signal.SIGINT)
            break
    rest = work.communicate(timeout=60)[1]

    assert work.returncode == 130, rest
    folder = runs(fresh, "train")[0]
    assert read(folder / "run.json")["status"] == "interrupted"
    assert (folder / "checkpoints" / "last" / "model.safetensors").is_file()
    assert command(["test", "demo.toml"]) == 2
