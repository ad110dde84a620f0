"""What training needs of the recipe's evaluation nodes: their metrics over a file of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class Evaluator(Protocol):
    """Metrics of the evaluation nodes that run on validation."""

    def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
        """Metrics over a file of predictions: `<node>/<name>`, or `<node>`, → value.

        `predictions` is an Arrow stream as `mlrecipe test` writes it; `split` is the name of its split.

        Raises:
            MlrecipeError: a node failed; the error says which.
        """
        ...
