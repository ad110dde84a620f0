"""What a run came to, read back from its files: recipe, checkpoint, metrics of each split, tests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.runs.manifest import RECIPE, inputs_of
from mlrecipe.runs.run import Run, every

CHECKPOINT = "checkpoint.json"
"""What lies beside a checkpoint's weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The metrics of one split."""

    split: str
    """As the recipe calls it; `train`, `valid` or `test` where the recipe does not say."""

    metrics: Mapping[str, float]
    """By name, without what stands before it in the run's files; finite ones only."""

    rows: int | None
    """Rows of the split; None: the run does not say."""

    run: Run
    """The run that measured them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that a train run's directory says of one of its checkpoints."""

    run: Run
    checkpoint: str
    recipe: Mapping[str, Any]
    """The resolved recipe; empty where it cannot be read."""

    record: Mapping[str, Any]
    """The checkpoint's own record: step, metrics, head."""

    inputs: Mapping[str, Any]
    """Node → op, digest, fingerprint, files."""

    environment: Mapping[str, Any]
    results: tuple[Result, ...]
    """Validation first, then the newest test of each split."""

    @property
    def project(self) -> Path:
        """Root of the project."""
        return self.run.folder.parent.parent


def story(run: Run, checkpoint: str = "best") -> Story:
    """What is known of a checkpoint of a train run, its finished tests included."""
    folder = run.folder / "checkpoints" / checkpoint
    record = _read(folder / CHECKPOINT)
    return Story(
        run=run, checkpoint=checkpoint, recipe=recipe_of(run), record=record,
        inputs=inputs_of(run), environment=_read(run.folder / "env.json"),
        results=(*_split_up(run, record.get("metrics", {})), *_tests(run, checkpoint)),
    )  # fmt: skip


def results(run: Run) -> tuple[Result, ...]:
    """The metrics of a run, split by split; none where it measured nothing."""
    return _split_up(run, _read(run.folder / "metrics.json"))


def evaluated(run: Run) -> set[str]:
    """The evaluation nodes that a run's metrics may come from: of its recipe, and of later ones."""
    nodes = {name.rpartition("/")[2] for name in _read(run.folder / "evaluation.json")}
    return nodes | set(recipe_of(run).get("evaluate", {}).get("nodes", {}))


def recipe_of(run: Run) -> dict[str, Any]:
    """The run's resolved recipe; empty where it cannot be read."""
    import tomli

    try:
        return tomli.loads((run.folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def splits_of(run: Run) -> list[str]:
    """The splits that a run measured on, as its recipe calls them."""
    if run.facts.get("stage") == "test":
        said = run.facts.get("split")
    else:
        said = recipe_of(run).get("train", {}).get("valid_split")
    names = said if isinstance(said, list) else [said]
    return [str(name) for name in names if name]


def _tests(run: Run, checkpoint: str) -> list[Result]:
    found: dict[str, Result] = {}
    for other in every(run.folder.parent.parent):
        facts = other.facts
        if facts.get("parent") == run.id and facts.get("checkpoint") == checkpoint:
            for result in results(other) if other.status == "finished" else ():
                found.setdefault(result.split, result)
    return list(found.values())


def _split_up(run: Run, metrics: Mapping[str, Any]) -> tuple[Result, ...]:
    """Metrics by what stands before their names: a split, or `valid` or `test` for the only one."""
    names = splits_of(run)
    parts: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        prefix, _, rest = name.partition("/")
        split = names[0] if len(names) == 1 and prefix in ("valid", "test") else prefix
        if isinstance(value, int | float) and math.isfinite(value):
            parts.setdefault(split, {})[rest or name] = float(value)
    if len(parts) > 1:
        parts.pop("train", None)  # the loss of a few batches, no result
    return tuple(
        Result(split=split, metrics=found, rows=_rows(run, split), run=run)
        for split, found in sorted(parts.items())
    )


def _rows(run: Run, split: str) -> int | None:
    """Rows of a split; an older run says only how many a test had in all.

    A training's own loss is of a few batches, whatever rows there are.
    """
    if split == "train":
        return None
    known = run.facts.get("splits")
    rows = known.get(split) if isinstance(known, Mapping) else None
    if rows is None and run.facts.get("stage") == "test" and len(splits_of(run)) == 1:
        rows = run.facts.get("rows")
    return rows if isinstance(rows, int) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
