"""Predicting with every kind of task: the same answers and metrics as its test stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from transformers import BertConfig, BertModel

import mlrecipe
from mlrecipe.cli.app import run as command
from mlrecipe.errors import RequestError
from mlrecipe.inference import predict_file
from mlrecipe.inference.exporting.model import export
from mlrecipe.inference.replies import Label, Labels, Number, Outputs
from mlrecipe.runs import run as running
from tests.inference.conftest import make_texts, read_csv, write_csv
from tests.training.tiny import write_tiny

RECIPE = """
name = "small"

[nodes.files]
use = "load-files"
train = "train.csv"
valid = "test.csv"
test = "test.csv"

[nodes.tokens]
use = "tokenize"
inputs = ["files"]
tokenizer = "tiny"
text = "text"
max_length = 48
{pair}
[model]
use = "transformer"
checkpoint = "tiny"
{model}
[task]
{task}
[train]
data = "tokens"
max_steps = 6
batch_size = 8
optimizer = {{ use = "AdamW", lr = 3e-3 }}
trainer = {{ accelerator = "cpu" }}
"""

MOOD = 'use = "text-classification"\nlabel = "mood"'
VALUE = """
use = "text-regression"
label = "value"
metrics = ["pearson-corrcoef", "spearman-corrcoef"]
"""
TOPICS = """
use = "multi-label-classification"
label = "topics"
separator = "|"
metrics = ["f1-micro"]
"""
SEVERAL = """
use = "multi-output-classification"
outputs = ["mood", "side"]
metrics = ["accuracy"]
"""
TASKS = {
    "regression": (VALUE, "", ""),
    "multi-label": (TOPICS, "", ""),
    "multi-output": (SEVERAL, "", ""),
    "pairs, adapter": (MOOD, 'text_pair = "other"', 'peft = { method = "lora", r = 2 }'),
    "frozen": (MOOD, "", 'freeze_layers = "all"'),
}
"""Task, what else the tokens need, and what else the model does."""


def rows(count: int, *, seed: int) -> list[list[Any]]:
    """Text, other text, mood, side, value, topics."""
    random = np.random.default_rng(seed)
    made = []
    for text, label in make_texts(count, seed=seed):
        topics = [name for name in ("sea", "sky", "land") if random.random() < 0.5]
        side = str(random.choice(["left", "right", "none"]))
        made.append(
            [text, text[::-1], label, side, round(float(random.normal()), 3), "|".join(topics)]
        )
    return made


@pytest.mark.parametrize("name", TASKS)
def test_inference_34_every_task_answers_as_in_its_test(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Predictions in the same words, metrics up to rounding; the loss is left out."""
    if "peft" in TASKS[name][2]:
        pytest.importorskip("peft")
    folder = tmp_path.resolve()
    monkeypatch.chdir(folder)
    for part in (".mlrecipe", "tiny"):
        (folder / part).mkdir()
    BertModel(BertConfig.from_pretrained(write_tiny(folder / "tiny"))).save_pretrained("tiny")
    task, pair, model = TASKS[name]
    (folder / "recipe.toml").write_text(RECIPE.format(task=task, pair=pair, model=model))
    columns = ["text", "other", "mood", "side", "value", "topics"]
    for number, (split, count) in enumerate({"train": 48, "test": 21}.items()):
        write_csv(folder / f"{split}.csv", columns, rows(count, seed=number))

    assert command(["run", "recipe.toml", "--quiet"]) == 0
    train = running.newest(folder, stage="train", recipe="recipe.toml")
    test = running.newest(folder, stage="test", recipe="recipe.toml")
    assert train is not None
    assert test is not None
    done = predict_file(train, "test.csv", "out.jsonl")
    predict_file(train, "test.csv", "out.csv")

    tested = json.loads((test.folder / "metrics.json").read_text())
    tested = tested.get("metrics", tested)
    assert {f"test/{key}" for key in done.metrics} == set(tested) - {"test/loss"}
    for key, value in done.metrics.items():
        assert value == pytest.approx(tested[f"test/{key}"], abs=1e-4)  # of nearly constant numbers
    with pa.ipc.open_stream(test.folder / "predictions.arrow") as stream:
        kept = stream.read_all()["prediction"].to_pylist()
    made = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(read_csv(Path("out.csv"))) == len(made) == 21
    if name == "multi-output":
        assert [{key: row[f"prediction_{key}"] for key in ("mood", "side")} for row in made] == kept
    elif name == "regression":
        assert [row["prediction"] for row in made] == pytest.approx(kept, abs=1e-5)
    else:
        assert [row["prediction"] for row in made] == kept
    exported = export(train, folder / "model").folder
    texts = read_csv(Path("test.csv"))
    for predictor in (mlrecipe.load(train.folder), mlrecipe.load(exported)):
        answers = predictor.predict([{"text": r["text"], "other": r["other"]} for r in texts])
        for answer, row in zip(answers, made, strict=True):
            assert_same(answer, row)
        if "pairs" in name:
            assert predictor.predict((texts[0]["text"], texts[0]["other"])) == answers[0]
            with pytest.raises(RequestError, match="one text, and the model reads pairs of 'text'"):
                predictor.predict("alone")


def assert_same(answer: object, row: dict[str, Any]) -> None:
    """What a script is told is what stands in a file."""
    match answer:
        case Number(value=value):
            assert value == pytest.approx(row["prediction"], abs=1e-5)
        case Labels(labels=labels, probabilities=shares):
            assert list(labels) == row["prediction"]
            assert dict(shares) == pytest.approx(row["probabilities"], abs=1e-5)
        case Outputs():
            for key in ("mood", "side"):
                assert answer[key].label == row[f"prediction_{key}"]
                assert dict(answer[key].probabilities) == pytest.approx(
                    row[f"probabilities_{key}"], abs=1e-5
                )
        case Label(label=label, score=score):
            assert label == row["prediction"]
            assert score == pytest.approx(row["probability"], abs=1e-5)
        case _:
            raise AssertionError(answer)
    assert json.loads(json.dumps(answer.to_dict())) == answer.to_dict()
