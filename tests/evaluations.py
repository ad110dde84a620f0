"""A small project with test runs to evaluate: their predictions are written by hand, nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from tests.projects import Work

OPS = '''

@mlrecipe.op("right")
def right(predictions, *, scale: float = 1.0):
    """The rows with whether they are right."""
    note("right")
    hits = [a == b for a, b in zip(predictions.column("label"), predictions.column("prediction"))]
    predictions.set_column("hit", [int(hit) for hit in hits])
    predictions.record(share=scale * sum(hits) / len(hits), rows=len(hits), split="text")
    return predictions


@mlrecipe.op("difference")
def difference(a, b):
    """How many more of b are right."""
    note("difference")
    hits = [sum(x == y for x, y in zip(r.column("label"), r.column("prediction"))) for r in (a, b)]
    return {"more": hits[1] - hits[0], "of": {"a": hits[0], "b": hits[1]}}


@mlrecipe.op("longest")
def longest(recorder, words):
    """The longest word of a right row."""
    note("longest")
    return max(len(words[i % len(words)]) for i, hit in enumerate(recorder.column("hit")) if hit)


@mlrecipe.op("words")
def words(*, count: int = 3):
    """Words of growing length."""
    note("words")
    return ["x" * (i + 1) for i in range(count)]


@mlrecipe.op("no-format")
def no_format(predictions):
    """Gives what cannot be stored."""
    return (row for row in predictions)


@mlrecipe.op("picky")
def picky(predictions, *, column: str = "missing"):
    """Wants a column."""
    from mlrecipe.errors import DataError

    if column not in predictions.column_names:
        raise DataError(f"no column {column!r}", key="column", hint="name one that is there")
    return len(predictions)
'''

RECIPE = """
name = "small"
plugins = ["ops.py"]

[nodes.words]
use = "words"

[nodes.first]
use = "numbers"

[evaluate.nodes.hits]
use = "right"
inputs = ["predictions"]
"""

HEAD = {"problem_type": "single_label_classification", "labels": ["no", "yes"], "outputs": {}}


class Judged(Work):
    """A project whose recipe has evaluation nodes, with runs to evaluate."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.write("ops.py", (folder / "ops.py").read_text() + OPS)
        self.write("recipe.toml", RECIPE)

    def add(self, text: str) -> None:
        """Write more at the end of the recipe."""
        path = self.folder / "recipe.toml"
        path.write_text(path.read_text() + text)

    def tested(
        self, *splits: str, right: Sequence[int] = (1, 1, 0, 1), name: str = "", **facts: Any
    ) -> Run:
        """A finished test of a finished training; `right` says which rows are."""
        told = {"recipe": "recipe.toml", "name": "small"}
        parent = running.create(self.folder, stage="train", fixed=name, **told)
        parent.finish("finished", steps=1, seconds=0.1)
        fixed = f"{name}-test" if name else ""
        names = list(splits) or ["test"]
        run = running.create(
            self.folder, stage="test", fixed=fixed, parent=parent.id, checkpoint="best",
            split=names if len(names) > 1 else names[0], **told, **facts,
        )  # fmt: skip
        for split in names:
            file = f"predictions-{split}.arrow" if len(names) > 1 else "predictions.arrow"
            write(run.folder / file, right, split)
        starts = names if len(names) > 1 else ["test"]
        run.write("metrics.json", {f"{start}/accuracy": 0.5 for start in starts})
        return run.finish("finished", rows=len(right) * len(names), seconds=0.1)


def write(path: Path, right: Sequence[int], split: str) -> None:
    """Predictions as a test writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "row": pa.array(range(len(right)), pa.int64()),
        "label": pa.array(["yes"] * len(right)),
        "prediction": pa.array(["yes" if hit else "no" for hit in right]),
        "probabilities": pa.array([[0.2, 0.8] if hit else [0.7, 0.3] for hit in right]),
    }
    facts = {"head": json.dumps(HEAD), "labels": json.dumps(HEAD["labels"]), "split": split}
    table = pa.table(columns).replace_schema_metadata(facts)
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)


def read(run: Run, name: str) -> Mapping[str, Any]:
    """A JSON file of a run."""
    found: Mapping[str, Any] = json.loads((run.folder / name).read_text())
    return found
