"""Run directories as commands leave them, made without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.interfaces import Head
from mlrecipe.reporting.report import write
from mlrecipe.runs.run import Run, read

RECIPE = """
name = "small"
seed = 3

[nodes.rows]
use = "load-files"
train = "rows.csv"

[model]
use = "transformer"
checkpoint = "tiny"

[task]
use = "text-classification"
metrics = ["accuracy", "f1"]

[train]
data = "rows"
monitor = "valid/accuracy"
valid_split = "valid"
optimizer = { use = "AdamW", lr = 0.001 }

[test]
split = "test"
"""
WORDS = "the plot is thin but a slow warm film with good songs and no end in sight".split()
LABELS = ("negative", "positive")


def leave_training(project: Path, name: str, /, *, recipe: str = RECIPE, **facts: Any) -> Run:
    """A finished training with its log, its recipe and what it used."""
    folder = project / "runs" / name
    (folder / "logs").mkdir(parents=True)
    _facts(folder, name, stage="train", best_step=20, steps=20, epochs=2, **facts)
    (folder / "recipe.resolved.toml").write_text(recipe)
    (folder / "metrics.json").write_text(json.dumps({"valid/accuracy": 0.75, "valid/loss": 0.5}))
    (folder / "env.json").write_text(
        json.dumps(
            {"python": "3.11.7", "platform": "Linux", "cpus": 4, "libraries": {"torch": "2.13.0"},
             "git": {"commit": "c0ffee" * 6, "branch": "main", "dirty": False}}
        )
    )  # fmt: skip
    (folder / "command.json").write_text(json.dumps({"argv": ["mlrecipe", "run", "small.toml"]}))
    rows = {"fingerprint": "a" * 64, "digest": "b" * 64, "op": "load-files",
            "files": {"train": [["rows.csv", "c" * 64]]}}  # fmt: skip
    (folder / "inputs.json").write_text(json.dumps({"rows": rows}))
    lines = [f"{1e-3 * (20 - step)},{step},{0.7 - step / 40},," for step in range(20)]
    lines += [f",{step},,{0.5 + step / 80},{0.6 - step / 80}" for step in (9, 19)]
    header = "learning_rate,step,train/loss,valid/accuracy,valid/loss"
    (folder / "logs" / "metrics.csv").write_text("\n".join([header, *lines]) + "\n")
    return _run(folder)


def leave_test(
    project: Path,
    name: str,
    table: pa.Table,
    /,
    *,
    parent: str = "",
    metrics: Mapping[str, float] | None = None,
    words: Any = None,
    recipe: str = RECIPE,
    **facts: Any,
) -> Run:
    """A finished test with its predictions and its report."""
    folder = project / "runs" / name
    folder.mkdir(parents=True)
    known = {"parent": parent, "checkpoint": "best", "split": "test", "rows": len(table)}
    _facts(folder, name, stage="test", **known | facts)
    (folder / "recipe.resolved.toml").write_text(recipe)
    (folder / "env.json").write_text(json.dumps({"python": "3.11.7", "cpus": 4}))
    (folder / "metrics.json").write_text(json.dumps({"test/loss": 0.5, **(metrics or {})}))
    path = put(folder / "predictions.arrow", table)
    write(folder, {"test": path}, words={"test": words})
    return _run(folder)


def put(path: Path, table: pa.Table, *, size: int = 1000) -> Path:
    """A file of predictions."""
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table, max_chunksize=size)
    return path


def one_label(
    rows: int = 120,
    *,
    labels: Sequence[str] = LABELS,
    seed: int = 0,
    skill: float = 1.5,
    texts: Sequence[str] = (),
    noise: int | None = None,
) -> pa.Table:
    """Rows with a label each; equal seeds give equal labels, `noise` other predictions of them."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, len(labels), rows)
    sources = random.choice(["mail", "web"], rows)
    found = list(texts) or [_text(random) for _ in range(rows)]
    random = np.random.default_rng(seed if noise is None else noise)
    logits = random.normal(size=(rows, len(labels))) + skill * np.eye(len(labels))[targets]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array(labels)
    columns = {
        "label": pa.array(names[targets]), "prediction": pa.array(names[chances.argmax(1)]),
        "probabilities": pa.array(chances.astype(np.float32).tolist(), pa.list_(pa.float32())),
        "text": pa.array(found), "source": pa.array(sources),
    }  # fmt: skip
    return _table(columns, Head(problem_type="single_label_classification", labels=tuple(labels)))


