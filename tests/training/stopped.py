"""A test in a process of its own, which is killed at a batch, and the same test without that."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from datasets import Dataset
from torch import Tensor, nn

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.interfaces import StepOutput
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test
from tests.training.killed import PRELOAD
from tests.training.tiny import make_rows

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOAD)

SIZE = 4


@dataclass(frozen=True)
class Counting(TextClassification):
    """Counts batches, and ends the process before one of them."""

    batches: ClassVar[list[int]] = []
    dies_at: ClassVar[tuple[int, signal.Signals] | None] = None

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        if Counting.dies_at is not None and len(Counting.batches) == Counting.dies_at[0]:
            os.kill(os.getpid(), Counting.dies_at[1])
        Counting.batches.append(len(next(iter(batch.values()))))
        return super().step(module, batch)

    def scores(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        if Counting.dies_at is not None and len(Counting.batches) == Counting.dies_at[0]:
            os.kill(os.getpid(), Counting.dies_at[1])
        Counting.batches.append(len(next(iter(batch.values()))))
        return super().scores(module, batch)


def data() -> dict[str, Dataset]:
    """Splits of five batches and of three, one of them without labels; texts stand beside."""
    splits = {"one": make_rows(18, seed=5), "two": make_rows(11, seed=6)}
    splits["bare"] = make_rows(11, seed=7).remove_columns("label")
    return {
        name: rows.add_column("text", [f"{name} {i}" for i in range(len(rows))])
        for name, rows in splits.items()
    }


def test(
    checkpoint: Path, run: Path, split: str | list[str], *, size: int, **trainer: Any
) -> TestReport:
    """Test in this process, from what is kept in `run` on."""
    Counting.batches.clear()
    return run_test(
        task=Counting(metrics=["accuracy", "f1", "auroc"]), model=Transformer(config="/nowhere"),
        spec=TestSpec(batch_size=size, split=split), data=data(), checkpoint=checkpoint, folder=run,
        trainer={"accelerator": "cpu", **trainer},
    )  # fmt: skip


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def kill(checkpoint: Path, run: Path, *, at: int, split: str | list[str] = "one") -> int | None:
    """Test in a new process, which the kernel ends before that batch; its exit code."""
    process = _context.Process(target=_main, args=(checkpoint, run, at, split), daemon=True)
    process.start()
    process.join(60)
    return process.exitcode


def _main(checkpoint: Path, run: Path, at: int, split: str | list[str]) -> None:
    import mlrecipe.builtin.catalog  # noqa: F401

    torch.set_num_threads(1)
    Counting.dies_at = (at, signal.SIGKILL)
    test(checkpoint, run, split, size=SIZE)
