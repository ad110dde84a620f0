"""The text of a recipe for a table: one that runs as it stands and says why it is as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.scaffold.layout import Layout
from mlrecipe.scaffold.source import named_format
from mlrecipe.scaffold.table import Table
from mlrecipe.scaffold.writing import remark, section, toml

MODEL_FOLDER = "models/tiny"
"""Where the small tokenizer and model configuration lie, from the recipe's folder."""

MODEL_LENGTH = 128
"""Tokens that the small model reads at most (`max_position_embeddings` of its configuration)."""

PRETRAINED = "distilbert-base-uncased"
"""The checkpoint that a comment proposes."""

_SEED = 42
_LEARNING_RATE = 1e-3


def from_table(table: Table, *, name: str, file: str | None = None, plugins: str = "") -> str:
    """A recipe that learns the table's label from its text, each choice with its reason.

    Args:
        table: what `look` found.
        name: name of the experiment.
        file: the table's path from the recipe's folder; by default the file's name alone.
        plugins: lines to put after the name, such as a commented-out `plugins` line.
    """
    sections = [
        _head(table, name, plugins),
        _load(table, file or table.path.name),
        *_filters(table),
        _splits(table),
        _tokens(table),
        _statistics(table),
        _model(table),
        _task(table),
        _train(table),
        _TEST,
        _EVALUATE,
    ]
    return "\n".join(sections)


def slug(name: str) -> str:
    """A name that is easy to type and safe in file names: `My data (1)` gives `My-data-1`."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "recipe"


def _head(table: Table, name: str, plugins: str) -> str:
    kind = "pairs of texts" if table.text_pair is not None else "texts"
    what = f"Sorts {kind} into {len(table.labels)} labels"
    if not table.labels:
        what = f"Gives {kind} a number, that of column {table.label!r}"
    intro = (
        f"{what}, learned from {table.rows:,} rows of"
        f" {table.path.name}. `mlrecipe new` looked at that file and wrote this recipe; it runs"
        " as it stands, offline and on a CPU. Each choice has its reason beside it: change what is"
        " wrong."
    )
    found = [f"Take care: {warning}." for warning in table.warnings]
    return remark(intro, *found) + f"\nname = {toml(name)}\nseed = {_SEED}\n{plugins}"


def _load(table: Table, file: str) -> str:
    left_out = [f"Not used: column {name!r} {why}." for name, why in table.left_out.items()]
    comment = remark(f"The file: {table.reasons['file']}.", *left_out)
    keys = {"use": "load-files", "train": file, **_reading(table)}
    return comment + section("nodes.table", keys)


def _reading(table: Table) -> dict[str, object]:
    """What `load-files` has to be told."""
    keys = reading(table.path, table.layout)
    if not table.layout.header:
        keys |= {"header": False, "columns": list(table.columns)}
    if table.label_type is not None:
        keys["types"] = {table.label: table.label_type}
    return keys


def reading(path: Path, layout: Layout) -> dict[str, object]:
    """What a loader has to be told: what it would not take for granted by the file's name."""
    keys = dict[str, object]()
    named = named_format(path)
    if layout.kind != named and {layout.kind, named} != {"json", "jsonl"}:
        keys["format"] = layout.kind
    if layout.encoding != "utf-8":
        keys["encoding"] = layout.encoding
    if layout.delimiter not in ("", "," if layout.kind == "csv" else "\t"):
        keys["delimiter"] = layout.delimiter
    if layout.delimiter and layout.quoted != (layout.kind == "csv"):
        keys["quoting"] = layout.quoted
    return keys


def _filters(table: Table) -> list[str]:
    """A node for each column that must not be empty and is, each fed by the one before."""
    nodes, source = [], "table"
    for column, count in table.empty.items():
        what = "label" if column == table.label else "text"
        comment = remark(
            f"{count:,} row{'s have' if count != 1 else ' has'} no {what} in column {column!r}: "
            f"{'they are' if count != 1 else 'it is'} left out."
        )
        keys = {"use": "filter", "inputs": [source], "column": column, "not_empty": True}
        source = _filter_name(table, column)
        nodes.append(comment + section(f"nodes.{source}", keys))
    return nodes


def _filter_name(table: Table, column: str) -> str:
    if column == table.label:
        return "labelled"
    return "with_text" if column == table.text else "with_pair"


def _splits(table: Table) -> str:
    comment = remark(
        "The file is one heap of rows: a fifth is kept for the test, and a tenth to judge the model"
        f" while it learns{'; each label has the same share in all parts' if table.labels else ''}. With files"
        " of their own for"
        " these, name them beside `train` as `valid` and `test`, and let [nodes.tokens] take"
        f" {_source(table)!r}."
    )
    keys: dict[str, object] = {
        "use": "split",
        "inputs": [_source(table)],
        "sizes": {"valid": 0.1, "test": 0.2},
    }
    if table.labels:
        keys["stratify"] = table.label
    return comment + section("nodes.split", keys)