def several_labels(rows: int = 80) -> pa.Table:
    """Rows with any of three labels."""
    labels = ("sport", "money", "war")
    random = np.random.default_rng(1)
    there, given = random.random((rows, 3)) < 0.4, random.random((rows, 3)) < 0.4
    there[: rows // 2] = given[: rows // 2]
    chances = np.where(given, 0.8, 0.1).astype(np.float32)
    columns = {
        "label": _lists(there, labels), "prediction": _lists(given, labels),
        "probabilities": pa.array(chances.tolist(), pa.list_(pa.float32())),
        "text": pa.array([_text(random) for _ in range(rows)]),
    }  # fmt: skip
    return _table(columns, Head(problem_type="multi_label_classification", labels=labels))


def outputs(rows: int = 60) -> pa.Table:
    """Rows with a label for each of two outputs."""
    of = {"topic": ("sport", "money"), "tone": ("calm", "loud")}
    labels = tuple(f"{column}={label}" for column, names in of.items() for label in names)
    random = np.random.default_rng(2)
    there, given = random.integers(0, 2, (rows, 2)), random.integers(0, 2, (rows, 2))
    chances = np.concatenate([0.2 + 0.6 * np.eye(2)[given[:, i]] for i in (0, 1)], axis=1)
    sides = [
        pa.array([{c: of[c][i] for c, i in zip(of, row, strict=True)} for row in ids.tolist()])
        for ids in (there, given)
    ]
    columns = {
        "label": sides[0], "prediction": sides[1],
        "probabilities": pa.array(chances.astype(np.float32).tolist(), pa.list_(pa.float32())),
        "text": pa.array([_text(random) for _ in range(rows)]),
    }  # fmt: skip
    head = Head(problem_type="multi_output_classification", labels=labels, outputs=of)
    return _table(columns, head)


def numbers(rows: int = 90) -> pa.Table:
    """Rows with a number each."""
    random = np.random.default_rng(3)
    targets = random.uniform(0, 5, rows).astype(np.float32)
    given = (targets + random.normal(0, 0.5, rows)).astype(np.float32)
    columns = {
        "label": pa.array(targets), "prediction": pa.array(given),
        "probabilities": pa.array([[value] for value in given.tolist()], pa.list_(pa.float32())),
        "sentence1": pa.array([_text(random) for _ in range(rows)]),
        "sentence2": pa.array([_text(random) for _ in range(rows)]),
    }  # fmt: skip
    return _table(columns, Head(problem_type="regression", labels=("score",)))


def tags(rows: int = 40, *, evil: str = "") -> tuple[pa.Table, Any]:
    """Sentences with tags, and what gives the words of a row."""
    random = np.random.default_rng(4)
    names = ("O", "B-PER", "I-PER", "B-LOC")
    words, there, given = [], [], []
    for _ in range(rows):
        length = int(random.integers(3, 9))
        words.append([*random.choice(WORDS, length - 1), evil or "Vienna"])
        label = ["O"] * length
        label[0], label[-1] = "B-PER", "B-LOC"
        guess = list(label)
        guess[int(random.integers(0, length))] = str(random.choice(names))
        there.append(label)
        given.append(guess)
    columns = {
        "label": pa.array(there), "prediction": pa.array(given),
        "probabilities": pa.array([[0.75] * len(row) for row in given], pa.list_(pa.float32())),
        "words": pa.array([[str(word) for word in row] for row in words]),
    }  # fmt: skip
    head = Head(problem_type="token_classification", labels=names, scheme="IOB2")
    return _table(columns, head), lambda row: words[row]


def _table(columns: Mapping[str, pa.Array], head: Head) -> pa.Table:
    count = len(columns["label"])
    table = pa.table({"row": pa.array(range(count), pa.int64()), **columns})
    said = {
        "labels": json.dumps(list(head.labels)),
        "head": json.dumps(asdict(head)),
        "split": "test",
    }
    return table.replace_schema_metadata(said)


def _lists(has: np.ndarray, labels: Sequence[str]) -> pa.Array:
    found = [
        [label for label, is_there in zip(labels, row, strict=True) if is_there] for row in has
    ]
    return pa.array(found, pa.list_(pa.string()))


def _text(random: np.random.Generator) -> str:
    return " ".join(random.choice(WORDS, int(random.integers(3, 15))))


def _facts(folder: Path, name: str, /, **facts: Any) -> None:
    known = {
        "id": name, "name": "small", "recipe": "small.toml", "status": "finished", "host": "there",
        "pid": 1, "started": "2026-11-21T16:03:13+00:00", "ended": "2026-11-21T16:04:13+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(known | facts))


def _run(folder: Path) -> Run:
    run = read(folder)
    assert run is not None
    return run