def _source(table: Table) -> str:
    """The node that has the rows to share out."""
    return _filter_name(table, list(table.empty)[-1]) if table.empty else "table"


def _tokens(table: Table) -> str:
    length = min(table.max_length, MODEL_LENGTH)
    reason = f"The length: {table.reasons['max_length']}."
    if length < table.max_length:
        reason += (
            f" The small model reads {MODEL_LENGTH} at most, the rest of a text is cut off; with a"
            f" pretrained checkpoint write {table.max_length}."
        )
    others = [f"Or: {other}." for other in table.alternatives if "could be the text" in other]
    keys: dict[str, object] = {"use": "tokenize", "inputs": ["split"], "text": table.text}
    if table.text_pair is not None:
        keys["text_pair"] = table.text_pair
    keys |= {"tokenizer": MODEL_FOLDER, "max_length": length}
    comment = remark(f"The text: {table.reasons['text']}.", *others, reason)
    return comment + section("nodes.tokens", keys)


def _statistics(table: Table) -> str:
    texts = table.text if table.text_pair is None else [table.text, table.text_pair]
    keys = {"use": "statistics", "inputs": ["tokens"], "text": texts, "label": table.label}
    comment = remark("What went into training: label counts, lengths, rows that two splits share.")
    return comment + section("nodes.facts", keys)


def _model(table: Table) -> str:
    del table
    return (
        remark(
            "A small network that starts from random weights: it learns fast on a CPU and shows"
            " that everything fits. For good results start from a pretrained checkpoint: put the"
            " first line below in place of `config`, and the second in place of `tokenizer` under"
            " [nodes.tokens]; it learns best slowly (lr 2e-5, 3 epochs)."
        )
        + f'[model]\nuse = "transformer"\nconfig = {toml(MODEL_FOLDER)}\n'
        + f"# checkpoint = {toml(PRETRAINED)}\n"
        + '# tokenizer = "${model.checkpoint}"\n'
    )


def _task(table: Table) -> str:
    others = [f"Or: {other}." for other in table.alternatives if "could be the label" in other]
    others += [f"Or: {other}." for other in table.several]
    if not table.labels:
        comment = remark(f"The number: {table.reasons['label']}.", *others)
        metrics = ["pearson-corrcoef", "spearman-corrcoef"]
        keys: dict[str, object] = {"use": table.task, "label": table.label, "metrics": metrics}
        return comment + section("task", keys)
    keys = {
        "use": table.task,
        "label": table.label,
        "labels": list(table.labels),
        "metrics": ["accuracy", "f1"],
    }
    counts = ", ".join(f"{label} {count:,}" for label, count in list(table.labels.items())[:12])
    more = ", …" if len(table.labels) > 12 else ""
    comment = remark(
        f"The label: {table.reasons['label']}.", *others, f"Rows of each label: {counts}{more}."
    )
    return comment + section("task", keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    epochs: int
    batch_size: int


def _pace(rows: int) -> _Pace:
    """More passes and smaller batches for few rows, so that there are some hundred steps."""
    if rows < 2_000:
        return _Pace(epochs=10 if rows < 500 else 5, batch_size=16)
    if rows < 20_000:
        return _Pace(epochs=5, batch_size=32)
    return _Pace(epochs=3, batch_size=32)


def _train(table: Table) -> str:
    pace = _pace(table.rows)
    steps = max(1, round(table.rows * 0.7 / pace.batch_size)) * pace.epochs
    monitor = "valid/f1" if table.imbalance >= 2 else "valid/accuracy"
    why = "labels are uneven" if table.imbalance >= 2 else "labels are about even"
    if not table.labels:
        monitor, why = "valid/pearson-corrcoef", "whatever their scale, numbers that rise together"
    comment = remark(
        f"{table.rows:,} rows make about {steps:,} steps of {pace.batch_size} rows in {pace.epochs}"
        f" epochs; a network from random weights learns well at a rate of {_LEARNING_RATE:g}."
        f" The best epoch by {monitor} is kept: {why}."
    )
    keys = {
        "data": "tokens",
        "epochs": pace.epochs,
        "batch_size": pace.batch_size,
        "monitor": monitor,
    }
    optimizer = f'optimizer = {{ use = "AdamW", lr = {_LEARNING_RATE:g}, weight_decay = 0.01 }}\n'
    return comment + section("train", keys) + optimizer


_TEST = """[test]
split = "test"
"""

_EVALUATE = """# What is computed over the test's predictions, and not after each epoch.
[evaluate]
validation = []

# The rows that went worst: look at them with `mlrecipe inspect mistakes`.
[evaluate.nodes.mistakes]
use    = "worst-mistakes"
inputs = ["predictions"]
top    = 20
"""
